#include "tests/tools/hail-sim/csv.h"

#include <zlib.h>

#include <array>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace hail::sim {
namespace {

std::vector<std::string> Split(const std::string& line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted) {
      if (c != '"') {
        fields.back() += c;
      } else if (i + 1 < line.size() && line[i + 1] == '"') {
        fields.back() += '"';
        ++i;
      } else {
        quoted = false;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == ',') {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  return fields;
}

}  // namespace

struct CsvReader::File {
  explicit File(gzFile opened) : handle(opened) {}
  ~File() { gzclose(handle); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  gzFile handle;
};

CsvReader::CsvReader() = default;
CsvReader::CsvReader(CsvReader&&) noexcept = default;
CsvReader& CsvReader::operator=(CsvReader&&) noexcept = default;
CsvReader::~CsvReader() = default;

absl::Status CsvReader::Wrong(const std::string& what) const {
  return absl::InvalidArgumentError(absl::StrCat(path_, ":", line_number_, ": ", what));
}

absl::StatusOr<CsvReader> CsvReader::Open(const std::string& path, const std::vector<std::string>& columns) {
  CsvReader reader;
  reader.path_ = path;
  // zlib reads a file that is not gzip as it is.
  gzFile handle = gzopen(path.c_str(), "rb");
  if (handle == nullptr) return absl::NotFoundError(absl::StrCat("cannot open ", path));
  reader.file_ = std::make_unique<File>(handle);
  gzbuffer(handle, 1 << 18);
  std::string line;
  absl::StatusOr<bool> read = reader.Line(line);
  if (!read.ok()) return read.status();
  const std::vector<std::string> header = Split(line);
  reader.width_ = header.size();
  for (std::size_t i = 0; i < header.size(); ++i) reader.index_[header[i]] = i;
  for (const std::string& column : columns) {
    if (!reader.index_.contains(column)) return reader.Wrong(absl::StrCat("no column '", column, "' in the header"));
  }
  return reader;
}

absl::StatusOr<bool> CsvReader::Line(std::string& line) {
  line.clear();
  std::array<char, 4096> buffer;
  while (gzgets(file_->handle, buffer.data(), buffer.size()) != nullptr) {
    line += buffer.data();
    if (!line.empty() && line.back() == '\n') break;
  }
  int code = Z_OK;
  const char* message = gzerror(file_->handle, &code);
  if (code != Z_OK && code != Z_STREAM_END) return Wrong(absl::StrCat("damaged file: ", message));
  if (line.empty()) return false;
  ++line_number_;
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
  return true;
}

absl::StatusOr<bool> CsvReader::Next() {
  std::string line;
  do {
    absl::StatusOr<bool> read = Line(line);
    if (!read.ok() || !*read) return read;
  } while (line.empty());
  row_ = Split(line);
  if (row_.size() != width_) return Wrong(absl::StrCat(row_.size(), " fields, the header has ", width_));
  return true;
}

const std::string& CsvReader::Text(const std::string& column) const { return row_[index_.at(column)]; }

absl::StatusOr<double> CsvReader::Number(const std::string& column) const {
  double value = 0;
  if (!absl::SimpleAtod(Text(column), &value) || !std::isfinite(value)) {
    return Wrong(absl::StrCat(column, " is not a number: '", Text(column), "'"));
  }
  return value;
}

}  // namespace hail::sim
