#include "common/csv/csv.h"

#include "gtest/gtest.h"
#include "tests/unit/temp_file.h"

namespace hail {
namespace {

using testing::TempDirectory;

TEST(CsvReader, ReadsPlainAndGzipAlike) {
  TempDirectory directory;
  const std::string text = "a,b\n1,2\n3,4\n";
  for (const std::string& path : {directory.Write("t.csv", text), directory.WriteGzip("t.csv.gz", text)}) {
    absl::StatusOr<CsvReader> csv = CsvReader::Open(path, {"a", "b"});
    ASSERT_TRUE(csv.ok()) << csv.status();
    ASSERT_TRUE(*csv->Next());
    EXPECT_EQ(csv->Text(1), "2");
    ASSERT_TRUE(*csv->Next());
    EXPECT_EQ(*csv->Number(0), 3);
    EXPECT_FALSE(*csv->Next());
  }
}

TEST(CsvReader, SkipsAByteOrderMarkAndRefusesWiderCharacters) {
  TempDirectory directory;
  for (const std::string& path : {directory.Write("t.csv", "\xef\xbb\xbfnode,b\n1,2\n"),
                                  directory.WriteGzip("t.csv.gz", "\xef\xbb\xbfnode,b\n1,2\n")}) {
    absl::StatusOr<CsvReader> csv = CsvReader::Open(path, {"node"});
    ASSERT_TRUE(csv.ok()) << csv.status();
    ASSERT_TRUE(*csv->Next());
    EXPECT_EQ(csv->Text(0), "1");
  }
  // One file is shorter than a byte order mark, one holds nothing but the mark.
  EXPECT_TRUE(CsvReader::Open(directory.Write("short", "a"), {"a"}).ok());
  EXPECT_FALSE(CsvReader::Open(directory.Write("empty", "\xef\xbb\xbf"), {"a"}).ok());
  const std::string path = directory.Write("wide", std::string("\xff\xfe"
                                                               "a\0\n\0",
                                                               6));
  EXPECT_EQ(CsvReader::Open(path, {"a"}).status().message(),
            path + " is in UTF-16, which is not read: save it as UTF-8");
}

TEST(CsvReader, TakesColumnsByNameNotByPlace) {
  TempDirectory directory;
  absl::StatusOr<CsvReader> csv = CsvReader::Open(directory.Write("t", "x,b,a\n9,2,1\n"), {"a", "b"});
  ASSERT_TRUE(csv.ok());
  ASSERT_TRUE(*csv->Next());
  EXPECT_EQ(csv->Text(0), "1");
  EXPECT_TRUE(csv->Has("x"));
  EXPECT_FALSE(csv->Has("y"));
}

TEST(CsvReader, ReadsQuotedFieldsBlankFieldsAndCarriageReturns) {
  TempDirectory directory;
  absl::StatusOr<CsvReader> csv =
      CsvReader::Open(directory.Write("t", "a,b,c\r\n\"x, \"\"y\"\"\",,z\r\n"), {"a", "b", "c"});
  ASSERT_TRUE(csv.ok());
  ASSERT_TRUE(*csv->Next());
  EXPECT_EQ(csv->Text(0), "x, \"y\"");
  EXPECT_EQ(csv->Text(1), "");
  EXPECT_EQ(csv->Text(2), "z");
}

TEST(CsvReader, ReadsLinesLongerThanItsBuffer) {
  TempDirectory directory;
  const std::string wide(20'000, 'x');
  absl::StatusOr<CsvReader> csv = CsvReader::Open(directory.WriteGzip("t", "a,b\n" + wide + ",1\n"), {"a"});
  ASSERT_TRUE(csv.ok());
  ASSERT_TRUE(*csv->Next());
  EXPECT_EQ(csv->Text(0), wide);
}

TEST(CsvReader, NamesTheLineAtFault) {
  TempDirectory directory;
  absl::StatusOr<CsvReader> csv = CsvReader::Open(directory.Write("t", "a,b\n1,2\n1\n"), {"a"});
  ASSERT_TRUE(csv.ok());
  ASSERT_TRUE(*csv->Next());
  const absl::StatusOr<bool> next = csv->Next();
  ASSERT_FALSE(next.ok());
  EXPECT_NE(next.status().message().find(":3:"), absl::string_view::npos) << next.status();
}

TEST(CsvReader, RefusesAMissingColumnAMissingFileAndANonNumber) {
  TempDirectory directory;
  EXPECT_FALSE(CsvReader::Open(directory.Write("t", "a\n1\n"), {"b"}).ok());
  EXPECT_FALSE(CsvReader::Open(directory.path("none"), {"a"}).ok());
  absl::StatusOr<CsvReader> csv = CsvReader::Open(directory.Write("u", "a\nnan\n"), {"a"});
  ASSERT_TRUE(*csv->Next());
  EXPECT_FALSE(csv->Number(0).ok());
}

TEST(CsvReader, NoticesATruncatedGzip) {
  TempDirectory directory;
  std::string text = "a\n";
  for (int i = 0; i < 50'000; ++i) text += std::to_string(i * 7919 % 100'003) + "\n";
  const std::string path = directory.WriteGzip("t.gz", text);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  absl::StatusOr<CsvReader> csv = CsvReader::Open(path, {"a"});
  // The reader notices when it reads the end; in a small file, Open() already reads it.
  absl::StatusOr<bool> more = csv.ok();
  if (!csv.ok()) more = csv.status();
  while (more.ok() && *more) more = csv->Next();
  EXPECT_FALSE(more.ok());
}

}  // namespace
}  // namespace hail
