// Reference numbers, identifiers, reconnects and what a restart gets back.
#include <gtest/gtest.h>

#include "core/tests/bench.h"
#include "wire/clordid.h"

namespace hft::core {
namespace {

using test::Bench;

std::uint32_t urn_of(const test::Emitted& emitted) { return ouch::EnterOrder::urn.load(emitted.wire().data()); }

TEST(Orders, TheIntentIsEmittedBeforeAnythingElseKnowsOfIt) {
  Bench bench;
  bench.go_active();
  const std::size_t before = bench.out.size();
  bench.order('B', 5, "AAPL", 1'000'000);
  ASSERT_EQ(bench.out.size(), before + 1);
  EXPECT_EQ(bench.out.back().kind, Kind::intent);
  EXPECT_EQ(bench.out.back().payload.size(), 47U);
}

TEST(Orders, ClOrdIdCarriesEpochAndSequence) {
  Bench bench;
  bench.go_active(7);
  bench.order('B', 5, "AAPL", 1'000'000);
  bench.order('B', 6, "AAPL", 1'000'000);
  const auto sent = bench.intents('O');
  const auto id = clordid::decode(ouch::EnterOrder::clordid.load(sent[1].wire().data()));
  ASSERT_TRUE(id);
  EXPECT_EQ(id->epoch, 7U);
  EXPECT_EQ(id->sequence, 2U);
}

TEST(Orders, AfterAReconnectUnansweredIntentsGoOutOldestFirstAndBeforeAnyNewOrder) {
  Bench bench;
  bench.go_active(7);
  for (std::uint32_t i = 1; i <= 4; ++i) bench.order('B', i, "AAPL", 1'000'000);
  bench.accept(1);
  bench.link(R"({"up":false,"epoch":7})");
  EXPECT_EQ(bench.order('B', 9, "AAPL", 1'000'000).code, "disconnected");
  const auto first = bench.intents('O');
  // The venue has answered up to 2; the answer to 2 is still under way to us.
  bench.link_up(7, 3);
  EXPECT_EQ(bench.order('B', 9, "AAPL", 1'000'000).code, "disconnected");
  bench.accept(2);
  bench.settle_link();
  const auto all = bench.intents('O');
  ASSERT_EQ(all.size(), 6U);
  EXPECT_EQ(urn_of(all[4]), 3U);
  EXPECT_EQ(urn_of(all[5]), 4U);
  EXPECT_EQ(all[4].payload, first[2].payload);
  EXPECT_EQ(all[5].payload, first[3].payload);
  EXPECT_EQ(bench.order('B', 9, "AAPL", 1'000'000).urn, 5U);
}

TEST(Orders, ReferenceNumbersNeverGoBelowWhatTheVenueHasSeen) {
  Bench bench;
  bench.quote(1, 999'900, 1'000'100);
  bench.command(R"({"verb":"promote","epoch":3})");
  bench.link_up(3, 500);
  EXPECT_EQ(bench.order('B', 9, "AAPL", 1'000'000).urn, 500U);
}

TEST(Orders, ANewSessionBeginsItsNumbersAnewAndForgetsDayOrders) {
  Bench bench;
  bench.go_active(7);
  bench.order('B', 5, "AAPL", 1'000'000);
  bench.accept(1);
  bench.link(R"({"up":false,"epoch":7})");
  bench.link_up(7, 1, "S2");
  EXPECT_EQ(bench.core.orders().count(), 0U);
  EXPECT_EQ(bench.core.ledger().gross_e4(), 0U);
  EXPECT_EQ(bench.order('B', 5, "AAPL", 1'000'000).urn, 1U);
  EXPECT_EQ(bench.core.epoch(), 7U);
}

TEST(Orders, AnOrderOfAnotherProcessOnTheAccountIsCountedAndCancelledOnKill) {
  Bench bench;
  bench.go_active(7);
  bench.accept(77);
  EXPECT_EQ(bench.core.orders().count(), 1U);
  EXPECT_EQ(bench.core.ledger().of(bench.core.ledger().find("AAPL")).working_buy, 100U);
  bench.command(R"({"verb":"kill","reason":"x"})");
  EXPECT_EQ(bench.intents('X').size(), 1U);
}

TEST(Orders, AReplacedOrderLivesUnderItsNewNumber) {
  Bench bench;
  bench.go_active(7);
  bench.accept(77);
  bench.replace(77, 78, 60, 1'000'100);
  EXPECT_EQ(bench.core.orders().count(), 1U);
  const auto& held = bench.core.ledger().of(bench.core.ledger().find("AAPL"));
  EXPECT_EQ(held.working_buy, 60U);
  bench.execute(78, 60, 1'000'100);
  EXPECT_EQ(held.position, 60);
  EXPECT_EQ(bench.core.orders().count(), 0U);
  EXPECT_EQ(bench.core.ledger().gross_e4(), 0U);
  EXPECT_EQ(bench.core.state(), State::active);
}

TEST(Orders, AnExecutionOfAnUnknownOrderAsksForAPerson) {
  Bench bench;
  bench.go_active(7);
  bench.execute(4'000, 5, 1'000'000);
  EXPECT_EQ(bench.core.state(), State::reducing);
  EXPECT_EQ(bench.core.counters().responses_unknown, 1U);
  bench.command(R"({"verb":"resume","operator":"alice","reason":"looked at the venue"})");
  EXPECT_EQ(bench.core.state(), State::active);
}

TEST(Orders, WhatIsNotUnderstoodAsksForAPerson) {
  Bench bench;
  bench.go_active(7);
  const std::array<std::byte, 40> strange{std::byte{'Z'}};
  bench.input(Kind::response, strange);
  EXPECT_EQ(bench.core.state(), State::reducing);
}

TEST(Orders, APromotionWaitsForTheMarkAndNotForSilence) {
  Bench bench;
  bench.quote(1, 999'900, 1'000'100);
  bench.command(R"({"verb":"promote","epoch":3})");
  bench.link(R"({"up":true,"epoch":3,"session":"S1","next_urn":1})");
  for (int i = 0; i < 30; ++i) bench.settle_link();
  EXPECT_EQ(bench.core.state(), State::standby) << "silence is no end";
  bench.accept(77);
  bench.execute(77, 60, 1'000'000);
  bench.replayed();
  bench.settle_link();
  EXPECT_EQ(bench.core.state(), State::active);
  EXPECT_EQ(bench.core.ledger().of(bench.core.ledger().find("AAPL")).position, 60);
}

TEST(Orders, AMarkThatDoesNotFitWhatCameIsNoMark) {
  Bench bench;
  bench.quote(1, 999'900, 1'000'100);
  bench.command(R"({"verb":"promote","epoch":3})");
  bench.link(R"({"up":true,"epoch":3,"session":"S1","next_urn":1})");
  bench.link(R"({"replayed":9})");
  for (int i = 0; i < 100; ++i) {
    bench.feed(FeedEvent::heard);
    bench.settle_link();
  }
  EXPECT_EQ(bench.core.state(), State::standby);
  EXPECT_EQ(bench.core.promotion().code, "not_reconciled");
}

TEST(Orders, AnIntentThatTheLastGateDroppedIsClosed) {
  Bench bench;
  bench.go_active(7);
  bench.order('B', 5, "AAPL", 1'000'000);
  const std::array<std::uint32_t, 2> dropped{1, 0};
  bench.input(Kind::egress, bytes_of(dropped));
  EXPECT_EQ(bench.core.orders().count(), 0U);
}

TEST(Orders, ShadowEgressDecidesAndLeavesNothingOpen) {
  CoreConfig config;
  config.egress = Egress::shadow;
  Bench bench(config);
  bench.quote(1, 999'900, 1'000'100);
  EXPECT_EQ(bench.command(R"({"verb":"promote","epoch":3})").code, "");
  EXPECT_EQ(bench.core.state(), State::active);
  EXPECT_EQ(bench.order('B', 5, "AAPL", 1'000'000).code, "");
  EXPECT_EQ(bench.intents('O').size(), 1U);
  EXPECT_EQ(bench.core.orders().count(), 0U);
}

TEST(Orders, RealisedProfitIsExactOverPartialCloses) {
  Bench bench;
  bench.go_active();
  bench.trade('B', 3, "AAPL", 1'000'001);
  bench.trade('B', 4, "AAPL", 1'000'000);
  bench.trade('S', 2, "AAPL", 1'000'010);
  bench.trade('S', 9, "AAPL", 999'990);
  bench.trade('B', 4, "AAPL", 1'000'000);
  // Cash in minus cash out, once flat, is all that was realised.
  const std::int64_t cash = 2 * 1'000'010LL + 9 * 999'990LL - 3 * 1'000'001LL - 8 * 1'000'000LL;
  EXPECT_EQ(bench.core.ledger().realised_e4(), cash);
  EXPECT_TRUE(bench.core.ledger().positions().empty());
}

TEST(Orders, TheDuplicateAndRateWindowsSurviveInTheStateDigest) {
  Bench one, two;
  one.go_active();
  two.go_active();
  EXPECT_EQ(one.core.state_digest(), two.core.state_digest());
  EXPECT_EQ(one.core.decision_digest(), two.core.decision_digest());
  one.order('B', 5, "AAPL", 1'000'000);
  two.order('B', 6, "AAPL", 1'000'000);
  EXPECT_NE(one.core.state_digest(), two.core.state_digest());
  EXPECT_NE(one.core.decision_digest(), two.core.decision_digest());
}

}  // namespace
}  // namespace hft::core
