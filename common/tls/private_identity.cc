#include "common/tls/private_identity.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors/error.h"

namespace hail::tls {
namespace {

constexpr char kPrefix[] = "hail-tls-";
constexpr char kLock[] = "lock";
constexpr char kCurrent[] = "/current";
constexpr char kCertificate[] = "/certificate.pem";
constexpr char kKey[] = "/key.pem";
constexpr char kCa[] = "/ca.pem";

absl::Status Failed(const std::string& what) {
  return Unavailable(Reason::kInternal, absl::StrCat(what, ": ", std::strerror(errno)));
}

// Writes a file that is not there yet, readable by this user only.
absl::Status Write(const std::string& path, const std::string& text, const timespec& changed) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (file < 0) return Failed(path);
  bool written = true;
  for (std::size_t at = 0; written && at < text.size();) {
    const ssize_t wrote = write(file, text.data() + at, text.size() - at);
    if (wrote > 0) at += static_cast<std::size_t>(wrote);
    written = wrote > 0 || (wrote < 0 && errno == EINTR);
  }
  const timespec times[] = {changed, changed};
  written = written && futimens(file, times) == 0;
  if (close(file) != 0 || !written) return Failed(path);
  return absl::OkStatus();
}

// Removes folders of processes that were killed: nobody holds their lock. A folder without a lock is being made.
void RemoveLeft(const std::string& parent) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(parent, error)) {
    if (entry.path().filename().string().rfind(kPrefix, 0) != 0) continue;
    struct stat found {};
    if (lstat(entry.path().c_str(), &found) != 0 || !S_ISDIR(found.st_mode) || found.st_uid != geteuid()) continue;
    const int lock = open((entry.path() / kLock).c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (lock < 0) continue;
    std::error_code ignored;
    if (flock(lock, LOCK_EX | LOCK_NB) == 0) std::filesystem::remove_all(entry.path(), ignored);
    close(lock);
  }
}

}  // namespace

absl::StatusOr<PrivateIdentity> PrivateIdentity::Make() {
  const char* const temporary = std::getenv("TMPDIR");
  absl::Status status;
  for (const std::string& parent : {std::string("/dev/shm"), std::string(temporary == nullptr ? "/tmp" : temporary)}) {
    absl::StatusOr<PrivateIdentity> made = MakeIn(parent);
    if (made.ok()) return made;
    status = made.status();
  }
  return status;
}

absl::StatusOr<PrivateIdentity> PrivateIdentity::MakeIn(const std::string& parent) {
  RemoveLeft(parent);
  std::string folder = absl::StrCat(parent, "/", kPrefix, "XXXXXX");
  // 0700, whatever the umask.
  if (mkdtemp(folder.data()) == nullptr) return Failed("no folder for the certificate in " + parent);
  PrivateIdentity made(folder, -1);
  // Locked under another name first: what has the lock's name and no lock is left.
  const std::string lock = absl::StrCat(folder, "/", kLock);
  const std::string partial = lock + ".partial";
  made.lock_ = open(partial.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (made.lock_ < 0 || flock(made.lock_, LOCK_EX) != 0 || std::rename(partial.c_str(), lock.c_str()) != 0) {
    return Failed(lock);
  }
  return made;
}

PrivateIdentity::~PrivateIdentity() {
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  if (lock_ >= 0) close(lock_);
}

PrivateIdentity::PrivateIdentity(PrivateIdentity&& other) noexcept
    : folder_(std::exchange(other.folder_, "")), lock_(std::exchange(other.lock_, -1)), sets_(other.sets_) {}

absl::Status PrivateIdentity::Publish(const IdentityPem& pem) {
  const int number = ++sets_;
  const std::string set = absl::StrCat(folder_, "/", number);
  const std::string link = set + ".link";
  const auto give_up = [&](absl::Status status) {
    std::error_code ignored;
    std::filesystem::remove_all(set, ignored);
    std::filesystem::remove(link, ignored);
    return status;
  };
  if (mkdir(set.c_str(), S_IRWXU) != 0) return give_up(Failed(set));
  // One second apart, whenever they are published.
  const timespec changed = {.tv_sec = number, .tv_nsec = 0};
  for (const auto& [name, text] :
       {std::pair(kCertificate, &pem.certificate), std::pair(kKey, &pem.key), std::pair(kCa, &pem.ca)}) {
    absl::Status written = Write(set + name, *text, changed);
    if (!written.ok()) return give_up(std::move(written));
  }
  if (symlink(std::to_string(number).c_str(), link.c_str()) != 0) return give_up(Failed(link));
  if (std::rename(link.c_str(), (folder_ + kCurrent).c_str()) != 0) return give_up(Failed(link));
  std::error_code ignored;
  std::filesystem::remove_all(absl::StrCat(folder_, "/", number - 1), ignored);
  return absl::OkStatus();
}

IdentityFiles PrivateIdentity::files() const {
  const std::string current = folder_ + kCurrent;
  return {.certificate = current + kCertificate, .key = current + kKey, .ca = current + kCa};
}

}  // namespace hail::tls
