// See egress.h.
#include "engine/egress.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace hft::engine {

void GatewaySession::open(int fd, std::vector<std::uint8_t> unread) {
  close();
  fd_ = fd;
  fcntl(fd_, F_SETFL, fcntl(fd_, F_GETFL) | O_NONBLOCK);
  reader_.reset();
  if (unread.size() > buffer_.size()) {
    buffer_.resize(unread.size() * 2);
    reader_ = soup::Reader(buffer_);
  }
  std::copy(unread.begin(), unread.end(), reader_.space().begin());
  reader_.commit(unread.size());
}

void GatewaySession::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  unsent_.clear();
}

bool GatewaySession::send(char type, Bytes payload) {
  std::array<std::uint8_t, 128> packet;
  const std::size_t length = soup::write(packet, type, payload);
  if (!is_open() || length == 0) return false;
  if (!unsent_.empty()) {
    unsent_.insert(unsent_.end(), packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(length));
    return flush();
  }
  const ssize_t sent = ::send(fd_, packet.data(), length, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
  const std::size_t done = sent < 0 ? 0 : static_cast<std::size_t>(sent);
  unsent_.insert(unsent_.end(), packet.begin() + static_cast<std::ptrdiff_t>(done),
                 packet.begin() + static_cast<std::ptrdiff_t>(length));
  return true;
}

bool GatewaySession::flush() {
  if (unsent_.empty() || !is_open()) return true;
  const ssize_t sent = ::send(fd_, unsent_.data(), unsent_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN || errno == EINTR;
  unsent_.erase(unsent_.begin(), unsent_.begin() + sent);
  return true;
}

long GatewaySession::read_some() {
  const auto space = reader_.space();
  const ssize_t got = recv(fd_, space.data(), space.size(), MSG_DONTWAIT);
  if (got > 0) {
    reader_.commit(static_cast<std::size_t>(got));
    return got;
  }
  return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

}  // namespace hft::engine
