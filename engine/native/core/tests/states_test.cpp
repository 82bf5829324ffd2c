// The state table from outside: every trigger in every state, with the illegal ones changing nothing.
#include <gtest/gtest.h>

#include "core/tests/bench.h"

namespace hft::core {
namespace {

using test::Bench;

constexpr std::array kAll{State::init,     State::syncing, State::standby,  State::active,
                          State::reducing, State::halted,  State::draining, State::stopped};

// A bench in the wanted state; the venue never answers, so DRAINING stays with an open order.
std::unique_ptr<Bench> bench_in(State state) {
  auto bench = std::make_unique<Bench>();
  if (state == State::syncing) return bench;
  if (state == State::standby) {
    bench->quote(1, 999'900, 1'000'100);
    return bench;
  }
  if (state == State::halted) {
    bench->command(R"({"verb":"kill","reason":"test"})");
    return bench;
  }
  bench->go_active();
  if (state == State::reducing) bench->command(R"({"verb":"reduce","reason":"test"})");
  if (state == State::draining || state == State::stopped) {
    bench->order('B', 1, "AAPL", 1'000'000);
    bench->command(R"({"verb":"drain"})");
  }
  if (state == State::stopped) bench->rejected(1);
  return bench;
}

constexpr std::array kAsks = std::to_array<std::pair<Trigger, std::string_view>>({
    {Trigger::promote, R"({"verb":"promote","epoch":900})"},
    {Trigger::demote, R"({"verb":"demote"})"},
    {Trigger::reduce, R"({"verb":"reduce","reason":"r"})"},
    {Trigger::resume, R"({"verb":"resume","operator":"o","reason":"r"})"},
    {Trigger::unkill, R"({"verb":"unkill","operator":"o","reason":"r"})"},
    {Trigger::drain, R"({"verb":"drain"})"},
});

TEST(States, TheTableNamesEachEdgeOnceAndNeverLeadsBackToItself) {
  for (std::size_t i = 0; i < kEdges.size(); ++i) {
    EXPECT_NE(kEdges[i].from, kEdges[i].to);
    for (std::size_t j = 0; j < i; ++j) {
      EXPECT_FALSE(kEdges[i].from == kEdges[j].from && kEdges[i].trigger == kEdges[j].trigger);
    }
  }
}

TEST(States, NothingLeavesStoppedAndHaltedNeverLeadsToActive) {
  for (const Edge& edge : kEdges) {
    EXPECT_NE(edge.from, State::stopped);
    EXPECT_FALSE(edge.from == State::halted && edge.to == State::active);
    if (edge.to == State::active) {
      EXPECT_TRUE(edge.from == State::standby || edge.from == State::reducing);
    }
  }
}

TEST(States, EveryIllegalAskIsRefusedAndChangesNothing) {
  int tried = 0;
  for (const State state : kAll) {
    if (state == State::init) continue;
    for (const auto& [trigger, json] : kAsks) {
      const bool done_already = state == State::draining && trigger == Trigger::drain;
      if (has_edge(state, trigger) || done_already) continue;
      auto bench = bench_in(state);
      ASSERT_EQ(bench->core.state(), state) << name_of(state);
      const std::string before = bench->core.state_digest();
      const std::size_t emitted = bench->out.size();
      EXPECT_NE(bench->command(json).code, "") << name_of(state) << " " << json;
      EXPECT_EQ(bench->core.state(), state);
      EXPECT_EQ(bench->core.state_digest(), before) << name_of(state) << " " << json;
      EXPECT_EQ(bench->out.size(), emitted) << name_of(state) << " " << json;
      ++tried;
    }
  }
  EXPECT_GT(tried, 25);
}

TEST(States, EveryLegalAskMovesAsTheTableSays) {
  for (const auto& [state, to, trigger] : kEdges) {
    const auto ask = std::find_if(kAsks.begin(), kAsks.end(), [&](const auto& a) { return a.first == trigger; });
    if (ask == kAsks.end() || state == State::init) continue;
    auto bench = bench_in(state);
    EXPECT_EQ(bench->command(ask->second).code, "") << name_of(state);
    if (trigger == Trigger::promote) bench->link_up(900);
    // A drain without open orders is over at once.
    const State end = to == State::draining && bench->core.orders().count() == 0 ? State::stopped : to;
    EXPECT_EQ(bench->core.state(), trigger == Trigger::unkill ? State::syncing : end) << name_of(state);
  }
}

TEST(States, PromotionNeedsAnEpochAboveEveryOneSeen) {
  auto bench = bench_in(State::standby);
  const std::uint64_t seen = 50;
  bench->input(Kind::epoch, bytes_of(seen));
  EXPECT_EQ(bench->command(R"({"verb":"promote","epoch":50})").code, "stale_epoch");
  EXPECT_EQ(bench->command(R"({"verb":"promote","epoch":51})").code, "");
}

TEST(States, PromotionThatTheGatewayRefusesLeavesTheEngineInStandby) {
  auto bench = bench_in(State::standby);
  bench->command(R"({"verb":"promote","epoch":8})");
  bench->link(R"({"up":false,"epoch":8,"code":"stale_epoch","detail":"9 is known"})");
  EXPECT_EQ(bench->core.state(), State::standby);
  EXPECT_EQ(bench->core.promotion().code, "stale_epoch");
  EXPECT_EQ(bench->core.epoch(), 0U);
}

TEST(States, PromotionWaitsUntilPositionsEqualTheDropCopyAndGivesUp) {
  auto bench = bench_in(State::standby);
  bench->command(R"({"verb":"promote","epoch":8})");
  bench->link(R"({"up":true,"epoch":8,"session":"S1","next_urn":1,"positions":{"AAPL":5}})");
  EXPECT_EQ(bench->core.state(), State::standby);
  for (int i = 0; i < 7; ++i) {
    bench->wait_ms(500);
    bench->feed(FeedEvent::heard);
  }
  EXPECT_EQ(bench->core.state(), State::standby);
  EXPECT_EQ(bench->core.promotion().code, "not_reconciled");
}

TEST(States, TheFirstStaleRejectLeadsToStandbyAndCancelsNothing) {
  auto bench = bench_in(State::active);
  bench->order('B', 1, "AAPL", 1'000'000);
  bench->link(R"({"refused":"stale_epoch","epoch":7,"urn":1})");
  EXPECT_EQ(bench->core.state(), State::standby);
  EXPECT_EQ(bench->core.epoch(), 0U);
  EXPECT_TRUE(bench->intents('X').empty());
  EXPECT_EQ(bench->order('B', 2, "AAPL", 1'000'000).code, "not_active");
}

TEST(States, AKillBlocksThenCancelsAndCountsAnswers) {
  auto bench = bench_in(State::active);
  for (int i = 1; i <= 3; ++i) bench->order('B', 10 * i, "AAPL", 1'000'000);
  for (std::uint32_t urn = 1; urn <= 3; ++urn) bench->accept(urn);
  EXPECT_EQ(bench->command(R"({"verb":"kill","scope":"site","id":"x","reason":"drill"})").code, "");
  EXPECT_EQ(bench->core.state(), State::halted);
  EXPECT_EQ(bench->intents('X').size(), 3U);
  EXPECT_EQ(bench->order('B', 1, "AAPL", 1'000'000).code, "not_active");
  bench->canceled(1, 10);
  bench->execute(2, 20, 1'000'000);
  EXPECT_EQ(bench->core.cleanup().open_before, 3U);
  EXPECT_EQ(bench->core.cleanup().cancels_sent, 3U);
  EXPECT_EQ(bench->core.cleanup().cancels_acked, 1U);
  EXPECT_EQ(bench->core.cleanup().fills_since, 1U);
  EXPECT_EQ(bench->core.ledger().positions().at("AAPL"), 20);
  EXPECT_EQ(bench->command(R"({"verb":"kill","reason":"again"})").code, "");
  EXPECT_EQ(bench->command(R"({"verb":"promote","epoch":99})").code, "latched");
}

TEST(States, ACancelThatNobodyAnswersGoesOutAgain) {
  auto bench = bench_in(State::active);
  bench->order('B', 10, "AAPL", 1'000'000);
  bench->command(R"({"verb":"kill","reason":"drill"})");
  bench->wait_ms(1001);
  bench->tick();
  EXPECT_EQ(bench->intents('X').size(), 2U);
}

TEST(States, ADrainWithOpenOrdersGivesUpAfterItsTime) {
  auto bench = bench_in(State::draining);
  bench->wait_ms(4999);
  bench->tick();
  EXPECT_EQ(bench->core.state(), State::draining);
  bench->wait_ms(1);
  bench->tick();
  EXPECT_EQ(bench->core.state(), State::stopped);
  EXPECT_FALSE(bench->core.drained_in_time());
}

TEST(States, AGapThatStaysTakesAStandbyOutOfStep) {
  auto bench = bench_in(State::standby);
  bench->feed(FeedEvent::gap_open);
  EXPECT_EQ(bench->core.state(), State::standby);
  bench->wait_ms(900);
  bench->feed(FeedEvent::heard);
  bench->wait_ms(200);
  bench->tick();
  EXPECT_EQ(bench->core.state(), State::syncing);
  bench->feed(FeedEvent::gap_closed);
  EXPECT_EQ(bench->core.state(), State::standby);
}

}  // namespace
}  // namespace hft::core
