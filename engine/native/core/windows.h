// Exact sliding windows over times that come in as arguments: messages in any second, and recent orders.
//
// Both are as large as the limits in force ask for (`reserve`), so that neither has a horizon beyond which it forgets
// what still counts. Where a file widens a limit beyond what was kept so far, they refuse until they know again.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "core/types.h"

namespace hft::core {

// The times of the last messages. "More than N in a second" is one look at the Nth newest.
class RateWindow {
 public:
  static constexpr std::uint64_t kSecondNs = 1'000'000'000;

  // Room for this many messages; what is kept stays.
  void reserve(std::uint64_t messages) {
    if (messages <= times_.size()) return;
    std::vector<std::uint64_t> larger(std::bit_ceil(messages));
    const std::uint64_t kept = std::min<std::uint64_t>(count_, times_.size());
    for (std::uint64_t i = count_ - kept; i < count_; ++i) larger[i % larger.size()] = times_[i % times_.size()];
    first_ = count_ - kept;
    times_ = std::move(larger);
  }
  void add(std::uint64_t now_ns) {
    times_[count_ % times_.size()] = now_ns;
    ++count_;
  }
  // May one more leave, when at most `messages_max` may in any second? None may, when that is 0.
  [[nodiscard]] bool room(std::uint32_t messages_max, std::uint64_t now_ns) const {
    if (count_ < messages_max) return true;
    if (messages_max == 0) return false;
    const std::uint64_t nth = std::max(count_ - messages_max, oldest());
    return now_ns >= times_[nth % times_.size()] + kSecondNs;
  }
  void clear() { count_ = first_ = 0; }
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  // The number of the oldest message whose time is known.
  [[nodiscard]] std::uint64_t oldest() const {
    return std::max(first_, count_ - std::min<std::uint64_t>(count_, times_.size()));
  }

  std::vector<std::uint64_t> times_ = std::vector<std::uint64_t>(1024);
  std::uint64_t count_ = 0;
  std::uint64_t first_ = 0;
};

// The newest orders by side, quantity, symbol and price, to see the same one twice: a ring, and chains through it by
// hash. A link to an order that the ring has overwritten ends its chain.
class RecentOrders {
 public:
  void reserve(std::uint64_t orders) {
    if (orders <= recent_.size()) return;
    std::vector<Sent> kept;
    for (std::uint64_t i = oldest(); i < count_; ++i) kept.push_back(recent_[i & mask()]);
    recent_.assign(std::bit_ceil(orders), Sent{});
    newest_.assign(recent_.size(), 0);
    count_ = 0;
    for (const Sent& sent : kept) add(sent.order, sent.at_ns);
  }
  void add(const OrderRequest& order, std::uint64_t now_ns) {
    if (count_ >= recent_.size()) {
      forgotten_ns_ = recent_[count_ & mask()].at_ns;
      has_forgotten_ = true;
    }
    std::uint64_t& newest = newest_[hash(order) & mask()];
    recent_[count_ & mask()] = {order, now_ns, newest};
    newest = ++count_;
  }
  // Was the same order sent within the window, or one that is not known any more?
  [[nodiscard]] bool seen(const OrderRequest& order, std::uint64_t window_ns, std::uint64_t now_ns) const {
    if (window_ns == 0) return false;
    if (has_forgotten_ && now_ns - forgotten_ns_ < window_ns) return true;
    // Newest first; a number is one above its order's, so that 0 is none.
    for (std::uint64_t at = newest_[hash(order) & mask()]; at > oldest();) {
      const Sent& sent = recent_[(at - 1) & mask()];
      if (now_ns - sent.at_ns >= window_ns) return false;
      if (same(sent.order, order)) return true;
      at = sent.before;
    }
    return false;
  }
  void clear() {
    std::fill(newest_.begin(), newest_.end(), 0);
    count_ = 0;
    has_forgotten_ = false;
  }

 private:
  struct Sent {
    OrderRequest order;
    std::uint64_t at_ns = 0;
    std::uint64_t before = 0;  // in the same chain
  };

  static bool same(const OrderRequest& one, const OrderRequest& other) {
    return one.symbol == other.symbol && one.side == other.side && one.quantity == other.quantity &&
           one.price_e4 == other.price_e4;
  }
  static std::uint64_t hash(const OrderRequest& order) {
    std::uint64_t mixed = (std::uint64_t{order.symbol} << 32 | order.quantity) * 0x9e3779b97f4a7c15;
    mixed ^= (order.price_e4 << 1 | (order.side == 'B' ? 1 : 0)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 29)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 32);
  }
  [[nodiscard]] std::uint64_t mask() const { return recent_.size() - 1; }
  [[nodiscard]] std::uint64_t oldest() const { return count_ - std::min<std::uint64_t>(count_, recent_.size()); }

  std::vector<Sent> recent_ = std::vector<Sent>(1024);
  std::vector<std::uint64_t> newest_ = std::vector<std::uint64_t>(1024);
  std::uint64_t count_ = 0;
  std::uint64_t forgotten_ns_ = 0;
  bool has_forgotten_ = false;
};

}  // namespace hft::core
