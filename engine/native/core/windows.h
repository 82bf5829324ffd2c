// Exact sliding windows over times that come in as arguments: messages in any second, and recent orders.
#pragma once

#include <cstdint>
#include <vector>

#include "core/types.h"

namespace hft::core {

// The times of the last `capacity` messages. "More than N in a second" is one look at the Nth newest.
class RateWindow {
 public:
  static constexpr std::uint64_t kSecondNs = 1'000'000'000;

  void add(std::uint64_t now_ns) {
    times_[count_ % times_.size()] = now_ns;
    ++count_;
  }
  // May one more leave, when at most `messages_max` may in any second?
  [[nodiscard]] bool room(std::uint32_t messages_max, std::uint64_t now_ns) const {
    if (messages_max > times_.size()) messages_max = static_cast<std::uint32_t>(times_.size());
    if (count_ < messages_max) return true;
    const std::uint64_t nth_newest = times_[(count_ - messages_max) % times_.size()];
    return now_ns >= nth_newest + kSecondNs;
  }
  void clear() { count_ = 0; }
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  // Limits above this rate are held to it; the hot path keeps 512 KiB for it.
  std::vector<std::uint64_t> times_ = std::vector<std::uint64_t>(65536);
  std::uint64_t count_ = 0;
};

// The newest orders, to see the same one twice.
class RecentOrders {
 public:
  void add(const OrderRequest& order, std::uint64_t now_ns) {
    recent_[count_ % recent_.size()] = {order, now_ns};
    ++count_;
  }
  [[nodiscard]] bool seen(const OrderRequest& order, std::uint64_t window_ns, std::uint64_t now_ns) const {
    const std::uint64_t known = std::min<std::uint64_t>(count_, recent_.size());
    for (std::uint64_t back = 1; back <= known; ++back) {
      const Sent& sent = recent_[(count_ - back) % recent_.size()];
      if (now_ns - sent.at_ns >= window_ns) return false;
      if (sent.order.symbol == order.symbol && sent.order.side == order.side && sent.order.quantity == order.quantity &&
          sent.order.price_e4 == order.price_e4) {
        return true;
      }
    }
    return false;
  }
  void clear() { count_ = 0; }

 private:
  struct Sent {
    OrderRequest order;
    std::uint64_t at_ns = 0;
  };
  std::vector<Sent> recent_ = std::vector<Sent>(1024);
  std::uint64_t count_ = 0;
};

}  // namespace hft::core
