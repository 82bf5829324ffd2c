// The L3 book of every symbol: each displayed order, on its price level, in time priority.
//
// Fed with ITCH 5.0 messages. References that were never seen are tolerated and counted, since a feed may be
// joined mid-day; a reject changes nothing. All memory is taken at the start except ladders, which grow while a
// symbol reaches more price levels than ever before.
//
// The digest covers the full depth with order priority: over all live orders, the sum modulo 2^64 of a mix of
// {reference, reference of the order ahead (0: none), price, shares, locate, side}. A sum can be kept up to date
// in constant time, and anyone can compute it anew from nothing but the lists of orders (see order_term).
#pragma once

#include <optional>

#include "book/ref_index.h"
#include "wire/itch_decode.h"

namespace hft::book {

constexpr std::uint64_t order_term(const Order& order, std::uint64_t reference_ahead) {
  const std::uint64_t place = std::uint64_t{order.locate} << 1 | static_cast<std::uint64_t>(order.side);
  const std::uint64_t size = std::uint64_t{order.price} << 32 | order.shares;
  return mix64(mix64(order.reference ^ kMixA, reference_ahead ^ kMixB) ^ size, place ^ kMixC);
}

// What a book with these limits takes at the start, and some for its ladders to grow in.
inline std::size_t memory_for(const Limits& limits) {
  constexpr std::size_t kLadders = std::size_t{8} << 20;
  return limits.orders_max * (sizeof(Order) + sizeof(Slot)) + RefIndex::bytes_for(limits.orders_max) +
         limits.levels_max * (sizeof(Level) + sizeof(Slot)) + limits.locates * (sizeof(Symbol) + sizeof(Head)) +
         kLadders;
}

class Book {
 public:
  // A place in a ladder and its level; not to be relied on once the book has changed.
  struct Near {
    std::uint32_t rung = 0;
    Slot level = kNone;
  };

  explicit Book(const Limits& limits = {}, std::pmr::memory_resource* memory = std::pmr::get_default_resource())
      : orders_(limits.orders_max, memory),
        levels_(limits.levels_max, memory),
        index_(limits.orders_max, memory),
        symbols_(memory),
        heads_(limits.locates, memory) {
    symbols_.reserve(limits.locates);
    for (std::size_t i = 0; i < limits.locates; ++i) symbols_.emplace_back(memory);
  }

  // Decode one message and apply it.
  Result apply(Bytes message, Hint hint = {}) {
    const Result result =
        itch::check(message) == Reject::none ? apply_checked(message.data(), hint) : Result{Applied::malformed};
    ++counters_.applied[static_cast<std::size_t>(result.what)];
    return result;
  }

  // Asking for memory beforehand; the order of it is in book/prefetch.h. None of these changes the book.
  void prefetch_entry(std::uint64_t reference) const { index_.prefetch(reference); }
  void prefetch_symbol(std::uint16_t locate) const {
    if (locate >= symbols_.size()) return;
    prefetch(&symbols_[locate]);
  }
  Slot prefetch_order(std::uint64_t reference) const {
    const Slot slot = index_.guess(reference);
    prefetch(&orders_[slot]);
    return slot;
  }
  void prefetch_ladder(std::uint16_t locate, Side side) const {
    if (locate >= symbols_.size() || ladder(locate, side).empty()) return;
    const auto& rungs = ladder(locate, side);
    const std::size_t near = std::min(rungs.size(), kNear);
    for (std::size_t i = 1; i <= near; i += 8) prefetch(&rungs[rungs.size() - i]);
    prefetch(&rungs[rungs.size() - near]);
  }
  void prefetch_neighbours(Slot slot) const {
    const Order& order = orders_[slot];
    prefetch(&levels_[order.level]);
    prefetch(&orders_[order.ahead]);
    prefetch(&orders_[order.behind]);
  }
  // The level of this price or the next better one.
  Near prefetch_level(std::uint16_t locate, Side side, std::uint32_t price) const {
    if (locate >= symbols_.size()) return {};
    const auto& rungs = ladder(locate, side);
    const std::size_t at = rung_at(rungs, key_of(side, price));
    if (at == rungs.size()) return {};
    prefetch(&levels_[rungs[at].level]);
    return {static_cast<std::uint32_t>(at), rungs[at].level};
  }
  void prefetch_last(Slot level) const { prefetch(&orders_[levels_[level].last]); }
  // For the last order of a level: it will take the level's rung along.
  void prefetch_rung(Slot slot) const {
    const Order& order = orders_[slot];
    if (levels_[order.level].orders == 1) prefetch_ladder(order.locate, order.side);
  }
  // Only to prefetch by: the slot may be another order's when the message's turn comes.
  Side side_at(Slot slot) const { return orders_[slot].side; }

  Bbo bbo(std::uint16_t locate) const { return {top(locate, Side::bid), top(locate, Side::ask)}; }

  Top top(std::uint16_t locate, Side side) const {
    if (locate >= symbols_.size()) return {};
    const Level& best = levels_[best_of(locate, side)];  // level 0 is what an empty side has
    return {best.price, best.shares, best.orders};
  }

  // Call `take(const Level&)` from the best price on.
  template <class Take>
  void for_each_level(std::uint16_t locate, Side side, Take&& take) const {
    if (locate >= symbols_.size()) return;
    const auto& rungs = ladder(locate, side);
    for (auto rung = rungs.rbegin(); rung != rungs.rend(); ++rung) take(levels_[rung->level]);
  }

  // Call `take(const Order&)` in time priority.
  template <class Take>
  void for_each_order(const Level& level, Take&& take) const {
    for (Slot at = level.first; at != kNone; at = orders_[at].behind) take(orders_[at]);
  }

  std::optional<Order> find(std::uint64_t reference) const {
    const Slot slot = slot_of(reference);
    return slot == kNone ? std::nullopt : std::optional(orders_[slot]);
  }

  std::string_view stock(std::uint16_t locate) const {
    if (locate >= symbols_.size() || heads_[locate].stock[0] == '\0') return {};
    return {heads_[locate].stock.data(), heads_[locate].stock.size()};
  }

  // Another day: no order, no symbol. Memory and counters stay.
  void clear() {
    orders_.clear();
    levels_.clear();
    index_.clear();
    for (Symbol& symbol : symbols_) {
      for (auto& rungs : symbol.ladders) rungs.clear();
    }
    std::fill(heads_.begin(), heads_.end(), Head{});
    digest_ = 0;
  }

  std::uint64_t digest() const { return digest_; }
  std::size_t orders_live() const { return orders_.used(); }
  std::size_t levels_live() const { return levels_.used(); }
  std::size_t locates() const { return symbols_.size(); }
  const Counters& counters() const { return counters_; }

  // The digest from nothing but the lists; what the rolling one must equal.
  std::uint64_t recomputed_digest() const {
    std::uint64_t sum = 0;
    for (std::size_t locate = 0; locate < symbols_.size(); ++locate) {
      for (const Side side : {Side::bid, Side::ask}) {
        for_each_level(static_cast<std::uint16_t>(locate), side, [&](const Level& level) {
          std::uint64_t ahead = 0;
          for_each_order(level, [&](const Order& order) {
            sum += order_term(order, ahead);
            ahead = order.reference;
          });
        });
      }
    }
    return sum;
  }

  // The operations themselves, for whoever has decoded already. They count nothing but mismatches and excess.

  // A new order at the back of its level; `order` needs reference, price, shares, locate and side.
  Result add(const Order& order, Hint hint = {}) {
    if (order.shares == 0) return {Applied::zero_shares};
    if (slot_of(order.reference) != kNone) return {Applied::duplicate_reference};
    if (order.locate >= symbols_.size() || orders_.full() || levels_.full()) return {Applied::capacity};
    return {Applied::changed, enter(order, hint.rung), order.locate};
  }

  // An execution or a partial cancel: the order keeps its place with fewer shares, or goes.
  Result reduce(std::uint64_t reference, std::uint32_t shares, std::uint16_t locate, Hint hint = {}) {
    const Slot slot = slot_of(reference, hint.order);
    if (slot == kNone) return {Applied::unknown_reference};
    if (shares == 0) return {Applied::zero_shares};
    Order& order = orders_[slot];
    const std::uint16_t own = own_locate(order, locate);
    if (shares >= order.shares) {
      counters_.excess_shares += shares > order.shares;
      return {Applied::changed, leave(slot), own};
    }
    const std::uint64_t ahead = orders_[order.ahead].reference;
    digest_ -= order_term(order, ahead);
    order.shares -= shares;
    digest_ += order_term(order, ahead);
    levels_[order.level].shares -= shares;
    return {Applied::changed, is_best(order), own};
  }

  Result remove(std::uint64_t reference, std::uint16_t locate, Hint hint = {}) {
    const Slot slot = slot_of(reference, hint.order);
    if (slot == kNone) return {Applied::unknown_reference};
    const std::uint16_t own = own_locate(orders_[slot], locate);
    return {Applied::changed, leave(slot), own};
  }

  // `wanted` needs reference, price, shares and locate; side and symbol are the old order's. The replacement goes to
  // the back of its level, even at the same price.
  Result replace(std::uint64_t reference, const Order& wanted, Hint hint = {}) {
    const Slot slot = slot_of(reference, hint.order);
    if (slot == kNone) return {Applied::unknown_reference};
    if (wanted.shares == 0) return {Applied::zero_shares};
    const Slot taken = slot_of(wanted.reference);
    if (taken != kNone && taken != slot) return {Applied::duplicate_reference};
    if (levels_.full()) return {Applied::capacity};
    Order fresh = wanted;
    fresh.locate = own_locate(orders_[slot], fresh.locate);
    fresh.side = orders_[slot].side;
    const bool left_top = leave(slot);
    return {Applied::changed, enter(fresh, hint.rung) || left_top, fresh.locate};
  }

 private:
  Result apply_checked(const std::uint8_t* message, Hint hint) {
    const std::uint16_t locate = itch::locate.load(message);
    const auto reference = [message] { return itch::order_reference.load(message); };
    switch (static_cast<char>(message[0])) {
      case itch::AddOrder::type:
      case itch::AddOrderMpid::type: return decode_add(View<itch::AddOrder>(message), hint);
      case itch::OrderExecuted::type:
      case itch::OrderExecutedPrice::type:
        return reduce(reference(), itch::OrderExecuted::shares.load(message), locate, hint);
      case itch::OrderCancel::type: return reduce(reference(), itch::OrderCancel::shares.load(message), locate, hint);
      case itch::OrderDelete::type: return remove(reference(), locate, hint);
      case itch::OrderReplace::type: return decode_replace(View<itch::OrderReplace>(message), hint);
      case itch::StockDirectory::type:
        name(locate, itch::StockDirectory::stock.load(message));
        return {Applied::irrelevant};
      default: return {Applied::irrelevant};
    }
  }

  Result decode_add(View<itch::AddOrder> message, Hint hint) {
    const char side = message[itch::AddOrder::side];
    if (side != itch::kBuy && side != itch::kSell) return {Applied::bad_field};
    Order order;
    order.reference = message[itch::AddOrder::reference];
    order.price = message[itch::AddOrder::price];
    order.shares = message[itch::AddOrder::shares];
    order.locate = message[itch::locate];
    order.side = side == itch::kBuy ? Side::bid : Side::ask;
    const Result result = add(order, hint);
    if (result.what == Applied::changed && heads_[order.locate].stock[0] == '\0') {
      name(order.locate, message[itch::AddOrder::stock]);
    }
    return result;
  }

  Result decode_replace(View<itch::OrderReplace> message, Hint hint) {
    Order fresh;
    fresh.reference = message[itch::OrderReplace::new_reference];
    fresh.shares = message[itch::OrderReplace::shares];
    fresh.price = message[itch::OrderReplace::price];
    fresh.locate = message[itch::locate];
    return replace(message[itch::OrderReplace::reference], fresh, hint);
  }

  // Put an order at the back of its level; true when that is the best level of its side.
  bool enter(const Order& wanted, std::uint32_t rung) {
    const Slot slot = orders_.take();
    Order& order = orders_[slot] = wanted;
    order.level = level_for(order, rung);
    Level& level = levels_[order.level];
    order.ahead = level.last;
    order.behind = kNone;
    digest_ += order_term(order, level.last_reference);
    (level.last == kNone ? level.first : orders_[level.last].behind) = slot;
    level.last = slot;
    level.last_reference = order.reference;
    level.shares += order.shares;
    ++level.orders;
    index_.insert(order.reference, slot);
    return is_best(order);
  }

  // Take an order out; true when its level was the best of its side.
  bool leave(Slot slot) {
    const Order order = orders_[slot];
    const bool best = is_best(order);
    Level& level = levels_[order.level];
    const std::uint64_t ahead = orders_[order.ahead].reference;
    digest_ -= order_term(order, ahead);
    if (order.behind != kNone) {
      Order& behind = orders_[order.behind];
      digest_ += order_term(behind, ahead) - order_term(behind, order.reference);
      behind.ahead = order.ahead;
    } else {
      level.last = order.ahead;
      level.last_reference = ahead;
    }
    (order.ahead == kNone ? level.first : orders_[order.ahead].behind) = order.behind;
    level.shares -= order.shares;
    if (--level.orders == 0) drop_level(order);
    index_.erase(order.reference, slot);
    orders_[slot].level = kNone;
    orders_.give_back(slot);
    return best;
  }

  // The level of an order's price, made when it is not there.
  Slot level_for(const Order& order, std::uint32_t rung) {
    auto& rungs = ladder(order.locate, order.side);
    const std::uint32_t key = key_of(order.side, order.price);
    if (rung < rungs.size() && rungs[rung].key == key) return rungs[rung].level;
    const std::size_t at = rung_at(rungs, key);
    if (at < rungs.size() && rungs[at].key == key) return rungs[at].level;
    const Slot slot = levels_.take();
    levels_[slot] = Level{.price = order.price};
    rungs.insert(rungs.begin() + static_cast<std::ptrdiff_t>(at), Rung{key, slot});
    best_of(order.locate, order.side) = rungs.back().level;
    return slot;
  }

  void drop_level(const Order& order) {
    auto& rungs = ladder(order.locate, order.side);
    const std::size_t at = rung_at(rungs, key_of(order.side, order.price));
    rungs.erase(rungs.begin() + static_cast<std::ptrdiff_t>(at));
    best_of(order.locate, order.side) = rungs.empty() ? kNone : rungs.back().level;
    levels_.give_back(order.level);
  }

  // The first rung whose key is not below `key`. Most orders come near the best price, so the search starts at
  // that end; there it counts, because how far it has to go cannot be predicted.
  static std::size_t rung_at(const Symbol::Ladder& rungs, std::uint32_t key) {
    const std::size_t near = std::min(rungs.size(), kNear);
    const auto end = rungs.end() - static_cast<std::ptrdiff_t>(near);
    std::size_t not_below = 0;
    for (std::size_t i = 0; i < near; ++i) not_below += end[static_cast<std::ptrdiff_t>(i)].key >= key;
    if (not_below < near) return rungs.size() - not_below;
    const auto found = std::lower_bound(rungs.begin(), end, key,
                                        [](const Rung& rung, std::uint32_t wanted) { return rung.key < wanted; });
    return static_cast<std::size_t>(found - rungs.begin());
  }

  bool is_best(const Order& order) const { return best_of(order.locate, order.side) == order.level; }

  void name(std::uint16_t locate, std::string_view stock) {
    if (locate < symbols_.size()) std::copy_n(stock.begin(), 8, heads_[locate].stock.begin());
  }

  std::uint16_t own_locate(const Order& order, std::uint16_t said) {
    counters_.locate_mismatch += said != order.locate;
    return order.locate;
  }

  struct ReferenceOf {
    const Pool<Order>& orders;
    std::uint64_t operator()(Slot slot) const { return orders[slot].reference; }
  };
  ReferenceOf reference_of() const { return {orders_}; }
  Slot slot_of(std::uint64_t reference) const { return index_.find(reference, reference_of()); }
  Slot slot_of(std::uint64_t reference, Slot hint) const {
    const Order& order = orders_[hint];
    return order.reference == reference && order.level != kNone ? hint : slot_of(reference);
  }

  Slot& best_of(std::uint16_t locate, Side side) { return heads_[locate].best[static_cast<std::size_t>(side)]; }
  Slot best_of(std::uint16_t locate, Side side) const { return heads_[locate].best[static_cast<std::size_t>(side)]; }
  Symbol::Ladder& ladder(std::uint16_t locate, Side side) {
    return symbols_[locate].ladders[static_cast<std::size_t>(side)];
  }
  const Symbol::Ladder& ladder(std::uint16_t locate, Side side) const {
    return symbols_[locate].ladders[static_cast<std::size_t>(side)];
  }

  static constexpr std::size_t kNear = 16;

  Pool<Order> orders_;
  Pool<Level> levels_;
  RefIndex index_;
  std::pmr::vector<Symbol> symbols_;
  std::pmr::vector<Head> heads_;
  std::uint64_t digest_ = 0;
  Counters counters_;
};

}  // namespace hft::book
