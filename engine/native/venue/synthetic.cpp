// What the unnamed participants do next; synthetic.h names the mixes.
#include "venue/synthetic.h"

#include <algorithm>

namespace hft::venue {

namespace {
constexpr Price kTick = 100;  // one cent
constexpr std::size_t kRecentSpan = 4096;
}  // namespace

Synthetic::Synthetic(Matching& core, const Mix& mix, std::size_t live_target, std::uint64_t seed)
    : core_(core), mix_(mix), live_target_(live_target), seed_(seed), random_(seed) {}

// Activity is uneven, as in a real day: the smaller of two draws.
Symbol Synthetic::pick_symbol() {
  const std::uint64_t symbols = core_.symbols();
  return static_cast<Symbol>(std::min(random_.below(symbols), random_.below(symbols)));
}

// Between $10 and $500, fixed for the symbol and the day: bids stay below it, asks above.
Price Synthetic::middle(Symbol symbol) const {
  return static_cast<Price>(100'000 + kTick * (mix64(seed_ * 0x10000 + symbol) % 49'000));
}

Price Synthetic::passive_price(Symbol symbol, Side side) {
  const auto away = static_cast<Price>(kTick * (1 + std::min(random_.below(30), random_.below(30))));
  return side == Side::buy ? middle(symbol) - away : middle(symbol) + away;
}

void Synthetic::add(Events& events) {
  NewOrder order;
  order.symbol = pick_symbol();
  order.side = static_cast<Side>(random_.below(2));
  order.quantity = pick_quantity();
  order.price = passive_price(order.symbol, order.side);
  order.attributable = random_.below(3) == 0;
  OrderRef ref = 0;
  if (core_.enter(order, events, &ref) == Verdict::done && core_.find(ref) != nullptr) refs_.push_back(ref);
}

// Hits the best order of a random book, never more than it holds: one execution.
void Synthetic::take(Events& events) {
  NewOrder order;
  order.symbol = pick_symbol();
  order.side = static_cast<Side>(random_.below(2));
  order.price = core_.best(order.symbol, order.side == Side::buy ? Side::sell : Side::buy);
  if (order.price == 0) return add(events);
  order.quantity = pick_quantity();
  order.immediate = true;
  core_.enter(order, events);
}

OrderRef Synthetic::pick_order() {
  for (int tries = 0; tries < 8 && !refs_.empty(); ++tries) {
    const bool recent = random_.unit() < mix_.recent;
    const std::size_t span = recent ? std::min(kRecentSpan, refs_.size()) : refs_.size();
    const OrderRef ref = refs_[refs_.size() - 1 - random_.below(span)];
    if (core_.find(ref) != nullptr) return ref;
  }
  return 0;
}

void Synthetic::replace(Events& events) {
  const OrderRef old = pick_order();
  const Order* order = core_.find(old);
  if (order == nullptr) return add(events);
  const Price price = passive_price(order->symbol, order->side);
  OrderRef ref = 0;
  const Replacement request{0, order->used + pick_quantity(), price, false, order->attributable};
  if (core_.replace(old, request, events, &ref) == Verdict::done && core_.find(ref) != nullptr) {
    refs_.push_back(ref);
  }
}

void Synthetic::compact() {
  if (refs_.size() < 2 * core_.live() + 4 * kRecentSpan) return;
  std::erase_if(refs_, [&](OrderRef ref) { return core_.find(ref) == nullptr; });
}

void Synthetic::step(Events& events) {
  compact();
  if (!filled_) {
    filled_ = core_.live() + 1 >= live_target_;
    return add(events);
  }
  std::uint64_t at = random_.below(mix_.add + mix_.remove + mix_.replace + mix_.take + mix_.reduce);
  const auto falls_in = [&](std::uint32_t weight) {
    const bool inside = at < weight;
    at -= inside ? 0 : weight;
    return inside;
  };
  if (falls_in(mix_.add)) {
    if (core_.live() < live_target_ + live_target_ / 50) return add(events);
    core_.limit(pick_order(), 0, 'U', events);  // held near the target
  } else if (falls_in(mix_.remove)) {
    if (core_.live() + live_target_ / 50 < live_target_) return add(events);
    core_.limit(pick_order(), 0, 'U', events);
  } else if (falls_in(mix_.replace)) {
    replace(events);
  } else if (falls_in(mix_.take)) {
    take(events);
  } else if (const Order* order = core_.find(pick_order()); order != nullptr && order->open > 1) {
    core_.limit(order->ref, order->used + order->open / 2, 'U', events);
  }
}

}  // namespace hft::venue
