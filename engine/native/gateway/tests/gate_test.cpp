// Every question the gate asks of a message: what passes at the limit, what is refused one beyond.
#include <gtest/gtest.h>

#include "gateway/admission.h"
#include "gateway/hop_histogram.h"
#include "gateway/ouch_view.h"

namespace hft::gateway {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;

struct GateTest : ::testing::Test {
  GateTest() {
    gate.epoch = EpochState(Fence{5, "h/a", {}});
    gate.limits = Limits{3, 100 * kSecondNs, 2, 100, 1'000'000, {"AAPL", "MSFT"}, "sha256:x"};
    party = {Egress::live, "h/a", {}, true, 5, "00005", 0};
    account.name = "ACC1";
    account.strategy = "imbalance";
    account.window.resize(2);
  }

  Message order(std::uint32_t urn) const {
    return {Kind::enter, 'O', urn, 0, 'B', 100, 10'000, "AAPL", "0000500000001 "};
  }
  Reason ask(const Message& message) const { return judge(gate, party, account, message, moment); }
  void let_out(const Message& message) { forwarded(gate, party, account, message, moment); }

  Gate gate;
  Party party;
  Account account;
  Moment moment{kSecondNs, kSecondNs, true};
  Message cancel{Kind::cancel, 'X', 1, 0, 'B', 0, 0, {}, {}};
};

TEST_F(GateTest, AStaleEpochStopsOrdersCancelsAndQueriesAlike) {
  EXPECT_EQ(ask(order(1)), Reason::ok);
  gate.epoch.raise({6, "h/b", {}});
  for (const auto kind : {Kind::enter, Kind::replace, Kind::cancel, Kind::modify, Kind::mass_cancel, Kind::disable,
                          Kind::enable, Kind::query}) {
    auto message = order(1);
    message.kind = kind;
    EXPECT_EQ(ask(message), Reason::stale_epoch);
  }
  EXPECT_TRUE(closes(Reason::stale_epoch));
}

TEST_F(GateTest, WithEnforcementOffAStaleEpochPasses) {
  gate.epoch.raise({6, "h/b", {}});
  gate.is_epoch_enforced = false;
  EXPECT_EQ(ask(order(1)), Reason::ok);
}

TEST_F(GateTest, ALatchStopsWhatOpensRiskAndLetsCancelsPass) {
  for (const auto& entry : {LatchEntry{Scope::site, "", "", 0}, LatchEntry{Scope::account, "ACC1", "", 0},
                            LatchEntry{Scope::strategy, "imbalance", "", 0}, LatchEntry{Scope::engine, "h/a", "", 0}}) {
    gate.latch = Latch{};
    gate.latch.set(entry);
    EXPECT_EQ(ask(order(1)), Reason::latched) << name_of(entry.scope);
    EXPECT_EQ(ask(cancel), Reason::ok) << name_of(entry.scope);
    EXPECT_FALSE(closes(Reason::latched));
  }
}

TEST_F(GateTest, ALatchOfAnotherScopeStopsNothing) {
  gate.latch.set({Scope::account, "ACC2", "", 0});
  gate.latch.set({Scope::strategy, "other", "", 0});
  gate.latch.set({Scope::engine, "h/b", "", 0});
  EXPECT_EQ(ask(order(1)), Reason::ok);
}

TEST_F(GateTest, MoreLatchesThanTheBlockHoldsBecomeASiteLatch) {
  for (std::size_t index = 0; index <= Latch::kEntriesMax; ++index)
    gate.latch.set({Scope::engine, "other/" + std::to_string(index), "", 0});
  EXPECT_EQ(gate.latch.entries().size(), Latch::kEntriesMax + 1) << "nobody's entry made room for it";
  EXPECT_EQ(ask(order(1)), Reason::latched);
  gate.latch.set({Scope::engine, "other/0", "", 0});
  gate.latch.set({Scope::engine, "yet another", "", 0});
  EXPECT_EQ(gate.latch.entries().size(), Latch::kEntriesMax + 1);
}

TEST_F(GateTest, ClearingALatchLeavesEveryOther) {
  const auto mine = gate.latch.set({Scope::account, "ACC1", "mine", 1, 0, "alice"});
  const auto hers = gate.latch.set({Scope::account, "ACC1", "hers", 2, 0, "bob"});
  EXPECT_EQ(gate.latch.set({Scope::account, "ACC1", "mine", 3, 0, "alice"}), mine) << "pressed twice";
  EXPECT_FALSE(gate.latch.clear({mine, 99}));
  EXPECT_EQ(gate.latch.entries().size(), 2U);
  EXPECT_TRUE(gate.latch.clear({mine}));
  ASSERT_EQ(gate.latch.entries().size(), 1U);
  EXPECT_EQ(gate.latch.entries()[0].number, hers);
  EXPECT_GT(gate.latch.set({Scope::site, "", "later", 4}), hers) << "a number is never given twice";
}

TEST_F(GateTest, NoClaimIsGrantedWhileTheLatchIsSet) {
  party.is_claimed = false;
  gate.house.is_test = true;
  gate.latch.set({Scope::site, "", "", 0});
  EXPECT_EQ(judge_claim(gate, party, 6, {"h/a", "", ""}), Reason::latched);
}

TEST_F(GateTest, ReferenceNumbersRiseAndAreNotSpecial) {
  let_out(order(7));
  EXPECT_EQ(ask(order(7)), Reason::urn_not_rising);
  EXPECT_EQ(ask(order(6)), Reason::urn_not_rising);
  EXPECT_EQ(ask(order(8)), Reason::ok);
  EXPECT_EQ(ask(order(0)), Reason::urn_space);
  EXPECT_EQ(ask(order(UINT32_MAX)), Reason::urn_space);
}

TEST_F(GateTest, AClOrdIdOfAnotherEpochIsRefused) {
  auto message = order(1);
  message.clordid = "0000400000001 ";
  EXPECT_EQ(ask(message), Reason::clordid_epoch);
}

TEST_F(GateTest, QuantityNotionalAndSymbolPassAtTheLimitAndNotBeyond) {
  auto message = order(1);
  EXPECT_EQ(ask(message), Reason::ok) << "100 shares at 1.0000 are exactly both limits";
  message.quantity = 101;
  message.price_e4 = 1;
  EXPECT_EQ(ask(message), Reason::limit_quantity);
  message = order(1);
  message.price_e4 = 10'001;
  EXPECT_EQ(ask(message), Reason::limit_notional);
  message.price_e4 = UINT64_MAX;
  EXPECT_EQ(ask(message), Reason::limit_notional) << "no overflow";
  message = order(1);
  message.symbol = "GOOG";
  EXPECT_EQ(ask(message), Reason::limit_symbol);
}

TEST_F(GateTest, TheRateIsExactOverAnySecond) {
  let_out(order(1));
  moment.now_ns += kSecondNs / 2;
  let_out(order(2));
  EXPECT_EQ(ask(order(3)), Reason::limit_orders_per_s);
  EXPECT_EQ(ask(cancel), Reason::ok) << "no limit stops a cancel";
  moment.now_ns = 2 * kSecondNs - 1;
  EXPECT_EQ(ask(order(3)), Reason::limit_orders_per_s);
  moment.now_ns = 2 * kSecondNs;
  EXPECT_EQ(ask(order(3)), Reason::ok);
}

TEST_F(GateTest, ReloadingLimitsOpensNoFreshRateWindow) {
  let_out(order(1));
  let_out(order(2));
  account.window.resize(2);
  EXPECT_EQ(ask(order(3)), Reason::limit_orders_per_s);
  account.window.resize(1);
  gate.limits->orders_per_s_max = 1;
  EXPECT_EQ(ask(order(3)), Reason::limit_orders_per_s);
}

TEST_F(GateTest, ExpiredOrMissingLimitsStopOrdersOnly) {
  moment.now_utc_ns = 100 * kSecondNs;
  EXPECT_EQ(ask(order(1)), Reason::limits_expired);
  EXPECT_EQ(ask(cancel), Reason::ok);
  gate.limits.reset();
  EXPECT_EQ(ask(order(1)), Reason::limits_missing);
}

TEST_F(GateTest, AReplaceIsJudgedByTheOrderItReplaces) {
  Message replace{Kind::replace, 'U', 2, 1, 'B', 100, 10'000, {}, "0000500000002 "};
  EXPECT_EQ(ask(replace), Reason::replaces_unknown);
  let_out(order(1));
  EXPECT_EQ(ask(replace), Reason::ok);
  replace.quantity = 101;
  EXPECT_EQ(ask(replace), Reason::limit_quantity);
}

TEST_F(GateTest, ShadowAndVenueAndClaimComeBeforeEverythingElse) {
  moment.is_venue_ready = false;
  EXPECT_EQ(ask(cancel), Reason::venue_down);
  party.egress = Egress::shadow;
  EXPECT_EQ(ask(cancel), Reason::shadow_egress);
  party.is_claimed = false;
  EXPECT_EQ(ask(cancel), Reason::claim_missing);
}

TEST_F(GateTest, AnUnloggedOrderStaysAndAnUnloggedCancelLeaves) {
  EXPECT_EQ(judge_unlogged(Kind::enter), Reason::log_unwritable);
  EXPECT_EQ(judge_unlogged(Kind::replace), Reason::log_unwritable);
  EXPECT_EQ(judge_unlogged(Kind::enable), Reason::log_unwritable);
  EXPECT_EQ(judge_unlogged(Kind::cancel), Reason::ok);
}

TEST(LimitsFile, OnlyARisingSerialLoads) {
  Limits fresh{4, 100, 1, 1, 1, {}, "sha256:new"};
  EXPECT_EQ(may_load(fresh, 3, "sha256:old", 0), Reason::ok);
  EXPECT_EQ(may_load(fresh, 5, "sha256:old", 0), Reason::limits_older);
  EXPECT_EQ(may_load(fresh, 4, "sha256:new", 0), Reason::ok) << "the same file after a restart";
  EXPECT_EQ(may_load(fresh, 4, "sha256:old", 0), Reason::limits_older) << "the same serial, other bytes";
  EXPECT_EQ(may_load(fresh, 3, "sha256:old", 100), Reason::limits_expired);
}

TEST(OpenOrders, FollowWhatTheVenueSays) {
  Orders orders;
  orders.sent({1, 100, 10, 'B', false, "AAPL", "c"});
  EXPECT_FALSE(orders.find(1)->is_answered);
  orders.accepted({1, 100, 10, 'B', true, "AAPL", "c"}, true);
  orders.executed(1, 40);
  EXPECT_EQ(orders.find(1)->quantity, 60u);
  EXPECT_EQ(orders.position().at("AAPL"), 40);
  orders.replaced(1, {2, 60, 11, 'B', true, "AAPL", "d"}, true);
  EXPECT_EQ(orders.find(1), nullptr);
  orders.canceled(2, 60);
  EXPECT_EQ(orders.open_count(), 0u);
  EXPECT_EQ(orders.last_answered(), 2u);
}

TEST(OpenOrders, ALostSessionForgetsOnlyWhatWasNeverAnswered) {
  Orders orders;
  orders.accepted({1, 100, 10, 'B', true, "AAPL", "c"}, true);
  orders.sent({2, 100, 10, 'B', false, "AAPL", "d"});
  EXPECT_EQ(orders.last_urn(), 2u);
  orders.forget_unanswered();
  EXPECT_EQ(orders.last_urn(), 1u);
  EXPECT_EQ(orders.open_count(), 1u);
}

TEST(OpenOrders, ASellCountsDown) {
  Orders orders;
  orders.accepted({1, 100, 10, 'S', true, "AAPL", "c"}, true);
  orders.executed(1, 100);
  EXPECT_EQ(orders.position().at("AAPL"), -100);
}

TEST(OpenOrders, AgeIsReadFromTheClOrdId) {
  OpenOrder order;
  order.clordid = "0000500000001 ";
  EXPECT_FALSE(is_older_than(5, order));
  EXPECT_TRUE(is_older_than(6, order));
  order.clordid = "no id of ours!";
  EXPECT_TRUE(is_older_than(5, order)) << "what cannot be proven young is old";
}

TEST(HopHistogram, BucketsAreAtMostOnePercentWideAndHoldTheirValues) {
  for (std::uint64_t value : {0ULL, 1ULL, 255ULL, 256ULL, 1'000ULL, 12'345ULL, 999'999'999ULL, 1ULL << 62}) {
    const auto index = HopHistogram::index_of(value);
    ASSERT_LT(index, HopHistogram::kBuckets);
    const auto upper = HopHistogram::upper_ns(index);
    EXPECT_GE(upper, value);
    EXPECT_LE(upper - value, value / 100 + 1);
    if (index > 0) {
      EXPECT_LT(HopHistogram::upper_ns(index - 1), value);
    }
  }
}

TEST(HopHistogram, QuantilesComeFromTheCounts) {
  HopHistogram histogram;
  for (int value = 1; value <= 1000; ++value) histogram.record(value * 1000);
  EXPECT_NEAR(static_cast<double>(histogram.quantile_ns(500'000)), 500'000, 5'000);
  EXPECT_EQ(histogram.max_ns(), 1'000'000u);
  EXPECT_EQ(histogram.quantile_ns(1'000'000), 1'000'000u);
}

}  // namespace
}  // namespace hft::gateway
