// Matching invariants under seeded random flows, checked against a model that shares nothing with the core:
// a flat list of orders, rebuilt from the book events alone, searched by plain scans.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "venue/matching.h"

namespace hft::venue {
namespace {

struct Resting {
  OrderRef ref;
  Symbol symbol;
  Side side;
  Price price;
  Quantity open;
  std::uint64_t arrival;
};

// The public's book: follows book events only.
class PublicBook {
 public:
  void apply(const Event& event) {
    switch (event.what) {
      case What::book_add:
        ASSERT_EQ(at(event.ref), orders_.end());
        orders_.push_back({event.ref, event.symbol, event.side, event.price, event.quantity, ++arrivals_});
        return;
      case What::book_execute: execute(event); return;
      case What::book_reduce: take(event.ref, event.quantity, false); return;
      case What::book_delete:
        ASSERT_NE(at(event.ref), orders_.end());
        orders_.erase(at(event.ref));
        return;
      case What::book_replace: {
        const auto old = at(event.other);
        ASSERT_NE(old, orders_.end());
        EXPECT_EQ(old->side, event.side);
        EXPECT_EQ(old->symbol, event.symbol);
        orders_.erase(old);
        orders_.push_back({event.ref, event.symbol, event.side, event.price, event.quantity, ++arrivals_});
        return;
      }
      default: return;
    }
  }

  [[nodiscard]] Price best(Symbol symbol, Side side) const {
    Price found = 0;
    for (const Resting& order : orders_) {
      if (order.symbol != symbol || order.side != side) continue;
      if (found == 0 || (side == Side::buy ? order.price > found : order.price < found)) found = order.price;
    }
    return found;
  }

  [[nodiscard]] std::vector<std::pair<OrderRef, Quantity>> queue(Symbol symbol, Side side) const {
    std::vector<Resting> picked;
    for (const Resting& order : orders_) {
      if (order.symbol == symbol && order.side == side) picked.push_back(order);
    }
    std::sort(picked.begin(), picked.end(), [&](const Resting& a, const Resting& b) {
      if (a.price != b.price) return side == Side::buy ? a.price > b.price : a.price < b.price;
      return a.arrival < b.arrival;
    });
    std::vector<std::pair<OrderRef, Quantity>> out;
    for (const Resting& order : picked) out.emplace_back(order.ref, order.open);
    return out;
  }

 private:
  std::vector<Resting>::iterator at(OrderRef ref) {
    return std::find_if(orders_.begin(), orders_.end(), [&](const Resting& o) { return o.ref == ref; });
  }

  // Price-time order: nothing better, and nothing equal and earlier, may stand beside what trades.
  void execute(const Event& event) {
    const auto maker = at(event.ref);
    ASSERT_NE(maker, orders_.end());
    EXPECT_EQ(queue(maker->symbol, maker->side).front().first, event.ref);
    EXPECT_EQ(event.price, maker->price);
    take(event.ref, event.quantity, true);
  }

  void take(OrderRef ref, Quantity quantity, bool may_empty) {
    const auto order = at(ref);
    ASSERT_NE(order, orders_.end());
    ASSERT_TRUE(may_empty ? order->open >= quantity : order->open > quantity);
    order->open -= quantity;
    if (order->open == 0) orders_.erase(order);
  }

  std::vector<Resting> orders_;
  std::uint64_t arrivals_ = 0;
};

// What each order chain of an owner has been told: accepted = executed + canceled + still open.
struct Told {
  std::int64_t accepted = 0, executed = 0, canceled = 0;
};

class MatchingProperty : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  static constexpr Symbol symbols = 3;
  Random random{GetParam()};
  Matching core{symbols, static_cast<SelfTrade>(GetParam() % 3), ReferenceSource(References::hashed, 1, 0)};
  PublicBook book;
  std::vector<OrderRef> known;
  std::map<AccountId, Told> told;

  void step(Events& events) {
    const std::uint64_t kind = random.below(100);
    if (known.empty() || kind < 55) {
      OrderRef ref = 0;
      const auto account = static_cast<AccountId>(random.below(4));
      NewOrder order{account,
                     static_cast<FirmId>(account / 2),
                     1,
                     static_cast<Symbol>(random.below(symbols)),
                     static_cast<Side>(random.below(2)),
                     static_cast<Quantity>(1 + random.below(500)),
                     static_cast<Price>(100'000 + 100 * random.below(12)),
                     random.below(6) == 0,
                     false};
      if (core.enter(order, events, &ref) == Verdict::done) known.push_back(ref);
      return;
    }
    const OrderRef ref = known[random.below(known.size())];
    if (kind < 75) {
      OrderRef moved = 0;
      const Replacement request{2, static_cast<Quantity>(random.below(700)),
                                static_cast<Price>(100'000 + 100 * random.below(12)), random.below(8) == 0,
                                random.below(5) == 0};
      if (core.replace(ref, request, events, &moved) == Verdict::done) known.push_back(moved);
    } else if (kind < 90) {
      core.limit(ref, static_cast<Quantity>(random.below(2) * random.below(400)), 'U', events);
    } else if (kind < 99) {
      core.modify(ref, static_cast<Quantity>(random.below(400)), events);
    } else {
      core.cancel_if([&](const Order& order) { return order.account == 1; }, 'S', events);
    }
  }

  void tell(const Event& event, const std::map<OrderRef, Quantity>& open_before) {
    Told& account = told[event.account];
    const auto before = open_before.find(event.ref);
    switch (event.what) {
      case What::accepted: account.accepted += event.quantity; return;
      case What::executed: account.executed += event.quantity; return;
      case What::canceled:
      case What::self_matched: account.canceled += event.quantity; return;
      case What::modified:
        ASSERT_NE(before, open_before.end());
        account.canceled += before->second - event.quantity;
        return;
      case What::replaced: {  // a new size: what is open afterwards against what was open before
        const auto old = open_before.find(event.other);
        ASSERT_NE(old, open_before.end());
        account.accepted += static_cast<std::int64_t>(event.quantity) - old->second;
        return;
      }
      default: return;
    }
  }

  std::map<OrderRef, Quantity> open_now(std::map<AccountId, std::int64_t>* per_account = nullptr) const {
    std::map<OrderRef, Quantity> open;
    for (Symbol symbol = 0; symbol < symbols; ++symbol) {
      for (const Side side : {Side::buy, Side::sell}) {
        core.walk(symbol, side, [&](const Order& order) {
          open[order.ref] = order.open;
          if (per_account != nullptr) (*per_account)[order.account] += order.open;
        });
      }
    }
    return open;
  }

  void check_books() const {
    for (Symbol symbol = 0; symbol < symbols; ++symbol) {
      const Price bid = core.best(symbol, Side::buy);
      const Price ask = core.best(symbol, Side::sell);
      if (bid != 0 && ask != 0) {
        ASSERT_LT(bid, ask) << "crossed or locked";
      }
      for (const Side side : {Side::buy, Side::sell}) {
        std::vector<std::pair<OrderRef, Quantity>> ours;
        core.walk(symbol, side, [&](const Order& order) { ours.emplace_back(order.ref, order.open); });
        ASSERT_EQ(ours, book.queue(symbol, side)) << "the events do not rebuild the book";
      }
    }
  }
};

TEST_P(MatchingProperty, BookNeverCrossesQuantitiesAreConservedAndEventsRebuildTheBook) {
  Events events;
  std::uint64_t trades = 0;
  for (int turn = 0; turn < 1500; ++turn) {
    const auto before = open_now();
    events.clear();
    step(events);
    for (const Event& event : events) {
      book.apply(event);
      tell(event, before);
      trades += event.what == What::book_execute ? 1 : 0;
      if (HasFatalFailure()) return;
    }
    check_books();
    if (HasFatalFailure()) return;
  }
  std::map<AccountId, std::int64_t> open;
  open_now(&open);
  for (const auto& [account, sums] : told) {
    EXPECT_EQ(sums.accepted, sums.executed + sums.canceled + open[account]) << "account " << account;
  }
  EXPECT_GT(trades, 200u) << "a flow that hardly trades proves little";
}

TEST_P(MatchingProperty, SameSeedGivesTheSameEvents) {
  const auto run = [&] {
    random = Random(GetParam());
    core = Matching(symbols, SelfTrade::cancel_newest, ReferenceSource(References::gapped, 5, 0));
    known.clear();
    Events events;
    for (int turn = 0; turn < 2000; ++turn) step(events);
    return events;
  };
  const Events first = run();
  const Events second = run();
  ASSERT_EQ(first.size(), second.size());
  for (std::size_t i = 0; i < first.size(); ++i) {
    ASSERT_EQ(first[i].what, second[i].what);
    ASSERT_EQ(first[i].ref, second[i].ref);
    ASSERT_EQ(first[i].quantity, second[i].quantity);
    ASSERT_EQ(first[i].price, second[i].price);
    ASSERT_EQ(first[i].match, second[i].match);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, MatchingProperty, ::testing::Range<std::uint64_t>(1, 10));

}  // namespace
}  // namespace hft::venue
