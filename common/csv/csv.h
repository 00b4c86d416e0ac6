// Tables in comma-separated text with a header line, plain or gzip.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hail {

// Reads one file, row after row. Quoted fields (RFC 4180) may hold commas and doubled quotes, not line breaks.
// A byte order mark before the header is skipped.
class CsvReader {
 public:
  // Each row keeps the fields of `columns` only. NOT_FOUND if the file cannot be opened; INVALID_ARGUMENT for UTF-16
  // and UTF-32, and unless the header has each column.
  static absl::StatusOr<CsvReader> Open(const std::string& path, const std::vector<std::string>& columns);

  CsvReader(CsvReader&&) noexcept;
  CsvReader& operator=(CsvReader&&) noexcept;
  ~CsvReader();

  // Moves to the next row; false at the end. INVALID_ARGUMENT (with the line number) for a row with a different number
  // of fields or a damaged file.
  absl::StatusOr<bool> Next();

  // Whether the header has this column, whether in `columns` or not.
  bool Has(const std::string& column) const;
  // INVALID_ARGUMENT for the present row: `what`, with file and line in front: "roads.csv:7: no such node".
  absl::Status Wrong(const std::string& what) const;

  // The present row's field of the `column`-th entry of `columns`.
  const std::string& Text(std::size_t column) const { return fields_[column]; }
  // The field as a number. INVALID_ARGUMENT with column and line.
  absl::StatusOr<double> Number(std::size_t column) const;

 private:
  struct File;
  CsvReader();
  // Skips the byte order mark.
  absl::Status SkipMark();
  // Reads the next line into line_.
  absl::StatusOr<bool> Line();

  std::unique_ptr<File> file_;
  std::string path_;
  std::vector<std::string> columns_;
  // The position in a row of each column.
  std::vector<std::size_t> places_;
  std::vector<std::string> header_;
  std::size_t line_number_ = 0;
  std::string line_;
  std::vector<std::string> row_;
  std::vector<std::string> fields_;
};

}  // namespace hail
