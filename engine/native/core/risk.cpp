// The rules themselves: see risk.h.
#include "core/risk.h"

#include <algorithm>

namespace hft::core {
namespace {

bool beyond_collar(const OrderRequest& order, const RiskView& view) {
  if (!view.bbo.good()) return true;
  using Wide = unsigned __int128;
  constexpr std::uint64_t kWhole = 10'000;  // basis points
  if (order.side == 'B') {
    return Wide{order.price_e4} * kWhole > Wide{view.bbo.ask_e4} * (kWhole + view.limits.collar_bps);
  }
  const std::uint64_t share = view.limits.collar_bps < kWhole ? kWhole - view.limits.collar_bps : 0;
  return Wide{order.price_e4} * kWhole < Wide{view.bbo.bid_e4} * share;
}

bool beyond_position(const OrderRequest& order, const RiskView& view) {
  const Holding& held = view.ledger.of(order.symbol);
  const auto limit = static_cast<std::int64_t>(view.limits.position_max);
  if (order.side == 'B') {
    return held.position + static_cast<std::int64_t>(held.working_buy) + order.quantity > limit;
  }
  return held.position - static_cast<std::int64_t>(held.working_sell) - static_cast<std::int64_t>(order.quantity) <
         -limit;
}

bool trades_with_ourselves(const OrderRequest& order, const OrderTable& orders) {
  const bool buys = order.side == 'B';
  const auto against = orders.best(order.symbol, buys ? 'S' : 'B');
  return against && (buys ? order.price_e4 >= *against : order.price_e4 <= *against);
}

std::string_view judge_market(const OrderRequest& order, const RiskView& view) {
  if (view.feed_stale) return "risk.stale_feed";
  if (view.feed_gapped) return "risk.gapped_feed";
  if (beyond_collar(order, view)) return "risk.collar";
  return {};
}

std::string_view judge_exposure(const OrderRequest& order, const RiskView& view) {
  const Limits& limits = view.limits;
  const std::uint64_t notional = notional_e4(order.quantity, order.price_e4);
  if (notional > limits.order_notional_max_e4) return "risk.notional";
  if (notional > limits.gross_notional_max_e4 - std::min(limits.gross_notional_max_e4, view.ledger.gross_e4())) {
    return "risk.gross";
  }
  if (beyond_position(order, view)) return "risk.position";
  if (view.orders.count() >= limits.open_orders_max) return "risk.open_orders";
  return {};
}

std::string_view judge_conduct(const OrderRequest& order, const RiskView& view) {
  const Limits& limits = view.limits;
  if (view.recent.seen(order, limits.duplicate_window_ms * 1'000'000, view.now_ns)) return "risk.duplicate";
  if (trades_with_ourselves(order, view.orders)) return "risk.self_trade";
  if (!only_reduces(order, view.ledger.of(order.symbol))) {
    if (daily_loss_hit(limits, view.ledger)) return "risk.daily_loss";
    if (view.executions_since_resume >= limits.repeated_executions_max) return "risk.repeated";
  }
  if (!view.rate.room(limits.messages_per_second_max, view.now_ns)) return "risk.rate";
  return {};
}

}  // namespace

bool daily_loss_hit(const Limits& limits, const Ledger& ledger) {
  return ledger.realised_e4() < -static_cast<std::int64_t>(limits.daily_loss_max_e4);
}

bool only_reduces(const OrderRequest& order, const Holding& held) {
  const std::int64_t room = order.side == 'B' ? -held.position - static_cast<std::int64_t>(held.working_buy)
                                              : held.position - static_cast<std::int64_t>(held.working_sell);
  return room >= static_cast<std::int64_t>(order.quantity);
}

std::string_view judge(const OrderRequest& order, const RiskView& view) {
#ifdef HFT_DRILL
  if (drill_no_risk) return {};
#endif
  if (view.utc_ns >= view.limits.not_after_utc_ns) return "risk.limits_expired";
  if (!view.symbol_allowed) return "risk.symbol";
  // OUCH 5.0 cannot carry a price above its maximum: such an order is as wrong as one that is too large.
  if (order.quantity == 0 || order.quantity > view.limits.order_quantity_max) return "risk.size";
  if (order.quantity >= ouch::kQuantityLimit) return "risk.size";
  if (order.price_e4 > ouch::kPriceMax || order.price_e4 == 0) return "risk.collar";
  if (const auto refused = judge_market(order, view); !refused.empty()) return refused;
  if (const auto refused = judge_exposure(order, view); !refused.empty()) return refused;
  return judge_conduct(order, view);
}

}  // namespace hft::core
