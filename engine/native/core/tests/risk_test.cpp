// Every risk rule from both sides: an order at the limit passes, one more of anything is refused by that rule's name.
#include <gtest/gtest.h>

#include "core/tests/bench.h"

namespace hft::core {
namespace {

using test::Bench;
using test::loose_limits;

constexpr std::uint64_t kAapl = 1'000'000;  // 100.00 in 1/10,000

struct Active : Bench {
  explicit Active(const Limits& limits = loose_limits()) : Bench({}, limits) { go_active(); }
};

TEST(Risk, AnOrderWithinEveryLimitPasses) {
  Active bench;
  EXPECT_EQ(bench.core.state(), State::active);
  EXPECT_EQ(bench.order('B', 100, "AAPL", kAapl).code, "");
  EXPECT_EQ(bench.intents('O').size(), 1U);
}

TEST(Risk, ALimitsFileOfAnotherContractOrWithoutOneThatIsTextIsNotRead) {
  const std::string rest =
      R"("serial":1,"not_after_utc_ns":9,"engine":{"symbols":["A"],"order_quantity_max":1,"order_notional_max_e4":1,)"
      R"("gross_notional_max_e4":1,"collar_bps":1,"position_max":1,"messages_per_second_max":1,"open_orders_max":1,)"
      R"("duplicate_window_ms":0,"daily_loss_max_e4":0,"repeated_executions_max":1}})";
  EXPECT_TRUE(parse_limits("{" + rest));
  EXPECT_TRUE(parse_limits(R"({"contract":"1.7.0",)" + rest));
  for (const char* contract : {R"({"contract":"2.0.0",)", R"({"contract":1,)", R"({"contract":null,)"}) {
    std::string why;
    EXPECT_FALSE(parse_limits(contract + rest, &why));
    EXPECT_EQ(why, "field contract is missing or wrong");
  }
}

TEST(Risk, SizeAtTheLimitPassesAndOneMoreIsRefused) {
  Active bench;
  EXPECT_EQ(bench.order('B', 1000, "AAPL", kAapl).code, "");
  EXPECT_EQ(bench.order('B', 1001, "AAPL", kAapl).code, "risk.size");
  EXPECT_EQ(bench.order('B', 0, "AAPL", kAapl).code, "risk.size");
  EXPECT_EQ(bench.intents('O').size(), 1U);
}

TEST(Risk, NotionalAtTheLimitPassesAndOneTickMoreIsRefused) {
  Limits limits = loose_limits();
  limits.order_notional_max_e4 = 100 * kAapl;
  Active bench(limits);
  EXPECT_EQ(bench.order('B', 100, "AAPL", kAapl).code, "");
  EXPECT_EQ(bench.order('B', 100, "AAPL", kAapl + 1).code, "risk.notional");
}

TEST(Risk, GrossNotionalCountsEveryWorkingOrder) {
  Limits limits = loose_limits();
  limits.gross_notional_max_e4 = 300 * kAapl;
  Active bench(limits);
  EXPECT_EQ(bench.order('B', 200, "AAPL", kAapl).code, "");
  EXPECT_EQ(bench.order('B', 101, "AAPL", kAapl).code, "risk.gross");
  EXPECT_EQ(bench.order('B', 100, "AAPL", kAapl).code, "");
  EXPECT_EQ(bench.order('B', 1, "AAPL", kAapl).code, "risk.gross");
  bench.accept(1);
  bench.canceled(1, 200);
  EXPECT_EQ(bench.order('B', 200, "AAPL", kAapl).code, "");
}

TEST(Risk, CollarBindsBuysToTheAskAndSellsToTheBid) {
  Active bench;  // AAPL 99.99 / 100.01, collar 1 %
  EXPECT_EQ(bench.order('B', 1, "AAPL", 1'010'101).code, "");
  EXPECT_EQ(bench.order('B', 1, "AAPL", 1'010'102).code, "risk.collar");
  bench.trade('B', 100, "MSFT", 500'000);
  EXPECT_EQ(bench.order('S', 1, "MSFT", 494'901).code, "");
  EXPECT_EQ(bench.order('S', 1, "MSFT", 494'900).code, "risk.collar");
}

TEST(Risk, WithoutAGoodBboThereIsNoCollarAndNoOrder) {
  Bench bench;
  bench.quote(2, 499'900, 500'100);
  bench.command(R"({"verb":"promote","epoch":3})");
  bench.link_up(3);
  EXPECT_EQ(bench.order('B', 1, "AAPL", kAapl).code, "risk.collar");
  EXPECT_EQ(bench.order('B', 1, "MSFT", 500'000).code, "");
}

TEST(Risk, ACrossedBookLeavesTheLastGoodBboInForce) {
  Active bench;
  bench.quote(1, 2'000'000, 1'900'000);
  EXPECT_EQ(bench.order('B', 1, "AAPL", 1'010'101).code, "");
  EXPECT_EQ(bench.order('B', 1, "AAPL", 1'900'000).code, "risk.collar");
}

TEST(Risk, PositionCountsWorkingOrdersOfItsSideAtWorstCase) {
  Limits limits = loose_limits();
  limits.position_max = 300;
  Active bench(limits);
  bench.trade('B', 100, "AAPL", kAapl);
  EXPECT_EQ(bench.order('B', 200, "AAPL", kAapl).code, "");
  EXPECT_EQ(bench.order('B', 1, "AAPL", kAapl).code, "risk.position");
  bench.rejected(2);
  EXPECT_EQ(bench.order('S', 400, "AAPL", kAapl).code, "");
  EXPECT_EQ(bench.order('S', 1, "AAPL", kAapl + 5).code, "risk.position");
}

TEST(Risk, RateCountsCancelsAndNeverRefusesThem) {
  Limits limits = loose_limits();
  limits.messages_per_second_max = 4;
  Active bench(limits);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(bench.order('B', 1 + i, "AAPL", kAapl).code, "");
  EXPECT_EQ(bench.command(R"({"verb":"intent","type":"cancel","urn":1})").code, "");
  EXPECT_EQ(bench.order('B', 5, "AAPL", kAapl).code, "");
  EXPECT_EQ(bench.order('B', 6, "AAPL", kAapl).code, "risk.rate");
  EXPECT_EQ(bench.command(R"({"verb":"intent","type":"cancel","urn":2})").code, "");
  EXPECT_EQ(bench.intents('X').size(), 2U);
}

TEST(Risk, RateIsASlidingSecondToTheNanosecond) {
  Limits limits = loose_limits();
  limits.messages_per_second_max = 2;
  Active bench(limits);
  const std::uint64_t begin_ns = bench.now_ns;
  EXPECT_EQ(bench.order('B', 1, "AAPL", kAapl).code, "");
  bench.now_ns = begin_ns + 400'000'000;
  EXPECT_EQ(bench.order('B', 2, "AAPL", kAapl).code, "");
  bench.feed(FeedEvent::heard);
  bench.now_ns = begin_ns + 999'999'999;
  EXPECT_EQ(bench.order('B', 3, "AAPL", kAapl).code, "risk.rate");
  bench.now_ns = begin_ns + 1'000'000'000;
  EXPECT_EQ(bench.order('B', 3, "AAPL", kAapl).code, "");
  EXPECT_EQ(bench.order('B', 4, "AAPL", kAapl).code, "risk.rate");
}

TEST(Risk, OpenOrdersAtTheLimitPassAndOneMoreIsRefused) {
  Limits limits = loose_limits();
  limits.open_orders_max = 3;
  Active bench(limits);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(bench.order('B', 1 + i, "AAPL", kAapl).code, "");
  EXPECT_EQ(bench.order('B', 9, "AAPL", kAapl).code, "risk.open_orders");
  bench.rejected(2);
  EXPECT_EQ(bench.order('B', 9, "AAPL", kAapl).code, "");
}

TEST(Risk, TheSameOrderInsideTheWindowIsADuplicate) {
  Limits limits = loose_limits();
  limits.duplicate_window_ms = 50;
  Active bench(limits);
  EXPECT_EQ(bench.order('B', 10, "AAPL", kAapl).code, "");
  EXPECT_EQ(bench.order('B', 10, "AAPL", kAapl).code, "risk.duplicate");
  EXPECT_EQ(bench.order('B', 11, "AAPL", kAapl).code, "");
  EXPECT_EQ(bench.order('B', 10, "AAPL", kAapl - 1).code, "");
  bench.now_ns += 49'999'999;
  EXPECT_EQ(bench.order('B', 10, "AAPL", kAapl).code, "risk.duplicate");
  bench.now_ns += 1;
  EXPECT_EQ(bench.order('B', 10, "AAPL", kAapl).code, "");
}

TEST(Risk, DailyLossAtTheLimitPassesAndOneMoreStopsWhatOpensRisk) {
  Limits limits = loose_limits();
  limits.daily_loss_max_e4 = 100'000;
  Active bench(limits);
  bench.trade('B', 100, "AAPL", kAapl);
  bench.trade('S', 100, "AAPL", kAapl - 1000);
  EXPECT_EQ(bench.core.ledger().realised_e4(), -100'000);
  EXPECT_EQ(bench.core.state(), State::active);
  bench.trade('B', 1, "AAPL", kAapl);
  bench.trade('S', 1, "AAPL", kAapl - 1);
  EXPECT_EQ(bench.core.ledger().realised_e4(), -100'001);
  EXPECT_EQ(bench.core.state(), State::reducing);
  EXPECT_EQ(bench.order('B', 1, "AAPL", kAapl).code, "risk.daily_loss");
}

TEST(Risk, DailyLossBeginsAnewWithTheTradingDayAndTheEpochDoesNot) {
  Limits limits = loose_limits();
  limits.daily_loss_max_e4 = 1;
  Active bench(limits);
  bench.trade('B', 1, "AAPL", kAapl);
  bench.trade('S', 1, "AAPL", kAapl - 2);
  EXPECT_EQ(bench.core.state(), State::reducing);
  bench.wait_ms(86'400'000);
  bench.feed(FeedEvent::heard);
  EXPECT_EQ(bench.core.ledger().realised_e4(), 0);
  EXPECT_EQ(bench.core.highest_epoch(), 7U);
  EXPECT_EQ(bench.command(R"({"verb":"resume","operator":"eve","reason":"new day"})").code, "");
  EXPECT_EQ(bench.core.state(), State::active);
}

TEST(Risk, ASilentFeedRefusesAfterItsAgeAndNotAtIt) {
  Active bench;
  bench.feed(FeedEvent::heard);
  bench.wait_ms(1000);
  EXPECT_EQ(bench.order('B', 1, "AAPL", kAapl).code, "");
  bench.now_ns += 1;
  EXPECT_EQ(bench.order('B', 2, "AAPL", kAapl).code, "risk.stale_feed");
  EXPECT_EQ(bench.core.state(), State::reducing);
}

TEST(Risk, AGapRefusesAtOnceAndItsEndAllows) {
  Active bench;
  bench.feed(FeedEvent::gap_open);
  EXPECT_EQ(bench.order('B', 1, "AAPL", kAapl).code, "risk.gapped_feed");
  bench.feed(FeedEvent::gap_closed);
  EXPECT_EQ(bench.order('B', 1, "AAPL", kAapl).code, "");
  bench.feed(FeedEvent::lost);
  EXPECT_EQ(bench.order('B', 2, "AAPL", kAapl).code, "risk.gapped_feed");
}

TEST(Risk, OnlySymbolsOfTheAllowListAndAReloadChangesThem) {
  Active bench;
  EXPECT_EQ(bench.order('B', 1, "ZZZZ", kAapl).code, "risk.symbol");
  Limits limits = loose_limits();
  limits.symbols = {"MSFT"};
  bench.set_limits(limits);
  EXPECT_EQ(bench.order('B', 1, "AAPL", kAapl).code, "risk.symbol");
  EXPECT_EQ(bench.order('B', 1, "MSFT", 500'000).code, "");
}

TEST(Risk, AnOrderThatWouldTradeWithOurOwnIsRefused) {
  Active bench;
  bench.trade('B', 500, "AAPL", kAapl);
  EXPECT_EQ(bench.order('S', 10, "AAPL", kAapl + 10).code, "");
  EXPECT_EQ(bench.order('B', 10, "AAPL", kAapl + 9).code, "");
  EXPECT_EQ(bench.order('B', 11, "AAPL", kAapl + 10).code, "risk.self_trade");
  EXPECT_EQ(bench.order('S', 11, "AAPL", kAapl + 9).code, "risk.self_trade");
  EXPECT_EQ(bench.order('S', 11, "MSFT", 500'000).code, "");
}

TEST(Risk, RepeatedExecutionsStopUntilAPersonSaysResume) {
  Limits limits = loose_limits();
  limits.repeated_executions_max = 2;
  Active bench(limits);
  bench.trade('B', 10, "AAPL", kAapl);
  EXPECT_EQ(bench.core.state(), State::active);
  bench.trade('B', 10, "AAPL", kAapl + 1);
  EXPECT_EQ(bench.core.state(), State::reducing);
  EXPECT_EQ(bench.order('B', 1, "AAPL", kAapl).code, "risk.repeated");
  bench.wait_ms(900);
  bench.tick();
  EXPECT_EQ(bench.order('B', 1, "AAPL", kAapl).code, "risk.repeated");
  EXPECT_EQ(bench.command(R"({"verb":"resume","operator":"","reason":"x"})").code, "operator");
  EXPECT_EQ(bench.command(R"({"verb":"resume","operator":"eve","reason":"looked"})").code, "");
  EXPECT_EQ(bench.order('B', 1, "AAPL", kAapl).code, "");
}

TEST(Risk, ReducingTakesOnlyWhatBringsThePositionNearerToZero) {
  Active bench;
  bench.trade('B', 100, "AAPL", kAapl);
  EXPECT_EQ(bench.command(R"({"verb":"reduce","reason":"doubt"})").code, "");
  EXPECT_EQ(bench.order('B', 1, "AAPL", kAapl).code, "reducing");
  EXPECT_EQ(bench.order('S', 101, "AAPL", kAapl).code, "reducing");
  EXPECT_EQ(bench.order('S', 60, "AAPL", kAapl).code, "");
  EXPECT_EQ(bench.order('S', 41, "AAPL", kAapl).code, "reducing");
  EXPECT_EQ(bench.order('S', 40, "AAPL", kAapl).code, "");
}

TEST(Risk, ExpiredLimitsRefuseEveryOrder) {
  Limits limits = loose_limits();
  Active bench(limits);
  limits.not_after_utc_ns = bench.utc_ns();
  bench.set_limits(limits);
  EXPECT_EQ(bench.order('B', 1, "AAPL", kAapl).code, "risk.limits_expired");
  limits.not_after_utc_ns = bench.utc_ns() + 1;
  bench.set_limits(limits);
  EXPECT_EQ(bench.order('B', 1, "AAPL", kAapl).code, "");
}

TEST(Risk, AnOlderLooserLimitsFileChangesNothing) {
  Limits limits = loose_limits();
  limits.serial = 9;
  limits.order_quantity_max = 10;
  Active bench(limits);
  Limits older = loose_limits();
  older.serial = 8;
  bench.input(Kind::limits, test::limits_json(older));
  EXPECT_EQ(bench.core.limits()->serial, 9U);
  EXPECT_EQ(bench.order('B', 11, "AAPL", kAapl).code, "risk.size");
}

TEST(Risk, ARefusalIsJournaledWithItsRuleAndSendsNothing) {
  Active bench;
  bench.order('B', 1001, "AAPL", kAapl);
  ASSERT_FALSE(bench.out.empty());
  EXPECT_EQ(bench.out.back().kind, Kind::refusal);
  EXPECT_EQ(std::string(bench.out.back().text().c_str()), "risk.size");
  EXPECT_TRUE(bench.intents('O').empty());
}

}  // namespace
}  // namespace hft::core
