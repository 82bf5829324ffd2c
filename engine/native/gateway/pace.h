// How often something may happen: lines that strangers cause, logins that were rejected. Pure.
#pragma once

#include <algorithm>
#include <cstdint>

namespace hft::gateway {

// A bucket that holds BURST and gets one more every EVERY_NS; what finds it empty is only counted.
class Budget {
 public:
  Budget(std::uint64_t burst, std::uint64_t every_ns) : burst_(burst), every_ns_(every_ns), left_(burst) {}

  bool take(std::uint64_t now_ns) {
    const auto more = (now_ns - std::min(filled_ns_, now_ns)) / every_ns_;
    left_ = std::min(burst_, left_ + std::min(more, burst_));
    filled_ns_ = left_ == burst_ ? now_ns : filled_ns_ + more * every_ns_;
    if (left_ == 0) return ++missed_, false;
    --left_;
    return true;
  }

  // How many found it empty since this was asked last.
  std::uint64_t take_missed() {
    const auto missed = missed_;
    missed_ = 0;
    return missed;
  }
  std::uint64_t missed() const { return missed_; }

 private:
  std::uint64_t burst_;
  std::uint64_t every_ns_;
  std::uint64_t left_;
  std::uint64_t filled_ns_ = 0;
  std::uint64_t missed_ = 0;
};

// Pauses between logins that are rejected: each twice as long as the one before, and after kRejectionsMax in a row it
// is over, because venues lock an account that goes on. What only broke is tried again at the usual pace.
class Backoff {
 public:
  static constexpr std::uint64_t kFirstMs = 1'000;
  static constexpr std::uint64_t kMostMs = 60'000;
  static constexpr std::uint64_t kRejectionsMax = 8;

  void rejected() { ++rejections_; }
  void accepted() { rejections_ = 0; }
  std::uint64_t rejections() const { return rejections_; }
  bool is_over() const { return rejections_ >= kRejectionsMax; }

  std::uint64_t pause_ms(std::uint64_t usual_ms) const {
    if (rejections_ == 0) return usual_ms;
    return std::max(usual_ms, std::min(kMostMs, kFirstMs << std::min<std::uint64_t>(rejections_ - 1, 16)));
  }

 private:
  std::uint64_t rejections_ = 0;
};

}  // namespace hft::gateway
