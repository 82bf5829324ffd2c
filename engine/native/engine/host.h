// What the engine asks of its host: clocks, thread names and CPUs, locked and huge memory, the service manager.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

namespace hft::engine {

inline std::uint64_t clock_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}
inline std::uint64_t monotonic_ns() { return clock_ns(CLOCK_MONOTONIC); }
inline std::int64_t utc_ns() { return static_cast<std::int64_t>(clock_ns(CLOCK_REALTIME)); }

// Names this thread, pins it (no CPUs: it stays free) and touches its stack. False when the kernel refused the CPUs.
bool settle_thread(const char* name, const std::vector<int>& cpus);

struct MemoryLock {
  bool locked = false;
  std::string why_not;
};
// Everything, now and later (mlockall(2) with MCL_FUTURE).
MemoryLock lock_memory();

// Datagrams to $NOTIFY_SOCKET (sd_notify(3)); silent where there is none.
class Notifier {
 public:
  Notifier();
  ~Notifier();
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  void send(std::string_view text) const;
  // Hands a descriptor to the service manager's store, so that it survives this process.
  void store_descriptor(int fd, std::string_view name) const;
  // How often WATCHDOG=1 is due; 0 when nobody asked for it.
  [[nodiscard]] std::uint64_t watchdog_every_ns() const { return watchdog_every_ns_; }

 private:
  int fd_ = -1;
  std::string path_;
  std::uint64_t watchdog_every_ns_ = 0;
};

// The descriptor that the service manager kept under this name (sd_listen_fds(3)); -1 when there is none.
int stored_descriptor(std::string_view name);

}  // namespace hft::engine
