// Coarse limits of the gateway's own, outside the engine's code: rate, quantity, notional, symbols. Pure.
//
// They come from the signed limits file and hold even when the engine's own checks are gone (17 CFR 240.15c3-5
// wants them under the broker's direct control). Limits bound orders; a cancel is never stopped by a limit.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/reason.h"
#include "gateway/venue_rules.h"

namespace hft::gateway {

struct Limits {
  std::uint64_t serial = 0;
  std::int64_t not_after_utc_ns = 0;
  std::uint32_t orders_per_s_max = 0;
  std::uint32_t order_quantity_max_shares = 0;
  std::uint64_t order_notional_max_e4 = 0;  // shares times price in 1/10,000
  std::vector<std::string> symbols;         // sorted, without the wire's padding
  std::string digest;
  VenueRules rules = {};

  bool allows(std::string_view symbol) const { return std::binary_search(symbols.begin(), symbols.end(), symbol); }
};

// May FRESH replace what is loaded? Serials rise, across restarts too: an older, looser file stays valid by its
// signature, and only its serial gives it away.
inline Reason may_load(const Limits& fresh, std::uint64_t serial_seen, std::string_view digest_seen,
                       std::int64_t now_utc_ns) {
  if (fresh.serial < serial_seen) return Reason::limits_older;
  if (fresh.serial == serial_seen && fresh.digest != digest_seen) return Reason::limits_older;
  return fresh.not_after_utc_ns <= now_utc_ns ? Reason::limits_expired : Reason::ok;
}

// The last N order times; an order passes when the Nth last is at least one second old. Exact, no buckets.
class RateWindow {
 public:
  static constexpr std::int64_t kWindowNs = 1'000'000'000;

  bool is_full(std::uint32_t orders_max, std::int64_t now_ns) const {
    if (orders_max == 0) return true;
    if (times_.size() != orders_max) return false;  // just resized: empty
    const auto oldest = times_[next_];
    return oldest != kNever && now_ns - oldest < kWindowNs;
  }

  void record(std::uint32_t orders_max, std::int64_t now_ns) {
    if (times_.size() != orders_max) resize(orders_max);
    times_[next_] = now_ns;
    next_ = (next_ + 1) % times_.size();
  }

  // Keeps the newest times, so that reloading limits does not open a fresh window.
  void resize(std::uint32_t orders_max) {
    std::vector<std::int64_t> newest;
    for (std::size_t back = 1; back <= times_.size() && newest.size() < orders_max; ++back)
      newest.push_back(times_[(next_ + times_.size() - back) % times_.size()]);
    times_.assign(orders_max, kNever);
    next_ = 0;
    for (auto time = newest.rbegin(); time != newest.rend(); ++time) {
      times_[next_] = *time;
      next_ = (next_ + 1) % times_.size();
    }
  }

 private:
  static constexpr std::int64_t kNever = INT64_MIN;
  std::vector<std::int64_t> times_;
  std::size_t next_ = 0;
};

struct OrderSize {
  std::string_view symbol;
  std::uint32_t quantity = 0;
  std::uint64_t price_e4 = 0;
};

inline Reason within(const std::optional<Limits>& limits, const RateWindow& window, const OrderSize& order,
                     std::int64_t now_ns, std::int64_t now_utc_ns) {
  if (!limits) return Reason::limits_missing;
  if (limits->not_after_utc_ns <= now_utc_ns) return Reason::limits_expired;
  if (!limits->allows(order.symbol)) return Reason::limit_symbol;
  if (order.quantity > limits->order_quantity_max_shares) return Reason::limit_quantity;
  const auto notional = static_cast<unsigned __int128>(order.quantity) * order.price_e4;
  if (notional > limits->order_notional_max_e4) return Reason::limit_notional;
  return window.is_full(limits->orders_per_s_max, now_ns) ? Reason::limit_orders_per_s : Reason::ok;
}

}  // namespace hft::gateway
