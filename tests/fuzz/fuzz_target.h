// Common parts of the fuzz targets. A target is one file that defines LLVMFuzzerTestOneInput: linked with libFuzzer
// (clang, `make fuzz`) or with standalone_main.cc (any compiler, `make test`).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace hail::fuzz {

// Ends the process unless `holds`. libFuzzer or standalone_main.cc then reports the input.
inline void Require(bool holds, const char* what, const std::string& detail = {}) {
  if (holds) return;
  std::fprintf(stderr, "REQUIRED AND NOT SO: %s %s\n", what, detail.c_str());
  std::abort();
}

// Takes values off the front of an input. At its end all values are 0 or empty, so that any bytes are a valid input.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}

  bool empty() const { return left_ == 0; }

  std::uint8_t Byte() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }
  // Consumes one byte: 0 … n − 1, n at most 256.
  int Below(int n) { return Byte() % n; }
  bool Coin() { return (Byte() & 1) != 0; }
  // Consumes eight bytes, or as many as there are.
  std::int64_t Int64() { return Plain<std::int64_t>(); }
  double Double() { return Plain<double>(); }
  // One byte for the length, then that many bytes.
  std::string Text() {
    const std::size_t size = Byte();
    return Take(size);
  }
  std::string Rest() { return Take(left_); }

 private:
  template <typename Number>
  Number Plain() {
    Number number = 0;
    const std::size_t size = left_ < sizeof number ? left_ : sizeof number;
    if (size > 0) std::memcpy(&number, data_, size);
    data_ += size;
    left_ -= size;
    return number;
  }
  std::string Take(std::size_t size) {
    if (size > left_) size = left_;
    std::string text;
    if (size > 0) text.assign(reinterpret_cast<const char*>(data_), size);
    data_ += size;
    left_ -= size;
    return text;
  }

  const std::uint8_t* data_;
  std::size_t left_;
};

}  // namespace hail::fuzz
