#include "common/text/base64url.h"

#include <random>

#include "gtest/gtest.h"

namespace hail {
namespace {

TEST(Base64Url, IsReadAsItIsWritten) {
  std::mt19937 random(1);
  for (std::size_t size = 0; size < 70; ++size) {
    std::string bytes;
    while (bytes.size() < size) bytes += static_cast<char>(random());
    std::string read = "what was there before";
    ASSERT_TRUE(FromBase64Url(ToBase64Url(bytes), &read));
    EXPECT_EQ(read, bytes);
  }
  EXPECT_EQ(ToBase64Url("\xfb\xff"), "-_8");
}

TEST(Base64Url, HasOneFormOnly) {
  std::string bytes;
  EXPECT_TRUE(FromBase64Url("QQ", &bytes));
  EXPECT_EQ(bytes, "A");
  for (const char* other :
       {"QQ==", "QQ=", "QR", "Qf", "Q", "QQ ", " QQ", "Q Q", "QQ\n", "-_8=", "+/8", "QQ.", "Q.Q="}) {
    EXPECT_FALSE(FromBase64Url(other, &bytes)) << other;
  }
}

}  // namespace
}  // namespace hail
