// One small deterministic strategy: it crosses the spread towards the heavier side of the touch. No alpha is claimed;
// it exists so that market data leads to orders, cancels and executions.
#pragma once

#include <optional>
#include <vector>

#include "core/ledger.h"
#include "core/types.h"

namespace hft::core {

class Strategy {
 public:
  void configure(const StrategyConfig& config) { config_ = config; }
  [[nodiscard]] bool trades() const { return config_.name == "imbalance"; }
  [[nodiscard]] std::uint64_t order_timeout_ns() const { return config_.order_timeout_ms * 1'000'000ULL; }

  // What to send for this symbol now, if anything; it alternates sides by itself, since it never adds to a position
  // larger than one clip.
  std::optional<OrderRequest> decide(SymbolId symbol, const Bbo& bbo, const Holding& held, std::uint64_t now_ns) {
    if (symbol >= last_ns_.size()) last_ns_.resize(symbol + 1, kNever);
    if (last_ns_[symbol] != kNever && now_ns - last_ns_[symbol] < config_.cooldown_us * 1000ULL) return std::nullopt;
    if (held.working_buy + held.working_sell != 0) return std::nullopt;
    const std::uint64_t both = bbo.bid_shares + bbo.ask_shares;
    if (both == 0) return std::nullopt;
    const std::int64_t lean = (static_cast<std::int64_t>(bbo.bid_shares) - static_cast<std::int64_t>(bbo.ask_shares)) *
                              1000 / static_cast<std::int64_t>(both);
    const auto threshold = static_cast<std::int64_t>(config_.threshold_permille);
    const bool buy = lean >= threshold && held.position <= 0;
    const bool sell = lean <= -threshold && held.position >= 0;
    if (!buy && !sell) return std::nullopt;
    last_ns_[symbol] = now_ns;
    return OrderRequest{symbol, buy ? 'B' : 'S', config_.clip, buy ? bbo.ask_e4 : bbo.bid_e4, '0'};
  }

  void forget() { last_ns_.clear(); }

 private:
  static constexpr std::uint64_t kNever = UINT64_MAX;
  StrategyConfig config_;
  std::vector<std::uint64_t> last_ns_;
};

}  // namespace hft::core
