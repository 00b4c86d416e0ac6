#include "common/csv/csv.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/errors/status_macros.h"
#include "common/text/utf8.h"

namespace hail {
namespace {

// The fields of `line`. Reuses the strings of `fields`: the files have half a million rows, and most are skipped.
void Split(const std::string& line, std::vector<std::string>& fields) {
  std::size_t count = 0;
  const auto open_field = [&]() -> std::string& {
    if (count == fields.size()) fields.emplace_back();
    fields[count].clear();
    return fields[count++];
  };
  std::string* field = &open_field();
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted) {
      if (c != '"') {
        *field += c;
      } else if (i + 1 < line.size() && line[i + 1] == '"') {
        *field += '"';
        ++i;
      } else {
        quoted = false;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == ',') {
      field = &open_field();
    } else {
      *field += c;
    }
  }
  fields.resize(count);
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
  // zlib reads uncompressed files unchanged.
  gzFile handle = gzopen(path.c_str(), "rb");
  if (handle == nullptr) return absl::NotFoundError(absl::StrCat("cannot open ", path));
  reader.file_ = std::make_unique<File>(handle);
  gzbuffer(handle, 1 << 18);
  HAIL_RETURN_IF_ERROR(reader.SkipMark());
  HAIL_RETURN_IF_ERROR(reader.Line().status());
  std::vector<std::string>& header = reader.header_;
  Split(reader.line_, header);
  reader.columns_ = columns;
  for (const std::string& column : columns) {
    const auto place = std::find(header.begin(), header.end(), column);
    if (place == header.end()) return reader.Wrong(absl::StrCat("no column '", column, "' in the header"));
    reader.places_.push_back(static_cast<std::size_t>(place - header.begin()));
  }
  reader.fields_.resize(columns.size());
  return reader;
}

absl::Status CsvReader::SkipMark() {
  std::array<char, 4> first;
  const int count = gzread(file_->handle, first.data(), first.size());
  // Line reports damaged files.
  if (count <= 0) return absl::OkStatus();
  const absl::StatusOr<std::size_t> begin = Utf8Begin({first.data(), static_cast<std::size_t>(count)});
  if (!begin.ok()) return absl::InvalidArgumentError(absl::StrCat(path_, " ", begin.status().message()));
  for (int i = count; i > static_cast<int>(*begin); --i) {
    gzungetc(static_cast<unsigned char>(first[static_cast<std::size_t>(i - 1)]), file_->handle);
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> CsvReader::Line() {
  line_.clear();
  std::array<char, 4096> buffer;
  while (gzgets(file_->handle, buffer.data(), buffer.size()) != nullptr) {
    line_ += buffer.data();
    if (!line_.empty() && line_.back() == '\n') break;
  }
  int code = Z_OK;
  const char* message = gzerror(file_->handle, &code);
  if (code != Z_OK && code != Z_STREAM_END) return Wrong(absl::StrCat("damaged file: ", message));
  if (line_.empty()) return false;
  ++line_number_;
  while (!line_.empty() && (line_.back() == '\n' || line_.back() == '\r')) line_.pop_back();
  return true;
}

absl::StatusOr<bool> CsvReader::Next() {
  do {
    absl::StatusOr<bool> read = Line();
    if (!read.ok() || !*read) return read;
  } while (line_.empty());
  Split(line_, row_);
  if (row_.size() != header_.size())
    return Wrong(absl::StrCat(row_.size(), " fields, the header has ", header_.size()));
  for (std::size_t i = 0; i < places_.size(); ++i) fields_[i] = row_[places_[i]];
  return true;
}

bool CsvReader::Has(const std::string& column) const {
  return std::find(header_.begin(), header_.end(), column) != header_.end();
}

absl::StatusOr<double> CsvReader::Number(std::size_t column) const {
  double value = 0;
  if (!absl::SimpleAtod(Text(column), &value) || !std::isfinite(value)) {
    return Wrong(absl::StrCat(columns_[column], " is not a number: '", Text(column), "'"));
  }
  return value;
}

}  // namespace hail
