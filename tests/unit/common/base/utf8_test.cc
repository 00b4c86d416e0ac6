#include "common/text/utf8.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hail {
namespace {

using std::string_literals::operator""s;

TEST(Utf8Begin, IsBehindAMarkThatIsThere) {
  for (const std::string& text : {""s, "{"s, "ab"s, "\xef\xbb"s, "\xc3\xa4"s}) EXPECT_EQ(*Utf8Begin(text), 0u) << text;
  EXPECT_EQ(*Utf8Begin("\xef\xbb\xbf"), 3u);
  EXPECT_EQ(*Utf8Begin("\xef\xbb\xbf{"), 3u);
}

TEST(Utf8Begin, NamesWhatIsNotRead) {
  const auto why = [](const std::string& bytes) { return std::string(Utf8Begin(bytes).status().message()); };
  for (const std::string& bytes : {"\xff\xfe{\0"s, "\xfe\xff\0{"s, "\xff\xfe"s, "{\0\"\0"s, "\0{\0\""s}) {
    EXPECT_EQ(why(bytes), "is in UTF-16, which is not read: save it as UTF-8");
  }
  for (const std::string& bytes : {"\xff\xfe\0\0"s, "\0\0\xfe\xff"s, "{\0\0\0"s, "\0\0\0{"s}) {
    EXPECT_THAT(why(bytes), testing::HasSubstr("is in UTF-32"));
  }
}

}  // namespace
}  // namespace hail
