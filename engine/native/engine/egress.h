// The way out: intents wait here for the durability gate, then pass the last gate before the socket.
//
// `block` may be set from a signal handler and from any thread; while it stands no order leaves, cancels do. What the
// last gate drops is reported, so that the core closes it.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "journal/gate.h"
#include "wire/soup.h"

namespace hft::engine {

// Set first by every kill, whatever else still has to happen.
inline std::atomic<bool> g_egress_block{false};

class GatewaySession {
 public:
  ~GatewaySession() { close(); }

  void open(int fd, std::vector<std::uint8_t> unread);
  void close();
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  [[nodiscard]] int fd() const { return fd_; }

  // Frames and sends; false when the connection is gone. A slow peer's bytes wait here.
  bool send(char type, Bytes payload);
  bool flush();
  // Packets received; false when the connection is gone. `take(const soup::Packet&)` for each.
  template <class Take>
  bool receive(Take&& take);
  [[nodiscard]] std::uint64_t sent_ns() const { return sent_ns_; }
  void set_sent_ns(std::uint64_t now_ns) { sent_ns_ = now_ns; }

 private:
  // Bytes read: more than 0, 0 when none wait, -1 when the peer is gone.
  long read_some();

  int fd_ = -1;
  std::uint64_t sent_ns_ = 0;
  std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(1 << 17);
  soup::Reader reader_{buffer_};
  std::vector<std::uint8_t> unsent_;
};

template <class Take>
bool GatewaySession::receive(Take&& take) {
  soup::Packet packet;
  while (is_open()) {
    const auto got = reader_.next(packet);
    if (got == soup::Got::packet) {
      take(packet);
      continue;
    }
    if (got == soup::Got::broken) return false;
    const long bytes = read_some();
    if (bytes <= 0) return bytes == 0;
  }
  return true;
}

// The datagram that led to an intent; zeros when something else did, or when the kernel gave no stamp.
struct Origin {
  std::uint64_t begin_ns = 0;        // return of recv, monotonic
  std::int64_t received_utc_ns = 0;  // the kernel's receive stamp
};

// First in, first out; a ring of fixed places, grown only if a gate stays shut for thousands of intents.
class EgressQueue {
 public:
  struct Waiting {
    std::uint64_t journal_offset;
    Origin origin;
    std::uint32_t length;
    std::array<std::uint8_t, 64> message;
  };

  void push(std::span<const std::byte> message, std::uint64_t journal_offset, const Origin& origin) {
    Waiting waiting{journal_offset, origin, static_cast<std::uint32_t>(message.size()), {}};
    std::memcpy(waiting.message.data(), message.data(), message.size());
    queue_.push_back(waiting);
  }
  [[nodiscard]] bool empty() const { return next_ == queue_.size(); }
  [[nodiscard]] const Waiting& front() const { return queue_[next_]; }
  void pop() {
    if (++next_ == queue_.size()) {
      queue_.clear();
      next_ = 0;
    }
  }

 private:
  std::vector<Waiting> queue_ = [] {
    std::vector<Waiting> places;
    places.reserve(4096);
    return places;
  }();
  std::size_t next_ = 0;
};

}  // namespace hft::engine
