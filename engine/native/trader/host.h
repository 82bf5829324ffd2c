// What the engine asks of its host: locked memory, the service manager.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace hft::trader {

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

  void send(std::string_view text) const;
  // Hands a descriptor to the service manager's store, so that it survives this process.
  void store_descriptor(int fd, std::string_view name) const;
  // How often WATCHDOG=1 is due; 0 when nobody asked for it.
  [[nodiscard]] std::uint64_t watchdog_every_ns() const { return watchdog_every_ns_; }

 private:
  base::Fd fd_;
  std::string path_;
  std::uint64_t watchdog_every_ns_ = 0;
};

// The descriptor that the service manager kept under this name (sd_listen_fds(3)); -1 when there is none.
int stored_descriptor(std::string_view name);

}  // namespace hft::trader
