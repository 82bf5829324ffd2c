// Matching scenarios: each test states one rule of matching.h and shows it on a small book.
#include "venue/matching.h"

#include <gtest/gtest.h>

namespace hft::venue {
namespace {

class MatchingScenario : public ::testing::Test {
 protected:
  Matching core{4, SelfTrade::cancel_newest, ReferenceSource(References::gapped, 7, 0)};
  Events events;

  OrderRef put(Side side, Quantity quantity, Price price, FirmId firm = kHouseFirm, bool immediate = false) {
    NewOrder order;
    order.account = firm;
    order.firm = firm;
    order.urn = ++urn_;
    order.symbol = 1;
    order.side = side;
    order.quantity = quantity;
    order.price = price;
    order.immediate = immediate;
    OrderRef ref = 0;
    EXPECT_EQ(core.enter(order, events, &ref), Verdict::done);
    return ref;
  }

  std::vector<Event> only(What what) const {
    std::vector<Event> picked;
    for (const Event& event : events) {
      if (event.what == what) picked.push_back(event);
    }
    return picked;
  }

  std::vector<OrderRef> queue(Side side) const {
    std::vector<OrderRef> refs;
    core.walk(1, side, [&](const Order& order) { refs.push_back(order.ref); });
    return refs;
  }

 private:
  std::uint32_t urn_ = 0;
};

TEST_F(MatchingScenario, BetterPriceTradesBeforeEarlierTime) {
  put(Side::sell, 100, 10'0200);
  const OrderRef better = put(Side::sell, 100, 10'0100);
  events.clear();
  put(Side::buy, 100, 10'0300);
  const auto trades = only(What::book_execute);
  ASSERT_EQ(trades.size(), 1u);
  EXPECT_EQ(trades[0].ref, better);
}

TEST_F(MatchingScenario, AtOnePriceTheEarlierOrderTradesFirst) {
  const OrderRef first = put(Side::buy, 100, 10'0000);
  const OrderRef second = put(Side::buy, 100, 10'0000);
  events.clear();
  put(Side::sell, 150, 10'0000);
  const auto trades = only(What::book_execute);
  ASSERT_EQ(trades.size(), 2u);
  EXPECT_EQ(trades[0].ref, first);
  EXPECT_EQ(trades[0].quantity, 100u);
  EXPECT_EQ(trades[1].ref, second);
  EXPECT_EQ(trades[1].quantity, 50u);
}

TEST_F(MatchingScenario, TradeHappensAtTheRestingPriceAndBothEndsShareTheMatchNumber) {
  put(Side::sell, 100, 10'0000);
  events.clear();
  put(Side::buy, 100, 10'0500);
  const auto ends = only(What::executed);
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[0].price, 10'0000u);
  EXPECT_EQ(ends[1].price, 10'0000u);
  EXPECT_EQ(ends[0].match, ends[1].match);
  EXPECT_TRUE(ends[0].maker);
  EXPECT_FALSE(ends[1].maker);
}

TEST_F(MatchingScenario, RestOfADayOrderRestsAndOfAnImmediateOneIsCanceled) {
  put(Side::sell, 100, 10'0000);
  put(Side::buy, 150, 10'0000);
  EXPECT_EQ(core.best(1, Side::buy), 10'0000u);
  put(Side::sell, 50, 10'0000);
  events.clear();
  put(Side::buy, 70, 10'0000, kHouseFirm, true);
  const auto gone = only(What::canceled);
  ASSERT_EQ(gone.size(), 1u);
  EXPECT_EQ(gone[0].quantity, 70u);
  EXPECT_EQ(gone[0].reason, 'I');
  EXPECT_EQ(core.live(), 0u);
}

TEST_F(MatchingScenario, DecreaseKeepsThePlaceInTheQueue) {
  const OrderRef first = put(Side::buy, 100, 10'0000);
  put(Side::buy, 100, 10'0000);
  ASSERT_EQ(core.limit(first, 40, 'U', events), Verdict::done);
  EXPECT_EQ(queue(Side::buy).front(), first);
  EXPECT_EQ(only(What::book_reduce).back().quantity, 60u);
  ASSERT_EQ(core.modify(first, 30, events), Verdict::done);
  EXPECT_EQ(queue(Side::buy).front(), first);
  EXPECT_EQ(core.find(first)->open, 30u);
}

TEST_F(MatchingScenario, IncreaseByCancelOrModifyIsNotAllowedAndChangesNothing) {
  const OrderRef order = put(Side::buy, 100, 10'0000);
  events.clear();
  EXPECT_EQ(core.limit(order, 100, 'U', events), Verdict::not_allowed);
  EXPECT_EQ(core.modify(order, 101, events), Verdict::not_allowed);
  EXPECT_TRUE(events.empty());
  EXPECT_EQ(core.find(order)->open, 100u);
}

TEST_F(MatchingScenario, ReplacementGoesToTheEndOfTheQueue) {
  const OrderRef first = put(Side::buy, 100, 10'0000);
  const OrderRef second = put(Side::buy, 100, 10'0000);
  events.clear();
  OrderRef moved = 0;
  ASSERT_EQ(core.replace(first, {50, 100, 10'0000, false, false}, events, &moved), Verdict::done);
  EXPECT_EQ(queue(Side::buy), (std::vector<OrderRef>{second, moved}));
  ASSERT_EQ(only(What::book_replace).size(), 1u);
  EXPECT_EQ(only(What::book_replace)[0].other, first);
}

// OUCH 5.0, 2.2: the shares of a replace are for the whole chain, what was executed included.
TEST_F(MatchingScenario, ReplacementCountsWhatTheChainHasExecuted) {
  const OrderRef order = put(Side::buy, 500, 10'0000);
  put(Side::sell, 100, 10'0000);
  OrderRef moved = 0;
  ASSERT_EQ(core.replace(order, {50, 500, 10'0100, false, false}, events, &moved), Verdict::done);
  EXPECT_EQ(core.find(moved)->open, 400u);
  OrderRef again = 0;
  ASSERT_EQ(core.replace(moved, {51, 600, 10'0100, false, false}, events, &again), Verdict::done);
  EXPECT_EQ(core.find(again)->open, 500u);
}

TEST_F(MatchingScenario, ReplacementThatTradesLeavesTheBookFirst) {
  const OrderRef order = put(Side::buy, 100, 10'0000);
  const OrderRef ask = put(Side::sell, 60, 10'0100);
  events.clear();
  OrderRef moved = 0;
  ASSERT_EQ(core.replace(order, {50, 100, 10'0100, false, false}, events, &moved), Verdict::done);
  std::vector<What> book;
  for (const Event& event : events) {
    if (event.what >= What::book_add) book.push_back(event.what);
  }
  EXPECT_EQ(book, (std::vector<What>{What::book_delete, What::book_execute, What::book_add}));
  EXPECT_EQ(core.find(ask), nullptr);
  EXPECT_EQ(core.find(moved)->open, 40u);
}

TEST_F(MatchingScenario, InvalidReplacementCancelsTheOldOrder) {
  const OrderRef order = put(Side::buy, 100, 10'0000);
  EXPECT_EQ(core.replace(order, {50, 1'000'000, 10'0000, false, false}, events), Verdict::invalid_quantity);
  EXPECT_EQ(core.find(order), nullptr);
  EXPECT_EQ(core.replace(order, {51, 100, 10'0000, false, false}, events), Verdict::not_live);
}

TEST_F(MatchingScenario, ValuesAtTheLimitPassAndOneBeyondIsRefused) {
  NewOrder order;
  order.symbol = 3;
  order.quantity = kQuantityMax;
  order.price = kPriceMax;
  EXPECT_EQ(core.enter(order, events), Verdict::done);
  order.quantity = kQuantityMax + 1;
  EXPECT_EQ(core.enter(order, events), Verdict::invalid_quantity);
  order.quantity = 0;
  EXPECT_EQ(core.enter(order, events), Verdict::invalid_quantity);
  order.quantity = 1;
  order.price = kPriceMax + 1;
  EXPECT_EQ(core.enter(order, events), Verdict::invalid_price);
  order.price = 0;
  EXPECT_EQ(core.enter(order, events), Verdict::invalid_price);
  order.price = 1;
  order.symbol = 4;
  EXPECT_EQ(core.enter(order, events), Verdict::invalid_symbol);
}

TEST_F(MatchingScenario, NewestIsCanceledInsteadOfTradingWithItsOwnFirm) {
  const OrderRef resting = put(Side::sell, 100, 10'0000, 3);
  events.clear();
  put(Side::buy, 40, 10'0000, 3);
  const auto gone = only(What::self_matched);
  ASSERT_EQ(gone.size(), 1u);
  EXPECT_EQ(gone[0].quantity, 40u);
  EXPECT_EQ(gone[0].other_quantity, 40u);
  EXPECT_TRUE(only(What::executed).empty());
  EXPECT_EQ(core.find(resting)->open, 100u);
  EXPECT_EQ(core.live(), 1u);
}

TEST(MatchingSelfTrade, OldestIsCanceledWhenDeclaredSoAndTheNewOrderGoesOn) {
  Matching core(1, SelfTrade::cancel_oldest, ReferenceSource(References::hashed, 1, 0));
  Events events;
  NewOrder own{3, 3, 1, 0, Side::sell, 100, 10'0000, false, false};
  NewOrder other{4, 4, 1, 0, Side::sell, 100, 10'0000, false, false};
  NewOrder taker{3, 3, 2, 0, Side::buy, 100, 10'0000, false, false};
  OrderRef own_ref = 0;
  OrderRef other_ref = 0;
  core.enter(own, events, &own_ref);
  core.enter(other, events, &other_ref);
  core.enter(taker, events);
  EXPECT_EQ(core.find(own_ref), nullptr);
  EXPECT_EQ(core.find(other_ref), nullptr);
  EXPECT_EQ(core.live(), 0u);
}

TEST(MatchingSelfTrade, AllowedSelfTradeTrades) {
  Matching core(1, SelfTrade::allow, ReferenceSource(References::hashed, 1, 0));
  Events events;
  core.enter({3, 3, 1, 0, Side::sell, 100, 10'0000, false, false}, events);
  core.enter({3, 3, 2, 0, Side::buy, 100, 10'0000, false, false}, events);
  EXPECT_EQ(core.live(), 0u);
  EXPECT_EQ(
      std::count_if(events.begin(), events.end(), [](const Event& event) { return event.what == What::executed; }), 2);
}

TEST_F(MatchingScenario, MassCancelTakesThePickedOrdersOldestFirst) {
  const OrderRef first = put(Side::buy, 10, 9'0000, 1);
  put(Side::buy, 10, 9'5000, 2);
  const OrderRef third = put(Side::sell, 10, 11'0000, 1);
  events.clear();
  EXPECT_EQ(core.cancel_if([](const Order& order) { return order.account == 1; }, 'S', events), 2u);
  const auto gone = only(What::canceled);
  ASSERT_EQ(gone.size(), 2u);
  EXPECT_EQ(gone[0].ref, first);
  EXPECT_EQ(gone[1].ref, third);
  EXPECT_EQ(core.live(), 1u);
}

}  // namespace
}  // namespace hft::venue
