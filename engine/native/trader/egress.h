// The two ways out: orders wait here for the durability gate, cancels for nothing but a session; both pass the last
// gate before the socket. A cancel that overtakes its order takes it out of the queue, so that it never leaves.
//
// `block` may be set from a signal handler and from any thread; while it stands no order leaves, cancels do. What the
// last gate drops is reported, so that the core closes it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "journal/durability_gate.h"
#include "wire/ouch_codec.h"

namespace hft::trader {

// Set first by every kill, whatever else still has to happen.
inline std::atomic<bool> g_egress_block{false};

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
    std::uint64_t decided_ns;
    Origin origin;
    std::uint32_t length;
    std::array<std::uint8_t, 64> message;
  };

  void push(std::span<const std::byte> message, std::uint64_t journal_offset, std::uint64_t decided_ns,
            const Origin& origin) {
    Waiting waiting{journal_offset, decided_ns, origin, static_cast<std::uint32_t>(message.size()), {}};
    std::memcpy(waiting.message.data(), message.data(), message.size());
    queue_.push_back(waiting);
  }
  // Takes the order of this number out; false when it does not wait here.
  bool take(std::uint32_t urn, Waiting& taken) {
    for (std::size_t at = next_; at < queue_.size(); ++at) {
      if (ouch::CancelOrder::urn.load(queue_[at].message.data()) != urn) continue;
      taken = queue_[at];
      queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(at));
      if (next_ == queue_.size()) clear();
      return true;
    }
    return false;
  }
  void clear() {
    queue_.clear();
    next_ = 0;
  }
  [[nodiscard]] bool empty() const { return next_ == queue_.size(); }
  [[nodiscard]] const Waiting& front() const { return queue_[next_]; }
  void pop() {
    if (++next_ == queue_.size()) clear();
  }

 private:
  std::vector<Waiting> queue_ = [] {
    std::vector<Waiting> places;
    places.reserve(4096);
    return places;
  }();
  std::size_t next_ = 0;
};

}  // namespace hft::trader
