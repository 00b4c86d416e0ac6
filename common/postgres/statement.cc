#include "common/postgres/statement.h"

#include <libpq-fe.h>

#include <bit>
#include <charconv>

namespace hail::postgres {
namespace {

// The literal of an array: {"a","b"}. Elements are quoted, so that commas and the word NULL have no meaning inside.
std::string ArrayOf(const std::vector<std::string>& values) {
  std::string literal = "{";
  for (const std::string& value : values) {
    if (literal.size() > 1) literal += ',';
    literal += '"';
    for (const char c : value) {
      if (c == '"' || c == '\\') literal += '\\';
      literal += c;
    }
    literal += '"';
  }
  return literal + "}";
}

std::uint64_t BigEndian(std::string_view bytes) {
  std::uint64_t number = 0;
  for (const char c : bytes) number = number << 8 | static_cast<unsigned char>(c);
  return number;
}

}  // namespace

void Params::Add(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  Text(std::string(text, end));
}

void Params::Add(const std::vector<std::string>& values) { Text(ArrayOf(values)); }

void Params::Add(const std::vector<std::int64_t>& values) {
  std::vector<std::string> texts;
  for (const std::int64_t value : values) texts.push_back(std::to_string(value));
  Text(ArrayOf(texts));
}

void Rows::Clear(pg_result* result) { PQclear(result); }

int Rows::size() const { return PQntuples(result_.get()); }

bool Rows::IsNull(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }

std::string_view Rows::Bytes(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column), static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

std::int64_t Rows::Int64(int row, int column) const {
  const std::string_view bytes = Bytes(row, column);
  const std::uint64_t number = BigEndian(bytes);
  switch (bytes.size()) {
    case 2:
      return static_cast<std::int16_t>(number);
    case 4:
      return static_cast<std::int32_t>(number);
    default:
      return static_cast<std::int64_t>(number);
  }
}

double Rows::Double(int row, int column) const { return std::bit_cast<double>(BigEndian(Bytes(row, column))); }

}  // namespace hail::postgres
