#include "common/auth/strict_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "nlohmann/json.hpp"

namespace hail::auth {
namespace {

// Why `text` is refused; empty if it is not.
std::string Why(std::string_view text, const JsonLimits& limits = {.depth = 2, .members = 3}) {
  std::string why;
  const auto object = ParseStrictObject(text, limits, &why);
  EXPECT_EQ(object.has_value(), why.empty());
  return why;
}

TEST(StrictJsonTest, OnlyAnObjectIsRead) {
  EXPECT_EQ(Why(R"({"a":1,"b":[2],"c":"d"})"), "");
  EXPECT_EQ(Why(" {} "), "");
  for (const char* bad : {"", "7", "\"a\"", "[]", "[{}]", "null", "{", "{}{}", "{} x", "{a:1}", "{'a':1}", "{\"a\":1,}",
                          "{\"a\":0x1}", "{\"a\":1e999}", "{\"a\":\"\xff\"}", "/* */{}"}) {
    EXPECT_EQ(Why(bad), "not a JSON object") << bad;
  }
  EXPECT_EQ(Why(std::string_view("{}\0", 3)), "not a JSON object");
  EXPECT_EQ(Why(std::string_view("{}\0{}", 5)), "not a JSON object");
}

TEST(StrictJsonTest, AMemberIsThereOnce) {
  EXPECT_EQ(Why(R"({"a":1,"a":1})"), "a JSON member that is there twice");
  EXPECT_EQ(Why(R"({"a":1,"\u0061":2})"), "a JSON member that is there twice");
  EXPECT_EQ(Why(R"({"a":{"b":1,"b":2}})"), "a JSON member that is there twice");
  EXPECT_EQ(Why(R"({"a":{"a":1}})"), "");
  EXPECT_EQ(Why(R"({"a":[{"b":1},{"b":1}]})", {.depth = 3, .members = 3}), "");
}

TEST(StrictJsonTest, ItIsShallowAndSmall) {
  EXPECT_EQ(Why(R"({"a":{}})", {.depth = 1}), "JSON that is nested too deeply");
  EXPECT_EQ(Why(R"({"a":[[1]]})"), "JSON that is nested too deeply");
  EXPECT_EQ(Why(R"({"a":{"b":{"c":{"d":{}}}}})"), "JSON that is nested too deeply");
  EXPECT_EQ(Why("{\"a\":" + std::string(200'000, '[')), "JSON that is nested too deeply");
  EXPECT_EQ(Why(R"({"a":{"b":1},"c":2,"d":3})"), "more JSON members than are allowed");
}

}  // namespace
}  // namespace hail::auth
