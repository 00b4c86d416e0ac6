#include <cstdint>
#include <string>

#include "common/errors/error.h"
#include "common/ids/shown_id.h"
#include "common/ids/uuid.h"
#include "gtest/gtest.h"
#include "tests/matchers.h"

namespace hail {
namespace {

RandomBits Fixed(std::uint64_t bits) {
  return [bits] { return bits; };
}

TEST(UuidV7Test, IsTheExampleOfTheRfc) {
  // RFC 9562, appendix A.6: 2022-02-22 19:22:22 UTC, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F.
  int call = 0;
  const RandomBits random = [&call]() -> std::uint64_t { return call++ == 0 ? 0xCC3 : 0x18C4DC0C0C07398F << 2; };
  EXPECT_EQ(UuidV7(absl::FromUnixMillis(0x017F22E279B0), random), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
}

TEST(UuidV7Test, SetsVersionAndVariantWhateverTheBits) {
  for (const std::uint64_t bits : {std::uint64_t{0}, ~std::uint64_t{0}}) {
    const std::string id = UuidV7(absl::FromUnixMillis(1'700'000'000'000), Fixed(bits));
    ASSERT_EQ(id.size(), 36u);
    EXPECT_EQ(id[14], '7');
    EXPECT_NE(std::string("89ab").find(id[19]), std::string::npos) << id;
  }
  EXPECT_EQ(UuidV7(absl::UnixEpoch(), Fixed(0)), "00000000-0000-7000-8000-000000000000");
  EXPECT_EQ(UuidV7(absl::UnixEpoch() - absl::Hours(1), Fixed(0)), "00000000-0000-7000-8000-000000000000");
}

TEST(UuidV7Test, SortsByTime) {
  const absl::Time now = absl::FromUnixMillis(1'700'000'000'000);
  EXPECT_LT(UuidV7(now, Fixed(~std::uint64_t{0})), UuidV7(now + absl::Milliseconds(1), Fixed(0)));
}

TEST(SystemRandomTest, Differs) {
  const RandomBits random = SystemRandom();
  const std::uint64_t first = random();
  EXPECT_NE(first, random());
  EXPECT_NE(UuidV7(absl::UnixEpoch(), random), UuidV7(absl::UnixEpoch(), random));
}

bool Good(std::string_view id) {
  const absl::Status status = CheckId(id, "rider_id");
  if (!status.ok()) {
    EXPECT_THAT(status, HasReason(Reason::kInvalidField));
    EXPECT_EQ(DetailsOf(status)->field, "rider_id");
  }
  return status.ok();
}

TEST(CheckIdTest, TakesWhatPeopleUse) {
  EXPECT_TRUE(Good("r"));
  EXPECT_TRUE(Good("rider-1_A.b:c/d@e%20"));
  EXPECT_TRUE(Good("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"));
  EXPECT_TRUE(Good("J\xC3\xBCrgen"));
  EXPECT_TRUE(Good("\xE6\x9D\xB1\xE4\xBA\xAC"));
  EXPECT_TRUE(Good("\xF0\x9F\x9A\x95"));
  EXPECT_TRUE(Good("\xF4\x8F\xBF\xBF"));
}

TEST(CheckIdTest, LimitsTheBytes) {
  EXPECT_FALSE(Good(""));
  EXPECT_TRUE(Good(std::string(128, 'a')));
  EXPECT_FALSE(Good(std::string(129, 'a')));
  // 65 letters, 130 bytes.
  std::string wide;
  for (int i = 0; i < 65; ++i) wide += "\xC3\xBC";
  EXPECT_FALSE(Good(wide));
}

TEST(CheckIdTest, RefusesWhiteSpaceAndControlCharacters) {
  for (const std::string& bad :
       {std::string(" "), std::string("a b"), std::string("a\t"), std::string("a\n"), std::string("a\0b", 3),
        std::string("\x7F"), std::string("a\xC2\x85"), std::string("a\xC2\xA0"), std::string("a\xE2\x80\x83"),
        std::string("a\xE3\x80\x80")}) {
    EXPECT_FALSE(Good(bad)) << testing::PrintToString(bad);
  }
}

// "ada" and "ada" with one of these characters would be two riders that look alike.
TEST(CheckIdTest, RefusesWhatIsNotSeen) {
  for (const std::string& bad : {
           std::string("ada\xE2\x80\x8B"),       // U+200B zero-width space
           std::string("ada\xE2\x80\x8C"),       // U+200C, which texts may have
           std::string("ada\xE2\x80\x8D"),       // U+200D, which texts may have
           std::string("\xE2\x80\xAE") + "ada",  // U+202E right-to-left override
           std::string("ada\xE2\x81\xA6"),       // U+2066 left-to-right isolate
           std::string("ada\xE2\x81\xA0"),       // U+2060 word joiner
           std::string("\xEF\xBB\xBF") + "ada",  // U+FEFF
           std::string("ada\xEF\xB8\x8F"),       // U+FE0F variation selector
           std::string("ada\xE3\x85\xA4"),       // U+3164 Hangul filler
           std::string("ada\xC2\x9B"),           // C1
       }) {
    EXPECT_FALSE(Good(bad)) << testing::PrintToString(bad);
  }
}

TEST(CheckIdTest, RefusesWhatIsNotUtf8) {
  for (const std::string& bad : {
           std::string("\x80"),              // a tail without a lead
           std::string("a\xC3"),             // cut short
           std::string("\xC3(") + "x",       // no tail after a lead
           std::string("\xC0\xAF"),          // overlong /
           std::string("\xE0\x80\xAF"),      // overlong /
           std::string("\xF0\x80\x80\xAF"),  // overlong /
           std::string("\xED\xA0\x80"),      // a surrogate
           std::string("\xF4\x90\x80\x80"),  // beyond U+10FFFF
           std::string("\xFF\xFE"),
       }) {
    EXPECT_FALSE(Good(bad)) << testing::PrintToString(bad);
  }
}

TEST(ShownIdTest, CutsWhatIsTooLongBetweenCharacters) {
  EXPECT_EQ(ShownId(""), "");
  EXPECT_EQ(ShownId("two words"), "two words");
  const std::string longest(128, 'x');
  EXPECT_EQ(ShownId(longest), longest);
  EXPECT_EQ(ShownId(longest + "y"), longest);
  // The 128th byte is within a character of two, three or four bytes.
  EXPECT_EQ(ShownId(std::string(127, 'x') + "\xC3\xA9"), std::string(127, 'x'));
  EXPECT_EQ(ShownId(std::string(127, 'x') + "\xE2\x82\xAC"), std::string(127, 'x'));
  EXPECT_EQ(ShownId(std::string(126, 'x') + "\xF0\x9F\x9A\x95"), std::string(126, 'x'));
  EXPECT_EQ(ShownId(std::string(126, 'x') + "\xC3\xA9z"), std::string(126, 'x') + "\xC3\xA9");
}

}  // namespace
}  // namespace hail
