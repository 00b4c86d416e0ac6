#include "common/text/text.h"

#include <string>
#include <vector>

#include "common/errors/error.h"
#include "common/text/unicode.h"
#include "gtest/gtest.h"
#include "tests/matchers.h"

namespace hail {
namespace {

using std::string_literals::operator""s;

// Characters that a terminal obeys, or that make one text look like another.
const std::vector<std::string>& Bad() {
  static const auto* const bad = new std::vector<std::string>{
      "a\0b"s,            // NUL
      "\x1B[2J",          // ESC
      "a\nride  forged",  // a line of its own
      "a\tb",             //
      "\x7F",             // DEL
      "\xC2\x9B",         // U+009B, C1's CSI
      "\xC2\xAD",         // U+00AD soft hyphen
      "\xD8\x9C",         // U+061C Arabic letter mark
      "ada\xE2\x80\x8B",  // U+200B zero-width space
      "\xE2\x80\x8E",     // U+200E left-to-right mark
      "\xE2\x80\xA8",     // U+2028 line separator
      "\xE2\x80\xA9",     // U+2029 paragraph separator
      "\xE2\x80\xAE"
      "ada",           // U+202E right-to-left override
      "\xE2\x81\xA0",  // U+2060 word joiner
      "\xE2\x81\xA6",  // U+2066 left-to-right isolate
      "\xE2\x81\xA9",  // U+2069
      "\xEF\xBB\xBF"
      "ada",               // U+FEFF byte order mark
      "\xF3\xA0\x81\xA1",  // U+E0061 tag
  };
  return *bad;
}

TEST(CheckTextTest, RefusesWhatIsNotSeenNamingTheField) {
  for (const std::string& bad : Bad()) {
    const absl::Status status = CheckText(bad, 64, "pickup.address");
    ASSERT_FALSE(status.ok()) << testing::PrintToString(bad);
    EXPECT_THAT(status, HasReason(Reason::kInvalidField));
    EXPECT_EQ(DetailsOf(status)->field, "pickup.address");
  }
}

TEST(CheckTextTest, TakesWhatPeopleWrite) {
  for (const std::string& good : {
           ""s, "1 Ferry Building, San Francisco"s,
           "J\xC3\xBCrgen-Stra\xC3\x9F"
           "e"s,
           "\xE6\x9D\xB1\xE4\xBA\xAC\xE3\x80\x80\xE9\xA7\x85"s,                       // with U+3000
           "\xD9\x85\xDB\x8C\xE2\x80\x8C\xD8\xAE\xD9\x88\xD8\xA7\xD9\x87\xD9\x85"s,   // Persian, with ZWNJ
           "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x9A\x80 \xE2\x9D\xA4\xEF\xB8\x8F"s,  // emoji, with ZWJ, VS16
           "\xD8\x80"s,                                                               // U+0600 has a shape
       }) {
    EXPECT_TRUE(CheckText(good, 64, "f").ok()) << good;
  }
}

TEST(CheckTextTest, LimitsTheBytesAndWantsUtf8) {
  EXPECT_TRUE(CheckText(std::string(64, 'x'), 64, "f").ok());
  EXPECT_FALSE(CheckText(std::string(65, 'x'), 64, "f").ok());
  EXPECT_FALSE(CheckText("\xC3(", 64, "f").ok());
}

TEST(ShownTest, EscapesAllThatCheckTextRefuses) {
  for (const std::string& bad : Bad()) {
    const std::string shown = Shown(bad);
    EXPECT_TRUE(CheckText(shown, 1000, "f").ok()) << shown;
    EXPECT_NE(shown.find("\\u"), std::string::npos) << shown;
    EXPECT_EQ(Shown(shown), shown);
  }
  EXPECT_EQ(Shown("\x1B[2J\n"), "\\u001b[2J\\u000a");
  EXPECT_EQ(Shown("\xF3\xA0\x81\xA1"), "\\udb40\\udc61");
  EXPECT_EQ(Shown("caf\xC3\xA9 \xFF"), "caf\xC3\xA9 \xEF\xBF\xBD");
}

TEST(ShownLinesTest, KeepsOnlyNewlines) { EXPECT_EQ(ShownLines("a\nb\r\x1B"), "a\nb\\u000d\\u001b"); }

TEST(CheckNoteTest, IsShort) {
  EXPECT_THAT(CheckNote(std::string(512, 'x'), "note"), IsOk());
  for (const std::string& bad : {std::string(513, 'x'), "lost\nthe rider"s}) {
    const absl::Status refused = CheckNote(bad, "note");
    EXPECT_THAT(refused, HasReason(Reason::kInvalidField));
    EXPECT_EQ(DetailsOf(refused)->field, "note");
  }
}

TEST(CodePointAtTest, ReadsOnlyWhatUtf8Allows) {
  char32_t code = 0;
  EXPECT_EQ(CodePointAt("\xF4\x8F\xBF\xBF", &code), 4u);
  EXPECT_EQ(code, 0x10FFFFu);
  for (const std::string& bad :
       {""s, "\x80"s, "\xC3"s, "\xC0\xAF"s, "\xE0\x80\xAF"s, "\xED\xA0\x80"s, "\xF4\x90\x80\x80"s, "\xFF"s}) {
    EXPECT_EQ(CodePointAt(bad, &code), 0u) << testing::PrintToString(bad);
  }
}

}  // namespace
}  // namespace hail
