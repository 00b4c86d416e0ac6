#include "tests/tools/tokens/token_source.h"

#include <sys/stat.h>

#include <fstream>
#include <sstream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace hail {
namespace {

// More bearers than a run has at a time.
constexpr std::size_t kMostSigned = 65'536;

}  // namespace

std::optional<TokenSource::FileState> TokenSource::StateOf(const std::string& file) {
  struct stat state = {};
  if (stat(file.c_str(), &state) != 0) return std::nullopt;
  return FileState{state.st_ino, state.st_size, absl::TimeFromTimespec(state.st_mtim)};
}

absl::StatusOr<std::shared_ptr<TokenSource>> TokenSource::Make(const Options& options) {
  if (!options.file.empty() && !options.key.empty()) {
    return absl::InvalidArgumentError("tokens come from a file or are signed with a key, not both");
  }
  std::shared_ptr<TokenSource> source(new TokenSource(options));
  // Once, not with each call.
  if (!options.key.empty()) source->key_file_ = TokenKey::FileOf(options.key);
  const absl::MutexLock lock(&source->mutex_);
  if (!options.key.empty()) {
    if (absl::Status status = source->ReadKey(); !status.ok()) return status;
  }
  if (!options.file.empty()) {
    if (absl::Status status = source->ReadFile(); !status.ok()) return status;
  }
  return source;
}

std::string TokenSource::Authorization(const TokenFor& bearer, absl::Time now) {
  if (options_.file.empty() && options_.key.empty()) return "";
  const absl::MutexLock lock(&mutex_);
  if (!key_) {
    // A file that is being replaced: the token before it is as good as any.
    ReadFile().IgnoreError();
    return "Bearer " + token_;
  }
  ReadKey().IgnoreError();
  if (signed_.size() >= kMostSigned) signed_.clear();
  Signed& known = signed_[{bearer.role, bearer.subject}];
  if (known.token.empty() || now >= known.renew) {
    known = {key_->Token(bearer, now, options_.valid_for), now + options_.valid_for / 2};
  }
  return "Bearer " + known.token;
}

absl::Status TokenSource::ReadKey() {
  const std::optional<FileState> state = StateOf(key_file_);
  if (state && state == read_state_) return absl::OkStatus();
  absl::StatusOr<TokenKey> key = TokenKey::Read(key_file_);
  if (!key.ok()) return absl::InvalidArgumentError(key.status().message());
  key_ = *std::move(key);
  signed_.clear();
  read_state_ = state;
  return absl::OkStatus();
}

absl::Status TokenSource::ReadFile() {
  const std::optional<FileState> state = StateOf(options_.file);
  if (!state) return absl::InvalidArgumentError(absl::StrCat(options_.file, ": cannot be read"));
  if (state == read_state_) return absl::OkStatus();
  std::ostringstream text;
  text << std::ifstream(options_.file).rdbuf();
  std::string token(absl::StripAsciiWhitespace(text.str()));
  if (token.empty()) return absl::InvalidArgumentError(absl::StrCat(options_.file, ": has no token"));
  token_ = std::move(token);
  read_state_ = state;
  return absl::OkStatus();
}

}  // namespace hail
