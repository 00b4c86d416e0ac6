// A wall clock that tests can set, for unmodified programs. Preloaded, with CLOCKSET=FILE, it shifts the wall clock by
// the number of nanoseconds in the file (8 bytes, in the machine's byte order) from the moment at which they are
// written. As with a clock that is really set, a wait until an instant of the wall clock follows the clock, even if the
// wait began earlier; a wait on a steady clock is unaffected.
//
// Two paths lead to the kernel: the C library's functions, and syscall(2), which abseil uses for its waits.
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
// How often a wait checks the clock.
constexpr std::int64_t kSlice = kSecond / 50;

const std::atomic<std::int64_t>* Mapped() {
  const char* const path = std::getenv("CLOCKSET");
  if (path == nullptr) return nullptr;
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return nullptr;
  void* const bytes = mmap(nullptr, sizeof(std::int64_t), PROT_READ, MAP_SHARED, file, 0);
  close(file);
  return bytes == MAP_FAILED ? nullptr : static_cast<const std::atomic<std::int64_t>*>(bytes);
}

std::int64_t Moved() {
  static const std::atomic<std::int64_t>* const moved = Mapped();
  return moved == nullptr ? 0 : moved->load(std::memory_order_relaxed);
}

std::int64_t Nanos(const timespec& time) { return time.tv_sec * kSecond + time.tv_nsec; }
timespec Time(std::int64_t nanos) { return {nanos / kSecond, nanos % kSecond}; }

long Kernel(long number, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

// The wall clock without the shift.
std::int64_t Unmoved() {
  timespec now{};
  Kernel(SYS_clock_gettime, CLOCK_REALTIME, reinterpret_cast<long>(&now), 0, 0, 0, 0);
  return Nanos(now);
}

// Waits until the shifted clock is at `until`. `wait` waits until an instant of the real clock; it returns true if that
// instant came, false if the awaited event came first.
template <typename Wait>
void InSlices(std::int64_t until, const Wait& wait) {
  while (true) {
    const std::int64_t now = Unmoved();
    const std::int64_t end = until - Moved();
    if (!wait(Time(std::max<std::int64_t>(0, std::min(end, now + kSlice)))) || end <= now + kSlice) return;
  }
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const long result = Kernel(SYS_clock_gettime, clock, reinterpret_cast<long>(time), 0, 0, 0, 0);
  if (result < 0) {
    errno = static_cast<int>(-result);
    return -1;
  }
  if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) *time = Time(Nanos(*time) + Moved());
  return 0;
}

int gettimeofday(timeval* time, void*) noexcept {
  const timespec now = Time(Unmoved() + Moved());
  *time = {now.tv_sec, now.tv_nsec / 1000};
  return 0;
}

time_t time(time_t* out) noexcept {
  const time_t now = (Unmoved() + Moved()) / kSecond;
  if (out != nullptr) *out = now;
  return now;
}

long syscall(long number, ...) noexcept {
  va_list list;
  va_start(list, number);
  long of[6];
  for (long& argument : of) argument = va_arg(list, long);
  va_end(list);
  if (number == SYS_clock_gettime)
    return clock_gettime(static_cast<clockid_t>(of[0]), reinterpret_cast<timespec*>(of[1]));
  long result = 0;
  if (number == SYS_futex && (of[1] & FUTEX_CLOCK_REALTIME) != 0 && of[3] != 0) {
    InSlices(Nanos(*reinterpret_cast<const timespec*>(of[3])), [&](const timespec& until) {
      result = Kernel(number, of[0], of[1], of[2], reinterpret_cast<long>(&until), of[4], of[5]);
      return result == -ETIMEDOUT;
    });
  } else {
    result = Kernel(number, of[0], of[1], of[2], of[3], of[4], of[5]);
  }
  if (result < 0 && result > -4096) {
    errno = static_cast<int>(-result);
    return -1;
  }
  return result;
}

int pthread_cond_timedwait(pthread_cond_t* changed, pthread_mutex_t* mutex, const timespec* until) {
  using Wait = int (*)(pthread_cond_t*, pthread_mutex_t*, const timespec*);
  static const Wait real = reinterpret_cast<Wait>(dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2"));
  // Some waits use the clock that counts from the machine's start.
  if (until->tv_sec < 1'000'000'000) return real(changed, mutex, until);
  int result = 0;
  InSlices(Nanos(*until), [&](const timespec& end) {
    result = real(changed, mutex, &end);
    return result == ETIMEDOUT;
  });
  return result;
}

}  // extern "C"
