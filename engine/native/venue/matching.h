// The venue's price-time matching core: pure, single-threaded, deterministic, integers only.
//
// Every call appends what happened to `events`, in order; the events for the owner and those for the public
// book are interleaved as they happen, so that a publisher which follows the book events always has exactly
// the core's book. Declared behaviour:
//   - best price first, then the order that came first; a trade happens at the resting order's price;
//   - a replacement loses its time priority, a decrease keeps it;
//   - a replacement that can trade takes the old order off the book first, then trades, then rests;
//   - self match prevention looks at the firm; the synthetic flow (house) trades with itself freely.
#pragma once

#include <functional>
#include <map>
#include <unordered_map>
#include <vector>

#include "venue/order.h"
#include "venue/references.h"

namespace hft::venue {

struct Order {
  OrderRef ref = 0;
  std::uint64_t entered = 0;             // rank of arrival; a replacement gets a new one
  std::uint32_t previous = 0, next = 0;  // neighbours in the level's queue; 0 = none
  AccountId account = kHouseAccount;
  FirmId firm = kHouseFirm;
  std::uint32_t urn = 0;
  Symbol symbol = 0;
  Side side = Side::buy;
  bool attributable = false;
  Quantity open = 0;
  Quantity used = 0;  // executed or self-match decremented in the whole replace chain
  Price price = 0;
};

class Matching {
 public:
  Matching(Symbol symbols, SelfTrade self_trade, ReferenceSource references);

  // On Verdict::done, `ref` names the order even when nothing of it rests.
  Verdict enter(const NewOrder& request, Events& events, OrderRef* ref = nullptr);
  // Anything but done and not_live: the old order is canceled (OUCH 5.0, 2.2, case 2), reason Z.
  Verdict replace(OrderRef old, const Replacement& request, Events& events, OrderRef* ref = nullptr);
  // New intended total for the order; what is open above it goes. 0 cancels all that is open.
  Verdict limit(OrderRef ref, Quantity total, char reason, Events& events);
  // A decrease acknowledged as a modification instead of a cancel.
  Verdict modify(OrderRef ref, Quantity total, Events& events);
  // Cancels each live order the predicate picks, oldest first; returns how many.
  std::size_t cancel_if(const std::function<bool(const Order&)>& picks, char reason, Events& events);

  [[nodiscard]] const Order* find(OrderRef ref) const;
  [[nodiscard]] std::size_t live() const { return index_.size(); }
  [[nodiscard]] Symbol symbols() const { return static_cast<Symbol>(books_.size()); }
  [[nodiscard]] Price best(Symbol symbol, Side side) const;  // 0 = empty
  // Orders of one side in priority order: best price first, then by time.
  void walk(Symbol symbol, Side side, const std::function<void(const Order&)>& visit) const;

 private:
  struct Level {
    std::uint32_t head = 0, tail = 0;
  };
  struct Book {
    std::map<Price, Level, std::greater<>> bids;
    std::map<Price, Level> asks;
  };

  [[nodiscard]] Verdict check(Symbol symbol, Quantity quantity, Price price) const;
  [[nodiscard]] bool crosses(const Order& order) const;
  template <class Levels>
  void trade_against(Levels& levels, Order& taker, Events& events);
  void trade(Order& taker, std::uint32_t maker_slot, Events& events);
  bool prevent_self_match(Order& taker, std::uint32_t maker_slot, Events& events);
  void match_and_rest(Order& order, bool immediate, Events& events);
  void rest(const Order& order);
  void unlink(std::uint32_t slot);
  void remove(std::uint32_t slot);
  Quantity reduce(std::uint32_t slot, Quantity quantity, Events& events);

  std::vector<Book> books_;
  std::vector<Order> slots_;  // slot 0 is never used
  std::vector<std::uint32_t> free_;
  std::unordered_map<OrderRef, std::uint32_t> index_;
  ReferenceSource references_;
  SelfTrade self_trade_;
  std::uint64_t arrivals_ = 0;
  std::uint64_t matches_ = 0;
};

}  // namespace hft::venue
