// Windows have no horizon: what limits ask for is remembered, and what is not known any more is refused.
#include "core/windows.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "core/limits_schema.h"
#include "core/own_prices.h"
#include "core/tests/bench.h"

namespace hft::core {
namespace {

constexpr std::uint64_t kSecondNs = RateWindow::kSecondNs;

OrderRequest numbered(std::uint32_t number) {
  return {number % 7, number % 2 == 0 ? 'B' : 'S', number, 1'000'000, '0'};
}

TEST(RecentOrders, AnOrderBehindAHundredThousandOthersIsStillADuplicate) {
  RecentOrders recent;
  recent.reserve(100'000);
  for (std::uint32_t i = 0; i < 100'000; ++i) recent.add(numbered(i), i);
  for (std::uint32_t i = 0; i < 100'000; i += 997) EXPECT_TRUE(recent.seen(numbered(i), kSecondNs, 200'000)) << i;
  EXPECT_FALSE(recent.seen(numbered(100'000), kSecondNs, 200'000));
}

TEST(RecentOrders, TheNewestOfTheSameCountsAndTheWindowEndsToTheNanosecond) {
  RecentOrders recent;
  recent.add(numbered(1), 100);
  recent.add(numbered(1), 500);
  EXPECT_TRUE(recent.seen(numbered(1), 1000, 1499));
  EXPECT_FALSE(recent.seen(numbered(1), 1000, 1500));
  EXPECT_FALSE(recent.seen(numbered(1), 0, 500)) << "a window of 0 is off";
}

TEST(RecentOrders, WhatIsNotKnownAnyMoreIsRefusedNotForgotten) {
  RecentOrders recent;
  for (std::uint32_t i = 0; i < 1025; ++i) recent.add(numbered(i), i);
  EXPECT_TRUE(recent.seen(numbered(0), kSecondNs, 2000)) << "it was overwritten inside the window";
  EXPECT_TRUE(recent.seen(numbered(5000), kSecondNs, kSecondNs - 1)) << "and so was anything else";
  EXPECT_FALSE(recent.seen(numbered(5000), kSecondNs, kSecondNs));
}

TEST(RecentOrders, MoreRoomKeepsWhatIsThere) {
  RecentOrders recent;
  for (std::uint32_t i = 0; i < 1000; ++i) recent.add(numbered(i), i);
  recent.reserve(5000);
  for (std::uint32_t i = 1000; i < 4000; ++i) recent.add(numbered(i), i);
  for (std::uint32_t i = 0; i < 4000; i += 13) EXPECT_TRUE(recent.seen(numbered(i), kSecondNs, 4000)) << i;
}

TEST(RateWindow, ARateAboveTheFirstRoomIsHeldExactly) {
  RateWindow rate;
  rate.reserve(100'000);
  for (std::uint32_t i = 0; i < 100'000; ++i) rate.add(i);
  EXPECT_FALSE(rate.room(100'000, kSecondNs - 1));
  EXPECT_TRUE(rate.room(100'000, kSecondNs));
  EXPECT_TRUE(rate.room(100'001, 100'000));
}

TEST(RateWindow, AWiderRateAfterManyMessagesRefusesUntilItKnows) {
  RateWindow rate;
  for (std::uint32_t i = 0; i < 5000; ++i) rate.add(i);
  rate.reserve(10'000);
  EXPECT_FALSE(rate.room(4000, 5000));
  EXPECT_TRUE(rate.room(4000, 5000 + kSecondNs));
  EXPECT_FALSE(rate.room(0, kSecondNs * 10)) << "none a second is none";
}

TEST(OwnPrices, TheBestIsTheBestOfWhateverIsIn) {
  std::mt19937_64 random(7);
  OwnPrices prices(4096);
  struct In {
    std::uint32_t slot;
    std::uint64_t price;
  };
  std::array<std::vector<In>, 2> sides;
  std::vector<std::uint32_t> free(4096);
  for (std::uint32_t i = 0; i < free.size(); ++i) free[i] = i;
  for (int step = 0; step < 20'000; ++step) {
    const std::size_t side = random() % 2;
    const char letter = side == 0 ? 'B' : 'T';
    auto& in = sides[side];
    if (!free.empty() && (in.empty() || random() % 5 < 3)) {
      in.push_back({free.back(), random() % 500});
      prices.insert(free.back(), 3, letter, in.back().price);
      free.pop_back();
    } else if (!in.empty()) {
      std::swap(in[random() % in.size()], in.back());
      prices.remove(in.back().slot);
      free.push_back(in.back().slot);
      in.pop_back();
    }
    const auto less = [](const In& one, const In& other) { return one.price < other.price; };
    const auto best = prices.best(3, letter);
    ASSERT_EQ(best.has_value(), !in.empty());
    if (in.empty()) continue;
    const auto [least, most] = std::minmax_element(in.begin(), in.end(), less);
    ASSERT_EQ(*best, side == 0 ? most->price : least->price) << "step " << step;
  }
  EXPECT_FALSE(prices.best(2, 'B'));
  EXPECT_FALSE(prices.best(100, 'S'));
}

TEST(LimitsSchema, AFieldOutsideItIsNamed) {
  const auto fault = [](auto change) {
    Limits limits = test::loose_limits();
    change(limits);
    return limits_fault(limits);
  };
  EXPECT_EQ(fault([](Limits&) {}), "");
  EXPECT_NE(fault([](Limits& l) { l.messages_per_second_max = 0; }).find("messages_per_second_max"), std::string::npos);
  EXPECT_NE(fault([](Limits& l) { l.open_orders_max = 0; }).find("open_orders_max"), std::string::npos);
  EXPECT_NE(fault([](Limits& l) { l.daily_loss_max_e4 = 1ULL << 63; }).find("daily_loss_max_e4"), std::string::npos);
  EXPECT_NE(fault([](Limits& l) { l.symbols = {"aapl"}; }).find("symbols"), std::string::npos);
  const auto window = [&](std::uint64_t ms) {
    return fault([ms](Limits& l) {
      l.messages_per_second_max = 10'000;
      l.duplicate_window_ms = ms;
    });
  };
  EXPECT_EQ(window(103'999), "");
  EXPECT_NE(window(104'000).find("duplicate_window_ms"), std::string::npos);
  EXPECT_NE(window(UINT64_MAX / 2).find("duplicate_window_ms"), std::string::npos);
}

TEST(Windows, LimitsThatWidenTheDuplicateWindowLetNoOldDuplicatePass) {
  Limits limits = test::loose_limits();
  limits.duplicate_window_ms = 1;
  limits.open_orders_max = 10'000;
  limits.messages_per_second_max = 10'000;
  limits.position_max = limits.gross_notional_max_e4 = 1ULL << 50;
  test::Bench bench({}, limits);
  bench.go_active();
  ASSERT_EQ(bench.order('B', 1, "AAPL", 990'000).code, "");
  for (std::uint32_t i = 0; i < 3'000; ++i) {
    ASSERT_EQ(bench.order('B', 2 + i % 900, "AAPL", 990'100 + i / 900 * 100).code, "") << i;
  }
  limits.duplicate_window_ms = 50'000;
  bench.set_limits(limits);
  EXPECT_EQ(bench.order('B', 1, "AAPL", 990'000).code, "risk.duplicate");
}

}  // namespace
}  // namespace hft::core
