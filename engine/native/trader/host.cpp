// See host.h.
#include "trader/host.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace hft::trader {
namespace {

constexpr int kFirstStoredDescriptor = 3;  // SD_LISTEN_FDS_START

}  // namespace

MemoryLock lock_memory() {
  if (mlockall(MCL_CURRENT | MCL_FUTURE) == 0) return {true, {}};
  return {false, std::string("mlockall: ") + std::strerror(errno)};
}

Notifier::Notifier() {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path != nullptr && (path[0] == '/' || path[0] == '@')) {
    path_ = path;
    fd_.reset(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  }
  const char* every_us = std::getenv("WATCHDOG_USEC");
  const char* pid = std::getenv("WATCHDOG_PID");
  const bool ours = pid == nullptr || std::atol(pid) == getpid();
  if (every_us != nullptr && ours) {
    // A third of it: systemd asks for half at the latest (sd_watchdog_enabled(3)).
    watchdog_every_ns_ = std::strtoull(every_us, nullptr, 10) * 1000 / 3;
  }
}

namespace {

bool address_of(const std::string& path, sockaddr_un& address, socklen_t& length) {
  address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path[0] == '@') address.sun_path[0] = '\0';
  length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  return true;
}

}  // namespace

void Notifier::send(std::string_view text) const {
  sockaddr_un address{};
  socklen_t length = 0;
  if (!fd_ || !address_of(path_, address, length)) return;
  sendto(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&address), length);
}

void Notifier::store_descriptor(int fd, std::string_view name) const {
  sockaddr_un address{};
  socklen_t length = 0;
  if (!fd_ || !address_of(path_, address, length)) return;
  std::string text = "FDSTORE=1\nFDNAME=" + std::string(name);
  iovec part{text.data(), text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_name = &address;
  message.msg_namelen = length;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(head), &fd, sizeof fd);
  sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
}

int stored_descriptor(std::string_view name) {
  const char* pid = std::getenv("LISTEN_PID");
  const char* count = std::getenv("LISTEN_FDS");
  const char* names = std::getenv("LISTEN_FDNAMES");
  if (pid == nullptr || count == nullptr || names == nullptr || std::atol(pid) != getpid()) return -1;
  std::string_view rest(names);
  for (int i = 0; i < std::atoi(count); ++i) {
    const std::string_view one = rest.substr(0, rest.find(':'));
    if (one == name) return kFirstStoredDescriptor + i;
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
  }
  return -1;
}

}  // namespace hft::trader
