#include "common/auth/key_origin.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/auth/key_set.h"
#include "common/errors/check.h"

namespace hail::auth {
namespace {

constexpr char kHttps[] = "https://";
constexpr long kTimeoutMs = 5'000;
constexpr long kOk = 200;

absl::Status Unavailable(absl::string_view what) { return absl::UnavailableError(what); }

class File final : public KeyOrigin {
 public:
  explicit File(std::string path) : path_(std::move(path)) {}

  absl::StatusOr<Content> Read() override {
    // A FIFO without a writer would block.
    const int file = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) return Unavailable(absl::StrCat(path_, ": ", std::strerror(errno)));
    absl::StatusOr<Content> content = ReadFrom(file);
    close(file);
    return content;
  }

  void Cancel() override {}
  bool local() const override { return true; }

 private:
  absl::StatusOr<Content> ReadFrom(int file) const {
    struct stat state = {};
    if (fstat(file, &state) != 0 || !S_ISREG(state.st_mode)) return Unavailable(absl::StrCat(path_, ": not a file"));
    Content content;
    std::array<char, 16 * 1024> part;
    while (true) {
      const ssize_t got = read(file, part.data(), part.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return Unavailable(absl::StrCat(path_, ": ", std::strerror(errno)));
      if (got == 0) return content;
      content.text.append(part.data(), static_cast<std::size_t>(got));
      if (content.text.size() > KeySet::kMaxBytes) return Unavailable(absl::StrCat(path_, ": more than 256 KiB"));
    }
  }

  const std::string path_;
};

class Url final : public KeyOrigin {
 public:
  Url(std::string url, std::string ca_file) : url_(std::move(url)), ca_file_(std::move(ca_file)) {
    static const CURLcode begun = curl_global_init(CURL_GLOBAL_DEFAULT);
    HAIL_CHECK(begun == CURLE_OK);
  }

  absl::StatusOr<Content> Read() override {
    const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
    HAIL_CHECK(curl != nullptr);
    Content content;
    std::array<char, CURL_ERROR_SIZE> error = {};
    Set(curl.get(), CURLOPT_URL, url_.c_str());
    Set(curl.get(), CURLOPT_PROTOCOLS_STR, "https");
    Set(curl.get(), CURLOPT_FOLLOWLOCATION, 0L);
    Set(curl.get(), CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!ca_file_.empty()) {
      Set(curl.get(), CURLOPT_CAINFO, ca_file_.c_str());
      // Otherwise the system's folder of certificates is trusted, too.
      Set(curl.get(), CURLOPT_CAPATH, static_cast<char*>(nullptr));
    }
    Set(curl.get(), CURLOPT_TIMEOUT_MS, kTimeoutMs);
    // Its alarms would be for the whole process.
    Set(curl.get(), CURLOPT_NOSIGNAL, 1L);
    Set(curl.get(), CURLOPT_USERAGENT, "hail");
    Set(curl.get(), CURLOPT_ERRORBUFFER, error.data());
    Set(curl.get(), CURLOPT_WRITEFUNCTION, &Url::Take);
    Set(curl.get(), CURLOPT_WRITEDATA, &content.text);
    Set(curl.get(), CURLOPT_NOPROGRESS, 0L);
    Set(curl.get(), CURLOPT_XFERINFOFUNCTION, &Url::Goes);
    Set(curl.get(), CURLOPT_XFERINFODATA, this);
    if (const CURLcode result = curl_easy_perform(curl.get()); result != CURLE_OK) {
      if (result == CURLE_WRITE_ERROR) return Unavailable(absl::StrCat(url_, ": more than 256 KiB"));
      return Unavailable(absl::StrCat(url_, ": ", error[0] == '\0' ? curl_easy_strerror(result) : error.data()));
    }
    long code = 0;
    curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &code);
    if (code != kOk) return Unavailable(absl::StrCat(url_, ": the answer is HTTP ", code));
    curl_header* header = nullptr;
    if (curl_easy_header(curl.get(), "Cache-Control", 0, CURLH_HEADER, -1, &header) == CURLHE_OK) {
      content.good_for = GoodFor(header->value);
    }
    return content;
  }

  void Cancel() override { cancelled_ = true; }
  bool local() const override { return false; }

 private:
  template <typename T>
  static void Set(CURL* curl, CURLoption option, T value) {
    HAIL_CHECK(curl_easy_setopt(curl, option, value) == CURLE_OK);
  }

  // libcurl's callbacks. Another number than what came ends the transfer.
  static std::size_t Take(const char* data, std::size_t size, std::size_t count, void* target) {
    auto& text = *static_cast<std::string*>(target);
    if (text.size() + size * count > KeySet::kMaxBytes) return 0;
    text.append(data, size * count);
    return size * count;
  }
  static int Goes(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<Url*>(self)->cancelled_ ? 1 : 0;
  }

  const std::string url_;
  const std::string ca_file_;
  std::atomic<bool> cancelled_ = false;
};

}  // namespace

std::unique_ptr<KeyOrigin> KeyFile(std::string path) { return std::make_unique<File>(std::move(path)); }

std::unique_ptr<KeyOrigin> KeyUrl(std::string url, std::string ca_file) {
  return std::make_unique<Url>(std::move(url), std::move(ca_file));
}

bool IsKeyUrl(const std::string& keys) { return absl::StrContains(keys, "://"); }

absl::StatusOr<std::unique_ptr<KeyOrigin>> KeyOriginOf(const std::string& keys, const std::string& ca_file) {
  if (!IsKeyUrl(keys)) return KeyFile(keys);
  if (!absl::StartsWithIgnoreCase(keys, kHttps)) {
    return absl::InvalidArgumentError(
        "keys come from a file or an https address: anybody between could replace others");
  }
  return KeyUrl(keys, ca_file);
}

std::optional<absl::Duration> GoodFor(const std::string& cache_control) {
  std::optional<absl::Duration> good_for;
  for (absl::string_view directive : absl::StrSplit(cache_control, ',')) {
    directive = absl::StripAsciiWhitespace(directive);
    if (absl::EqualsIgnoreCase(directive, "no-store") || absl::EqualsIgnoreCase(directive, "no-cache")) {
      return absl::ZeroDuration();
    }
    constexpr absl::string_view kMaxAge = "max-age=";
    std::uint32_t seconds = 0;
    if (absl::StartsWithIgnoreCase(directive, kMaxAge) &&
        absl::SimpleAtoi(directive.substr(kMaxAge.size()), &seconds)) {
      good_for = absl::Seconds(seconds);
    }
  }
  return good_for;
}

}  // namespace hail::auth
