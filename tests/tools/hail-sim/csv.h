// Tables in comma-separated text with a header line, plain or gzip.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hail::sim {

// Reads one file, row after row. Quoted fields (RFC 4180) may hold commas and doubled quotes, not line breaks.
class CsvReader {
 public:
  // NOT_FOUND when it cannot be opened; INVALID_ARGUMENT unless the header has each of `columns`.
  static absl::StatusOr<CsvReader> Open(const std::string& path, const std::vector<std::string>& columns);

  CsvReader(CsvReader&&) noexcept;
  CsvReader& operator=(CsvReader&&) noexcept;
  ~CsvReader();

  // Moves on to the next row; false at the end. INVALID_ARGUMENT (with the line's number) for a row of another width or
  // a damaged file.
  absl::StatusOr<bool> Next();

  // The present row's field. `column` must be one of the columns asked for.
  const std::string& Text(const std::string& column) const;
  // The field as a number. INVALID_ARGUMENT with column and line.
  absl::StatusOr<double> Number(const std::string& column) const;

 private:
  struct File;
  CsvReader();
  absl::StatusOr<bool> Line(std::string& line);
  absl::Status Wrong(const std::string& what) const;

  std::unique_ptr<File> file_;
  std::string path_;
  std::size_t width_ = 0;
  std::size_t line_number_ = 0;
  std::map<std::string, std::size_t> index_;
  std::vector<std::string> row_;
};

}  // namespace hail::sim
