// One SoupBinTCP connection over a non-blocking socket: bytes in become packets, what the socket does not take waits,
// and two times say when to speak and when the peer is dead.
//
// Its owner polls the socket, has the clock and gives the packets their meaning; client and server are the same here.
// Sending allocates only when the socket is full. A session may be moved: what was received moves with it.
#pragma once

#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <vector>

#include "base/fd.h"
#include "wire/soup.h"

namespace hft::soup {

// What came of reading once.
enum class Io : std::uint8_t { some, none, closed, reset };

// `none`: the socket takes nothing now, the packet is still the caller's. `all` counts what is half out as sent.
enum class Sent : std::uint8_t { all, none, broken };

class Session {
 public:
  explicit Session(std::size_t buffer_bytes = 1 << 17) : buffer_(buffer_bytes), reader_(buffer_) {}
  Session(Session&&) noexcept = default;
  Session& operator=(Session&&) noexcept = default;

  // Forgets whatever connection there was before.
  void open(base::Fd socket, std::uint64_t now_ns) {
    close();
    socket_ = std::move(socket);
    reader_.reset();
    received_ns_ = sent_ns_ = now_ns;
  }
  void close() {
    socket_.reset();
    unsent_.clear();
    out_ = 0;
  }
  [[nodiscard]] bool is_open() const { return static_cast<bool>(socket_); }
  [[nodiscard]] int fd() const { return socket_.get(); }
  [[nodiscard]] const base::Fd& socket() const { return socket_; }

  [[nodiscard]] Io read(std::uint64_t now_ns) {
    const auto space = reader_.space();
    const ssize_t got = ::recv(fd(), space.data(), space.size(), MSG_DONTWAIT);
    if (got > 0) return took(static_cast<std::size_t>(got), now_ns), Io::some;
    if (got == 0) return Io::closed;
    return errno == EAGAIN || errno == EINTR ? Io::none : Io::reset;
  }
  // The same for a caller with a system call of his own.
  [[nodiscard]] MutableBytes space() { return reader_.space(); }
  void took(std::size_t bytes, std::uint64_t now_ns) {
    reader_.commit(bytes);
    received_ns_ = now_ns;
  }
  [[nodiscard]] Got next(Packet& packet) { return reader_.next(packet); }

  // Everything there is, `take(const Packet&)` for each; false when the connection is gone.
  template <class Take>
  [[nodiscard]] bool receive(std::uint64_t now_ns, Take&& take) {
    Packet packet;
    while (is_open()) {
      const Got got = next(packet);
      if (got == Got::broken) return false;
      if (got == Got::packet) {
        take(packet);
        continue;
      }
      const Io io = read(now_ns);
      if (io != Io::some) return io == Io::none;
    }
    return true;
  }

  // A whole packet as it is.
  [[nodiscard]] Sent send(Bytes packet, std::uint64_t now_ns) {
    if (!is_open()) return Sent::broken;
    if (!unsent_.empty()) return Sent::none;
    const ssize_t put = ::send(fd(), packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0 && errno != EAGAIN && errno != EINTR) return Sent::broken;
    if (put <= 0) return Sent::none;
    sent_ns_ = now_ns;
    queue(packet.subspan(static_cast<std::size_t>(put)));
    return Sent::all;
  }
  // Frames and sends; what the socket does not take waits. False when the connection is gone.
  [[nodiscard]] bool send(char type, Bytes payload, std::uint64_t now_ns) {
    std::array<std::uint8_t, 128> packet;
    const std::size_t length = write(packet, type, payload);
    if (length == 0) return false;
    const Bytes framed = Bytes(packet).first(length);
    const Sent sent = send(framed, now_ns);
    if (sent == Sent::none) queue(framed);
    return sent != Sent::broken;
  }
  void queue(Bytes packets) { unsent_.append(as_text(packets)); }
  // False when the connection is gone.
  [[nodiscard]] bool flush(std::uint64_t now_ns) {
    while (out_ < unsent_.size()) {
      const ssize_t put = ::send(fd(), unsent_.data() + out_, unsent_.size() - out_, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0 && errno != EAGAIN) return false;
      if (put <= 0) break;
      out_ += static_cast<std::size_t>(put);
      sent_ns_ = now_ns;
    }
    if (out_ < unsent_.size() && out_ < kMoveBytes) return true;
    unsent_.erase(0, out_);
    out_ = 0;
    return true;
  }
  [[nodiscard]] std::size_t unsent_bytes() const { return unsent_.size() - out_; }

  [[nodiscard]] bool is_silent(std::uint64_t now_ns, std::uint64_t most_ns) const {
    return is_past(now_ns, received_ns_, most_ns + 1);
  }
  [[nodiscard]] bool owes_heartbeat(std::uint64_t now_ns, std::uint64_t every_ns) const {
    return is_past(now_ns, sent_ns_, every_ns);
  }
  [[nodiscard]] std::uint64_t received_ns() const { return received_ns_; }
  void set_sent_ns(std::uint64_t now_ns) { sent_ns_ = now_ns; }

 private:
  static constexpr std::size_t kMoveBytes = 1 << 20;  // what is out is taken off the front once it is so much

  // A `now` taken before the last packet came is not long after it.
  static bool is_past(std::uint64_t now_ns, std::uint64_t since_ns, std::uint64_t span_ns) {
    return now_ns > since_ns && now_ns - since_ns >= span_ns;
  }

  base::Fd socket_;
  std::vector<std::uint8_t> buffer_;
  Reader reader_;
  std::string unsent_;
  std::size_t out_ = 0;  // of `unsent_`, already with the kernel
  std::uint64_t received_ns_ = 0;
  std::uint64_t sent_ns_ = 0;
};

}  // namespace hft::soup
