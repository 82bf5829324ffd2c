// When the holder of the epoch was heard last, by this gateway's monotonic clock alone. Pure.
//
// What is not heard may be dead, frozen or cut off, and this clock cannot tell which; it can tell whether this gateway
// was itself late, and why. While it waits for a CPU the kernel goes on receiving, and what lies there is read before
// anybody is called silent: such a gap counts, for as much as a look in time does, so that a gateway on a busy machine
// comes to an end. A gap that it spent neither on a CPU nor waiting for one (a signal stopped it, its machine was
// paused) may have stopped the kernel, too: the count begins anew. And no sooner than the other end can be back: the
// retransmissions of TCP come at intervals that double (RFC 6298, 5.5), so after a pause the next one may take as long
// again as the pause took.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace hft::gateway {

enum class Lateness : std::uint8_t { none, starved, stopped };

// Of the GAP between two looks BUSY_NS were spent on a CPU or waiting for one; nothing where the kernel does not say.
// MOST_NS is what a gap in time takes at most.
inline Lateness lateness(std::uint64_t gap_ns, std::optional<std::uint64_t> busy_ns, std::uint64_t most_ns) {
  if (gap_ns <= most_ns) return Lateness::none;
  return gap_ns - std::min(gap_ns, busy_ns.value_or(0)) <= most_ns ? Lateness::starved : Lateness::stopped;
}

class HolderWatch {
 public:
  enum class Verdict : std::uint8_t { heard, silent, ended };

  std::uint64_t epoch() const { return epoch_; }
  bool is_watching() const { return is_watching_; }
  bool has_ended() const { return ended_ns_ != 0; }
  std::uint64_t silence_ns(std::uint64_t now_ns) const { return now_ns > heard_ns_ ? now_ns - heard_ns_ : 0; }

  // Another epoch is in force. Nobody is watched before its holder was heard once.
  void follow(std::uint64_t epoch) {
    if (epoch == epoch_) return;
    *this = HolderWatch();
    epoch_ = epoch;
  }

  // A beat from a link of the epoch in force.
  void heard(std::uint64_t now_ns) {
    is_watching_ = true;
    is_beating_ = true;
    heard_ns_ = now_ns;
    ended_ns_ = 0;
  }
  // A login: his first beat may take as long as a drop copy does. Who never beats is not missed when he does not.
  void logged_in(std::uint64_t now_ns, bool will_beat) {
    heard(now_ns + kPatienceNs);
    is_beating_ = will_beat;
  }

  // The holder's link ended, and not by us. Soon after a gap of ours that is no news of the holder: he may have given
  // us up, and for PATIENCE_NS he may come back.
  void ended(std::uint64_t now_ns, std::uint64_t patience_ns) {
    if (!is_watching_) return;
    const bool is_news = now_ns >= late_until_ns_;
    if (!is_news) heard_ns_ = std::max(heard_ns_, now_ns);
    ended_ns_ = is_news ? now_ns : now_ns + patience_ns;
  }

  // He logged out: whoever leaves on purpose is not dead, and is not followed until he is heard again.
  void left() { is_watching_ = false; }

  // Nothing could be heard for a while, through no fault of his.
  void count_anew(std::uint64_t now_ns) {
    heard_ns_ = std::max(heard_ns_, now_ns);
    if (ended_ns_ != 0) ended_ns_ = std::max(ended_ns_, now_ns);
  }
  // This gateway waited for a CPU, for EXCESS_NS beyond what a look in time takes.
  void was_starved(std::uint64_t now_ns, std::uint64_t excess_ns, std::uint64_t patience_ns) {
    late_until_ns_ = std::max(late_until_ns_, now_ns + patience_ns);
    heard_ns_ = std::max(heard_ns_, std::min(heard_ns_ + excess_ns, now_ns));
    if (ended_ns_ != 0) ended_ns_ = std::max(ended_ns_, std::min(ended_ns_ + excess_ns, now_ns));
  }
  // This gateway, and perhaps its machine, stood still for STOOD_NS.
  void stood_still(std::uint64_t now_ns, std::uint64_t stood_ns, std::uint64_t patience_ns) {
    const auto settled_ns = now_ns + std::min(stood_ns, kPatienceNs);
    late_until_ns_ = std::max(late_until_ns_, settled_ns + patience_ns);
    count_anew(settled_ns);
  }

  Verdict verdict(std::uint64_t now_ns, std::uint64_t silence_most_ns, std::uint64_t grace_ns) const {
    if (!is_watching_) return Verdict::heard;
    if (ended_ns_ != 0 && now_ns >= ended_ns_ + grace_ns) return Verdict::ended;
    return is_beating_ && silence_ns(now_ns) >= silence_most_ns ? Verdict::silent : Verdict::heard;
  }

 private:
  // SoupBinTCP 3.00: who hears nothing for 15 s gives the connection up, and makes a new one.
  static constexpr std::uint64_t kPatienceNs = 15'000'000'000;

  std::uint64_t epoch_ = 0;
  bool is_watching_ = false;
  bool is_beating_ = false;
  std::uint64_t heard_ns_ = 0;  // ahead of the clock for a while, after this gateway stood still
  std::uint64_t ended_ns_ = 0;  // from when on the end of his stream counts; 0: his link is there, or was never seen
  std::uint64_t late_until_ns_ = 0;
};

}  // namespace hft::gateway
