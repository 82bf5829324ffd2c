// Orders die of age: what waited for a frozen process is refused, and after a reconnect nothing old goes out again.
#include <gtest/gtest.h>

#include "core/tests/bench.h"

namespace hft::core {
namespace {

using test::Bench;

constexpr std::uint64_t kAapl = 1'000'000;

CoreConfig config(std::uint64_t age_ms) {
  CoreConfig made;
  made.order_age_max_ms = age_ms;
  made.feed_stale_ms = 1'000'000;
  return made;
}

TEST(Age, WhatWaitedForAFrozenProcessIsRefusedAndOrdersPassSoonAfter) {
  Bench bench(config(500));
  bench.go_active();
  bench.wait_ms(500);
  EXPECT_EQ(bench.order('B', 1, "AAPL", kAapl).code, "") << "as old as it may be";
  bench.now_ns += 500'000'001;
  EXPECT_EQ(bench.order('B', 2, "AAPL", kAapl).code, "risk.aged");
  EXPECT_EQ(bench.command(R"({"verb":"intent","type":"cancel","urn":1})").code, "");
  bench.wait_ms(199);
  EXPECT_EQ(bench.order('B', 3, "AAPL", kAapl).code, "risk.aged") << "the rest of what waited";
  bench.wait_ms(1);
  EXPECT_EQ(bench.order('B', 4, "AAPL", kAapl).code, "");
  EXPECT_EQ(bench.intents('O').size(), 2U);
}

TEST(Age, AfterAReconnectAnOldUnansweredOrderIsNotSentAgain) {
  Bench bench(config(1'000));
  bench.go_active(7);
  for (std::uint32_t i = 1; i <= 3; ++i) EXPECT_EQ(bench.order('B', i, "AAPL", kAapl).code, "");
  bench.accept(1);
  bench.link(R"({"up":false,"epoch":7})");
  for (int i = 0; i < 20; ++i) {
    bench.wait_ms(100);
    bench.tick();
  }
  bench.out.clear();
  bench.link_up(7, 3);  // the gateway has forwarded 2, and never seen 3
  bench.wait_ms(600);
  bench.tick();
  EXPECT_TRUE(bench.intents('O').empty()) << "neither of them goes out again";
  EXPECT_EQ(bench.intents('X').size(), 1U) << "of the one that may be at the venue the cancel does";
  EXPECT_TRUE(bench.core.link_ready());
  EXPECT_EQ(bench.core.take_aged(), std::vector<std::uint32_t>{3});
  EXPECT_TRUE(bench.core.take_aged().empty());
  const std::array<std::uint32_t, 2> dropped{3, 0};
  bench.input(Kind::egress, bytes_of(dropped));
  EXPECT_FALSE(bench.core.is_open(3));
  EXPECT_TRUE(bench.core.is_open(2)) << "until somebody says what became of it";
}

TEST(Age, AYoungUnansweredOrderGoesOutAgain) {
  Bench bench(config(1'000));
  bench.go_active(7);
  EXPECT_EQ(bench.order('B', 1, "AAPL", kAapl).code, "");
  bench.link(R"({"up":false,"epoch":7})");
  bench.wait_ms(900);
  bench.link_up(7);
  EXPECT_EQ(bench.intents('O').size(), 2U);
  EXPECT_TRUE(bench.core.take_aged().empty());
}

TEST(Age, AJournalOfBeforeTheLimitReplaysAsItWasDecided) {
  std::string record = start_record(config(500), "artifact", "config", 1);
  EXPECT_EQ(parse_start_record(record)->order_age_max_ms, 500U);
  const std::string field = "\"order_age_max_ms\":500,";
  record.erase(record.find(field), field.size());
  EXPECT_EQ(parse_start_record(record)->order_age_max_ms, 1ULL << 40);
}

}  // namespace
}  // namespace hft::core
