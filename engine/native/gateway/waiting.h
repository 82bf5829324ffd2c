// How long an order may have waited before anybody looked at it. Pure; nothing of it is believed from its sender.
//
// A stopped process, a paused guest or a peer that does not read leave orders in a buffer of the kernel, and they go on
// as if they were new. The kernel's stamp of a TCP read is that of its last segment, so it says how young the youngest
// byte is. What is wanted is the other end: when was nothing there? A socket that a wait of the loop did not report was
// empty when that wait began, and so it was when a read took less than it had room for.
#pragma once

#include <algorithm>
#include <cstdint>

namespace hft::gateway {

// What comes in on one socket that the loop waits for, level-triggered.
class Waiting {
 public:
  explicit Waiting(std::uint64_t now_ns) : empty_ns_(now_ns), since_ns_(now_ns) {}

  // Waited for again, in ROUND, after a time when it was not.
  void watched(std::uint64_t round) { last_round_ = round; }

  // Reported in ROUND; the wait of the round before began at BEFORE_NS.
  void readable(std::uint64_t round, std::uint64_t before_ns) {
    if (round > last_round_ + 1) empty_ns_ = std::max(empty_ns_, before_ns);
    last_round_ = round;
    since_ns_ = empty_ns_;
  }

  // A read that began at NOW_NS took all there was.
  void drained(std::uint64_t now_ns) { empty_ns_ = now_ns; }

  // No byte that was read last came before this.
  std::uint64_t since_ns() const { return since_ns_; }

 private:
  std::uint64_t empty_ns_;
  std::uint64_t since_ns_;
  std::uint64_t last_round_ = 0;
};

// What goes out on one socket: bytes that were handed to the kernel and that the peer's kernel has not acknowledged.
class Outgoing {
 public:
  void restart() { *this = Outgoing(); }
  void wrote(std::uint64_t bytes) { written_ += bytes; }

  // Looked at now and then: QUEUED of the bytes are not acknowledged. True when some of them have waited for longer
  // than MOST_NS.
  bool is_stuck(std::uint64_t queued, std::uint64_t now_ns, std::uint64_t most_ns) {
    const auto arrived = written_ - std::min(queued, written_);
    if (arrived >= mark_) {
      mark_ = written_;
      mark_ns_ = now_ns;
    }
    return arrived < mark_ && now_ns - mark_ns_ > most_ns;
  }

 private:
  std::uint64_t written_ = 0;
  std::uint64_t mark_ = 0;  // all that was written at mark_ns_
  std::uint64_t mark_ns_ = 0;
};

}  // namespace hft::gateway
