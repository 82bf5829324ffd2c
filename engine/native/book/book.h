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
         limits.levels_max * (sizeof(Level) + sizeof(Slot)) + limits.locates * sizeof(Symbol) + kLadders;
}

class Book {
 public:
  explicit Book(const Limits& limits = {}, std::pmr::memory_resource* memory = std::pmr::get_default_resource())
      : orders_(limits.orders_max, memory),
        levels_(limits.levels_max, memory),
        index_(limits.orders_max, memory),
        symbols_(memory) {
    symbols_.reserve(limits.locates);
    for (std::size_t i = 0; i < limits.locates; ++i) symbols_.emplace_back(memory);
  }

  // Decode one message and apply it.
  Result apply(Bytes message) {
    const Result result = itch::check(message) == Reject::none ? apply_checked(message.data())
                                                               : Result{Applied::malformed};
    ++counters_.applied[static_cast<std::size_t>(result.what)];
    return result;
  }

  // First wave, a datagram ahead: bring in the index entries that the message reads and writes.
  void prefetch_index(Bytes message) const {
    if (!names_order(message)) return;
    prefetch_index(itch::order_reference.load(message.data()));
    if (is_replace(message)) prefetch_index(itch::OrderReplace::new_reference.load(message.data()));
  }
  void prefetch_index(std::uint64_t reference) const { index_.prefetch(reference); }

  // Second wave, once the entry is there: bring in the order itself, or for an add the end of its ladder.
  void prefetch_order(Bytes message) const {
    if (!names_order(message)) return;
    if (is_add(message)) prefetch_ladder(itch::locate.load(message.data()), side_of(message));
    else prefetch_order(itch::order_reference.load(message.data()));
  }

  // Third wave: the level of an add, and of any other order its level and its neighbours in the queue.
  void prefetch_level(Bytes message) const {
    if (!names_order(message)) return;
    if (is_add(message)) {
      prefetch_level(itch::locate.load(message.data()), side_of(message), itch::AddOrder::price.load(message.data()));
    } else {
      prefetch_near(itch::order_reference.load(message.data()));
    }
  }

  // Fourth wave: the order at the back of the level that an add goes to.
  void prefetch_last(Bytes message) const {
    if (!names_order(message) || !is_add(message)) return;
    prefetch_last(itch::locate.load(message.data()), side_of(message), itch::AddOrder::price.load(message.data()));
  }

  void prefetch_order(std::uint64_t reference) const { prefetch(&orders_[index_.guess(reference)]); }
  void prefetch_ladder(std::uint16_t locate, Side side) const {
    if (locate < symbols_.size() && !ladder(locate, side).empty()) prefetch(&ladder(locate, side).back());
  }
  void prefetch_near(std::uint64_t reference) const {
    const Order& order = orders_[index_.guess(reference)];
    prefetch(&levels_[order.level]);
    prefetch(&orders_[order.ahead]);
    prefetch(&orders_[order.behind]);
    prefetch_ladder(order.locate, order.side);
  }
  void prefetch_level(std::uint16_t locate, Side side, std::uint32_t price) const {
    prefetch(&levels_[level_near(locate, side, price)]);
  }
  void prefetch_last(std::uint16_t locate, Side side, std::uint32_t price) const {
    prefetch(&orders_[levels_[level_near(locate, side, price)].last]);
  }

  Bbo bbo(std::uint16_t locate) const { return {top(locate, Side::bid), top(locate, Side::ask)}; }

  Top top(std::uint16_t locate, Side side) const {
    if (locate >= symbols_.size() || ladder(locate, side).empty()) return {};
    const Level& best = levels_[ladder(locate, side).back().level];
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
    if (locate >= symbols_.size() || symbols_[locate].stock[0] == '\0') return {};
    return {symbols_[locate].stock.data(), symbols_[locate].stock.size()};
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
  Result add(const Order& order) {
    if (order.shares == 0) return {Applied::zero_shares};
    if (slot_of(order.reference) != kNone) return {Applied::duplicate_reference};
    if (order.locate >= symbols_.size() || orders_.full() || levels_.full()) return {Applied::capacity};
    return {Applied::changed, enter(order), order.locate};
  }

  // An execution or a partial cancel: the order keeps its place with fewer shares, or goes.
  Result reduce(std::uint64_t reference, std::uint32_t shares, std::uint16_t locate) {
    const Slot slot = slot_of(reference);
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

  Result remove(std::uint64_t reference, std::uint16_t locate) {
    const Slot slot = slot_of(reference);
    if (slot == kNone) return {Applied::unknown_reference};
    const std::uint16_t own = own_locate(orders_[slot], locate);
    return {Applied::changed, leave(slot), own};
  }

  // `fresh` needs reference, price, shares and locate; side and symbol are the old order's. The replacement goes to
  // the back of its level, even at the same price.
  Result replace(std::uint64_t reference, Order fresh) {
    const Slot slot = slot_of(reference);
    if (slot == kNone) return {Applied::unknown_reference};
    if (fresh.shares == 0) return {Applied::zero_shares};
    const Slot taken = slot_of(fresh.reference);
    if (taken != kNone && taken != slot) return {Applied::duplicate_reference};
    if (levels_.full()) return {Applied::capacity};
    fresh.locate = own_locate(orders_[slot], fresh.locate);
    fresh.side = orders_[slot].side;
    const bool left_top = leave(slot);
    return {Applied::changed, enter(fresh) || left_top, fresh.locate};
  }

 private:
  Result apply_checked(const std::uint8_t* message) {
    const std::uint16_t locate = itch::locate.load(message);
    const auto reference = [message] { return itch::order_reference.load(message); };
    switch (static_cast<char>(message[0])) {
      case itch::AddOrder::type:
      case itch::AddOrderMpid::type:
        return decode_add(View<itch::AddOrder>(message));
      case itch::OrderExecuted::type:
      case itch::OrderExecutedPrice::type:
        return reduce(reference(), itch::OrderExecuted::shares.load(message), locate);
      case itch::OrderCancel::type:
        return reduce(reference(), itch::OrderCancel::shares.load(message), locate);
      case itch::OrderDelete::type:
        return remove(reference(), locate);
      case itch::OrderReplace::type:
        return decode_replace(View<itch::OrderReplace>(message));
      case itch::StockDirectory::type:
        name(locate, itch::StockDirectory::stock.load(message));
        return {Applied::irrelevant};
      default:
        return {Applied::irrelevant};
    }
  }

  Result decode_add(View<itch::AddOrder> message) {
    const char side = message[itch::AddOrder::side];
    if (side != itch::kBuy && side != itch::kSell) return {Applied::bad_field};
    Order order;
    order.reference = message[itch::AddOrder::reference];
    order.price = message[itch::AddOrder::price];
    order.shares = message[itch::AddOrder::shares];
    order.locate = message[itch::locate];
    order.side = side == itch::kBuy ? Side::bid : Side::ask;
    const Result result = add(order);
    if (result.what == Applied::changed && symbols_[order.locate].stock[0] == '\0') {
      name(order.locate, message[itch::AddOrder::stock]);
    }
    return result;
  }

  Result decode_replace(View<itch::OrderReplace> message) {
    Order fresh;
    fresh.reference = message[itch::OrderReplace::new_reference];
    fresh.shares = message[itch::OrderReplace::shares];
    fresh.price = message[itch::OrderReplace::price];
    fresh.locate = message[itch::locate];
    return replace(message[itch::OrderReplace::reference], fresh);
  }

  // Put an order at the back of its level; true when that is the best level of its side.
  bool enter(const Order& wanted) {
    const Slot slot = orders_.take();
    Order& order = orders_[slot] = wanted;
    const auto [level_slot, best] = level_for(order);
    Level& level = levels_[level_slot];
    order.level = level_slot;
    order.ahead = level.last;
    order.behind = kNone;
    (level.last == kNone ? level.first : orders_[level.last].behind) = slot;
    level.last = slot;
    level.shares += order.shares;
    ++level.orders;
    index_.insert(order.reference, slot);
    digest_ += order_term(order, orders_[order.ahead].reference);
    return best;
  }

  // Take an order out; true when its level was the best of its side.
  bool leave(Slot slot) {
    const Order order = orders_[slot];
    const bool best = is_best(order);
    Level& level = levels_[order.level];
    const std::uint64_t ahead = orders_[order.ahead].reference;
    digest_ -= order_term(order, ahead);
    if (order.behind != kNone) {
      const Order& behind = orders_[order.behind];
      digest_ += order_term(behind, ahead) - order_term(behind, order.reference);
    }
    (order.ahead == kNone ? level.first : orders_[order.ahead].behind) = order.behind;
    (order.behind == kNone ? level.last : orders_[order.behind].ahead) = order.ahead;
    level.shares -= order.shares;
    if (--level.orders == 0) drop_level(order);
    index_.erase(order.reference, reference_of());
    orders_.give_back(slot);
    return best;
  }

  struct Found {
    Slot level;
    bool best;
  };

  // The level of an order's price, made when it is not there. Most orders come near the best price, so the
  // search starts at that end.
  Found level_for(const Order& order) {
    auto& rungs = ladder(order.locate, order.side);
    const std::uint32_t key = key_of(order.side, order.price);
    const std::size_t at = rung_at(rungs, key);
    if (at < rungs.size() && rungs[at].key == key) return {rungs[at].level, at + 1 == rungs.size()};
    const Slot slot = levels_.take();
    levels_[slot] = Level{0, order.price, 0, kNone, kNone};
    rungs.insert(rungs.begin() + static_cast<std::ptrdiff_t>(at), Rung{key, slot});
    return {slot, at + 1 == rungs.size()};
  }

  void drop_level(const Order& order) {
    auto& rungs = ladder(order.locate, order.side);
    const std::size_t at = rung_at(rungs, key_of(order.side, order.price));
    rungs.erase(rungs.begin() + static_cast<std::ptrdiff_t>(at));
    levels_.give_back(order.level);
  }

  // The first rung whose key is not below `key`.
  static std::size_t rung_at(const Symbol::Ladder& rungs, std::uint32_t key) {
    constexpr std::size_t kNear = 8;
    std::size_t at = rungs.size();
    for (std::size_t steps = 0; steps < kNear; ++steps, --at) {
      if (at == 0 || rungs[at - 1].key < key) return at;
    }
    const auto end = rungs.begin() + static_cast<std::ptrdiff_t>(at);
    const auto found = std::lower_bound(rungs.begin(), end, key,
                                        [](const Rung& rung, std::uint32_t wanted) { return rung.key < wanted; });
    return static_cast<std::size_t>(found - rungs.begin());
  }

  bool is_best(const Order& order) const { return ladder(order.locate, order.side).back().level == order.level; }

  // The level of this price or the next better one; kNone when there is none.
  Slot level_near(std::uint16_t locate, Side side, std::uint32_t price) const {
    if (locate >= symbols_.size()) return kNone;
    const auto& rungs = ladder(locate, side);
    const std::size_t at = rung_at(rungs, key_of(side, price));
    return at < rungs.size() ? rungs[at].level : kNone;
  }

  static bool is_replace(Bytes message) { return static_cast<char>(message[0]) == itch::OrderReplace::type; }
  static bool is_add(Bytes message) {
    const char type = static_cast<char>(message[0]);
    return type == itch::AddOrder::type || type == itch::AddOrderMpid::type;
  }
  static Side side_of(Bytes add) {
    return itch::AddOrder::side.load(add.data()) == itch::kBuy ? Side::bid : Side::ask;
  }
  static bool names_order(Bytes message) {
    return itch::check(message) == Reject::none && itch::names_an_order(static_cast<char>(message[0]));
  }

  void name(std::uint16_t locate, std::string_view stock) {
    if (locate < symbols_.size()) std::copy_n(stock.begin(), 8, symbols_[locate].stock.begin());
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

  Symbol::Ladder& ladder(std::uint16_t locate, Side side) {
    return symbols_[locate].ladders[static_cast<std::size_t>(side)];
  }
  const Symbol::Ladder& ladder(std::uint16_t locate, Side side) const {
    return symbols_[locate].ladders[static_cast<std::size_t>(side)];
  }

  Pool<Order> orders_;
  Pool<Level> levels_;
  RefIndex index_;
  std::pmr::vector<Symbol> symbols_;
  std::uint64_t digest_ = 0;
  Counters counters_;
};

}  // namespace hft::book
