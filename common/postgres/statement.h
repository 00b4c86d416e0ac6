// Statements, parameters and rows of PostgreSQL, independent of the connection.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct pg_result;

namespace hail::postgres {

// The text of a statement, with $1, $2 … for its values. One object per text, which outlives every pool that uses it:
// connections prepare it when they open, and identify it by its address.
struct Statement {
  std::string sql;
};

// Bytes, as opposed to text.
struct Blob {
  std::string_view bytes;
};

// The values for a statement's parameters, copied.
class Params {
 public:
  Params() = default;
  template <typename... Values>
  static Params Of(const Values&... values) {
    Params params;
    (params.Add(values), ...);
    return params;
  }

  template <std::integral T>
  void Add(T value) {
    Text(std::to_string(static_cast<std::int64_t>(value)));
  }
  void Add(double value);
  void Add(std::string_view value) { Text(std::string(value)); }
  void Add(const std::string& value) { Text(value); }
  void Add(const char* value) { Text(value); }
  void Add(Blob value) { values_.push_back({.bytes = std::string(value.bytes), .binary = true}); }
  void Add(std::nullopt_t) { values_.push_back({.null = true}); }
  // As text[] or bigint[].
  void Add(const std::vector<std::string>& values);
  void Add(const std::vector<std::int64_t>& values);
  template <typename T>
  void Add(const std::optional<T>& value) {
    if (value) {
      Add(*value);
    } else {
      Add(std::nullopt);
    }
  }

 private:
  friend class Connection;
  struct Value {
    std::string bytes;
    bool binary = false;
    bool null = false;
  };
  void Text(std::string text) { values_.push_back({.bytes = std::move(text)}); }

  std::vector<Value> values_;
};

struct Command {
  const Statement* statement = nullptr;
  Params params;
};

// The rows of a command's result. Rows and columns are counted from 0; views live as long as this.
class Rows {
 public:
  explicit Rows(pg_result* result) : result_(result, Clear) {}

  int size() const;
  bool IsNull(int row, int column) const;
  // Of smallint, integer and bigint; NULL reads as 0.
  std::int64_t Int64(int row, int column) const;
  // Of double precision; NULL reads as 0.
  double Double(int row, int column) const;
  // Of text and bytea; NULL reads as empty.
  std::string_view Bytes(int row, int column) const;

 private:
  static void Clear(pg_result* result);
  std::unique_ptr<pg_result, void (*)(pg_result*)> result_;
};

}  // namespace hail::postgres
