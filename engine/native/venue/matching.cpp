// The matching core's rules; matching.h says what is declared.
#include "venue/matching.h"

#include <algorithm>

namespace hft::venue {

namespace {

Event about(What what, const Order& order, Quantity quantity) {
  Event event;
  event.what = what;
  event.side = order.side;
  event.attributable = order.attributable;
  event.account = order.account;
  event.firm = order.firm;
  event.symbol = order.symbol;
  event.urn = order.urn;
  event.ref = order.ref;
  event.quantity = quantity;
  event.price = order.price;
  return event;
}

Event canceled(const Order& order, Quantity quantity, char reason) {
  Event event = about(What::canceled, order, quantity);
  event.reason = reason;
  return event;
}

}  // namespace

Matching::Matching(Symbol symbols, SelfTrade self_trade, ReferenceSource references)
    : books_(symbols), slots_(1), references_(references), self_trade_(self_trade) {}

Verdict Matching::check(Symbol symbol, Quantity quantity, Price price) const {
  if (symbol >= books_.size()) return Verdict::invalid_symbol;
  if (quantity == 0 || quantity > kQuantityMax) return Verdict::invalid_quantity;
  if (price == 0 || price > kPriceMax) return Verdict::invalid_price;
  return Verdict::done;
}

Verdict Matching::enter(const NewOrder& request, Events& events, OrderRef* ref) {
  const Verdict verdict = check(request.symbol, request.quantity, request.price);
  if (verdict != Verdict::done) return verdict;
  Order order;
  order.ref = references_.next();
  order.account = request.account;
  order.firm = request.firm;
  order.urn = request.urn;
  order.symbol = request.symbol;
  order.side = request.side;
  order.attributable = request.attributable;
  order.open = request.quantity;
  order.price = request.price;
  if (ref != nullptr) *ref = order.ref;
  Event accepted = about(What::accepted, order, order.open);
  accepted.immediate = request.immediate;
  events.push_back(accepted);
  match_and_rest(order, request.immediate, events);
  return Verdict::done;
}

Verdict Matching::replace(OrderRef old, const Replacement& request, Events& events, OrderRef* ref) {
  const auto found = index_.find(old);
  if (found == index_.end()) return Verdict::not_live;
  const std::uint32_t slot = found->second;
  const Order previous = slots_[slot];
  const Verdict verdict = check(previous.symbol, request.total, request.price);
  if (verdict != Verdict::done || request.total <= previous.used) {
    limit(old, 0, 'Z', events);
    return verdict != Verdict::done ? verdict : Verdict::invalid_quantity;
  }
  Order order = previous;
  order.ref = references_.next();
  order.urn = request.urn;
  order.open = request.total - previous.used;
  order.price = request.price;
  order.attributable = request.attributable;
  if (ref != nullptr) *ref = order.ref;
  remove(slot);
  // An ITCH replace keeps the attribution of the original (ITCH 5.0, Order Replace): a change of it needs
  // delete and add, as does a replacement that trades before it rests.
  const bool in_place = !crosses(order) && !request.immediate && order.attributable == previous.attributable;
  Event replaced = about(What::replaced, order, order.open);
  replaced.other = previous.ref;
  replaced.other_urn = previous.urn;
  replaced.immediate = request.immediate;
  events.push_back(replaced);
  if (!in_place) {
    events.push_back(about(What::book_delete, previous, previous.open));
    match_and_rest(order, request.immediate, events);
    return Verdict::done;
  }
  rest(order);
  replaced.what = What::book_replace;
  events.push_back(replaced);
  return Verdict::done;
}

Verdict Matching::limit(OrderRef ref, Quantity total, char reason, Events& events) {
  const auto found = index_.find(ref);
  if (found == index_.end()) return Verdict::not_live;
  const Order order = slots_[found->second];
  const Quantity keep = total > order.used ? total - order.used : 0;
  if (keep >= order.open) return Verdict::not_allowed;
  events.push_back(canceled(order, order.open - keep, reason));
  reduce(found->second, order.open - keep, events);
  return Verdict::done;
}

Verdict Matching::modify(OrderRef ref, Quantity total, Events& events) {
  const auto found = index_.find(ref);
  if (found == index_.end()) return Verdict::not_live;
  const Order order = slots_[found->second];
  const Quantity keep = total > order.used ? total - order.used : 0;
  if (keep > order.open) return Verdict::not_allowed;
  events.push_back(about(What::modified, order, keep));
  if (keep < order.open) reduce(found->second, order.open - keep, events);
  return Verdict::done;
}

std::size_t Matching::cancel_if(const std::function<bool(const Order&)>& picks, char reason, Events& events) {
  std::vector<std::pair<std::uint64_t, OrderRef>> picked;
  for (const auto& [ref, slot] : index_) {
    if (picks(slots_[slot])) picked.emplace_back(slots_[slot].entered, ref);
  }
  std::sort(picked.begin(), picked.end());  // the hash table's own order must not show
  for (const auto& [entered, ref] : picked) limit(ref, 0, reason, events);
  return picked.size();
}

const Order* Matching::find(OrderRef ref) const {
  const auto found = index_.find(ref);
  return found == index_.end() ? nullptr : &slots_[found->second];
}

Price Matching::best(Symbol symbol, Side side) const {
  const Book& book = books_[symbol];
  if (side == Side::buy) return book.bids.empty() ? 0 : book.bids.begin()->first;
  return book.asks.empty() ? 0 : book.asks.begin()->first;
}

void Matching::walk(Symbol symbol, Side side, const std::function<void(const Order&)>& visit) const {
  const auto each = [&](const auto& levels) {
    for (const auto& [price, level] : levels) {
      for (std::uint32_t slot = level.head; slot != 0; slot = slots_[slot].next) visit(slots_[slot]);
    }
  };
  side == Side::buy ? each(books_[symbol].bids) : each(books_[symbol].asks);
}

bool Matching::crosses(const Order& order) const {
  const Price opposite = best(order.symbol, order.side == Side::buy ? Side::sell : Side::buy);
  if (opposite == 0) return false;
  return order.side == Side::buy ? order.price >= opposite : order.price <= opposite;
}

void Matching::match_and_rest(Order& order, bool immediate, Events& events) {
  Book& book = books_[order.symbol];
  order.side == Side::buy ? trade_against(book.asks, order, events) : trade_against(book.bids, order, events);
  if (order.open == 0) return;
  if (immediate) {
    events.push_back(canceled(order, order.open, 'I'));
    return;
  }
  rest(order);
  events.push_back(about(What::book_add, order, order.open));
}

template <class Levels>
void Matching::trade_against(Levels& levels, Order& taker, Events& events) {
  while (taker.open > 0 && !levels.empty() && crosses(taker)) {
    const std::uint32_t maker_slot = levels.begin()->second.head;
    if (!prevent_self_match(taker, maker_slot, events)) trade(taker, maker_slot, events);
  }
}

void Matching::trade(Order& taker, std::uint32_t maker_slot, Events& events) {
  Order& maker = slots_[maker_slot];
  const Quantity quantity = std::min(taker.open, maker.open);
  Event event = about(What::book_execute, maker, quantity);
  event.match = ++matches_;
  event.other = taker.ref;
  events.push_back(event);
  event.what = What::executed;
  event.maker = true;
  events.push_back(event);
  event = about(What::executed, taker, quantity);
  event.match = matches_;
  event.other = maker.ref;
  event.price = maker.price;
  events.push_back(event);
  taker.open -= quantity;
  taker.used += quantity;
  maker.open -= quantity;
  maker.used += quantity;
  if (maker.open == 0) remove(maker_slot);
}

bool Matching::prevent_self_match(Order& taker, std::uint32_t maker_slot, Events& events) {
  const Order maker = slots_[maker_slot];
  if (self_trade_ == SelfTrade::allow || taker.firm == kHouseFirm || maker.firm != taker.firm) return false;
  const Quantity would_trade = std::min(taker.open, maker.open);
  const Order& loser = self_trade_ == SelfTrade::cancel_newest ? taker : maker;
  Event event = about(What::self_matched, loser, loser.open);
  event.other_quantity = would_trade;
  event.reason = 'Q';
  event.maker = self_trade_ == SelfTrade::cancel_oldest;
  event.price = maker.price;
  events.push_back(event);
  if (event.maker) {
    reduce(maker_slot, maker.open, events);
  } else {
    taker.used += taker.open;
    taker.open = 0;
  }
  return true;
}

void Matching::rest(const Order& order) {
  std::uint32_t slot;
  if (free_.empty()) {
    slot = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  Book& book = books_[order.symbol];
  Level& level = order.side == Side::buy ? book.bids[order.price] : book.asks[order.price];
  Order& stored = slots_[slot] = order;
  stored.entered = ++arrivals_;
  stored.previous = level.tail;
  stored.next = 0;
  (level.tail == 0 ? level.head : slots_[level.tail].next) = slot;
  level.tail = slot;
  index_.emplace(order.ref, slot);
}

void Matching::unlink(std::uint32_t slot) {
  const Order& order = slots_[slot];
  Book& book = books_[order.symbol];
  const auto take_out = [&](auto& levels) {
    const auto at = levels.find(order.price);
    Level& level = at->second;
    (order.previous == 0 ? level.head : slots_[order.previous].next) = order.next;
    (order.next == 0 ? level.tail : slots_[order.next].previous) = order.previous;
    if (level.head == 0) levels.erase(at);
  };
  order.side == Side::buy ? take_out(book.bids) : take_out(book.asks);
}

void Matching::remove(std::uint32_t slot) {
  unlink(slot);
  index_.erase(slots_[slot].ref);
  free_.push_back(slot);
}

Quantity Matching::reduce(std::uint32_t slot, Quantity quantity, Events& events) {
  Order& order = slots_[slot];
  order.open -= quantity;
  events.push_back(about(order.open == 0 ? What::book_delete : What::book_reduce, order, quantity));
  const Quantity left = order.open;
  if (left == 0) remove(slot);
  return left;
}

}  // namespace hft::venue
