#include "tests/tools/hail-sim/ledger.h"

#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace hail::sim {

absl::StatusOr<Ledger> Ledger::Open(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return absl::InternalError(absl::StrCat("cannot make ", directory, ": ", error.message()));
  Ledger ledger;
  const char* const names[] = {"riders.ndjson", "drivers.ndjson", "plan.ndjson"};
  for (int book = kRiders; book <= kPlan; ++book) {
    const std::string path = directory + "/" + names[book];
    std::FILE* file = std::fopen(path.c_str(), "a");
    if (file == nullptr) return absl::InternalError(absl::StrCat("cannot open ", path, ": ", std::strerror(errno)));
    ledger.files_[book].reset(file);
    std::fseek(file, 0, SEEK_END);
    if (std::ftell(file) != 0) return absl::AlreadyExistsError(absl::StrCat(path, " holds another run"));
  }
  return ledger;
}

void Ledger::Write(Book book, absl::Time wall, const std::string& agent, const char* kind, nlohmann::json fields) {
  std::FILE* file = files_[book].get();
  if (file == nullptr) return;
  fields["t"] = absl::ToUnixMicros(wall);
  fields["agent"] = agent;
  fields["kind"] = kind;
  const std::string line = fields.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  std::fwrite(line.data(), 1, line.size(), file);
}

void Ledger::Flush() {
  for (auto& file : files_) {
    if (file) std::fflush(file.get());
  }
}

}  // namespace hail::sim
