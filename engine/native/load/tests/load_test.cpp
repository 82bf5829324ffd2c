// The generator's pure parts: buckets, schedule, stimulus, drops.
#include <gtest/gtest.h>

#include <map>

#include "load/histogram.h"
#include "load/machine.h"
#include "load/schedule.h"
#include "load/stimulus.h"
#include "venue/references.h"
#include "wire/itch_decode.h"

namespace hft::load {
namespace {

TEST(Histogram, NoBucketIsWiderThanATenthOfAPercentOfItsValue) {
  for (std::size_t index = 2048; index + 1 < Histogram().counts().size(); ++index) {
    const std::uint64_t low = Histogram::lowest_at(index);
    ASSERT_LE((Histogram::lowest_at(index + 1) - low) * 1000, low) << index;
  }
}

TEST(Histogram, EveryValueFallsIntoTheBucketThatContainsIt) {
  venue::Random random(3);
  for (int i = 0; i < 200'000; ++i) {
    const std::uint64_t value = random.next() >> (random.below(42) + 22);
    const std::size_t index = Histogram::index_of(value);
    ASSERT_LE(Histogram::lowest_at(index), value);
    ASSERT_LT(value, Histogram::lowest_at(index + 1));
  }
}

TEST(Histogram, ValueAboveTheHighestIsCountedAtTheHighestAndKeptAsMaximum) {
  Histogram histogram;
  histogram.record(UINT64_MAX);
  EXPECT_EQ(histogram.counts()[Histogram::index_of(Histogram::kHighestNs)], 1u);
  EXPECT_EQ(histogram.max_ns(), UINT64_MAX);
}

TEST(Histogram, ShareIsWithinABucketOfTheSortedValues) {
  venue::Random random(9);
  Histogram histogram;
  std::vector<std::uint64_t> values;
  for (int i = 0; i < 10'000; ++i) values.push_back(random.below(5'000'000));
  for (const std::uint64_t value : values) histogram.record(value);
  std::sort(values.begin(), values.end());
  for (const double share : {0.5, 0.9, 0.99, 0.999}) {
    const std::uint64_t exact = values[static_cast<std::size_t>(share * 10'000) - 1];
    EXPECT_GE(histogram.at_share(share) + 1, exact);
    EXPECT_LE(histogram.at_share(share), exact + exact / 500 + 2000);
  }
}

TEST(Schedule, TriggersStandAtTheirFixedTimesWhateverHappensBetween) {
  Schedule schedule(100, 1000, 0);
  std::uint64_t triggers = 0;
  for (Due due = schedule.peek(); due.kind != Due::Kind::end; schedule.pop(), due = schedule.peek()) {
    if (due.kind == Due::Kind::trigger) {
      EXPECT_EQ(due.at_ns, triggers++ * 1'000'000);
    } else {
      EXPECT_EQ(due.at_ns, due.index * 1'000'000 + 500'000);
    }
  }
  EXPECT_EQ(triggers, 100u);
}

TEST(Schedule, NothingIsDueOutOfOrderAndNoiseKeepsItsOwnRate) {
  Schedule schedule(200, 700, 3000);
  std::uint64_t last = 0;
  std::map<Due::Kind, std::uint64_t> counts;
  for (Due due = schedule.peek(); due.kind != Due::Kind::end; schedule.pop(), due = schedule.peek()) {
    ASSERT_GE(due.at_ns, last);
    last = due.at_ns;
    ++counts[due.kind];
  }
  EXPECT_EQ(counts[Due::Kind::trigger], 200u);
  EXPECT_EQ(counts[Due::Kind::prime], 200u);
  EXPECT_NEAR(static_cast<double>(counts[Due::Kind::noise]), 3000.0 * 200 / 700, 4);
}

TEST(Schedule, RestKeepsTriggersAndPrimesApartAndLetsNoiseThrough) {
  constexpr std::uint64_t kMs = 1'000'000;
  Schedule schedule(20, 1000, 500, {5, 300 * kMs});
  std::uint64_t last = 0;
  std::uint64_t noise_in_the_rest = 0;
  for (Due due = schedule.peek(); due.kind != Due::Kind::end; schedule.pop(), due = schedule.peek()) {
    ASSERT_GE(due.at_ns, last);
    last = due.at_ns;
    if (due.kind == Due::Kind::noise) {
      noise_in_the_rest += due.at_ns > 5 * kMs && due.at_ns < 305 * kMs ? 1 : 0;
      continue;
    }
    const std::uint64_t rested = due.index >= 5 ? 300 * kMs : 0;
    EXPECT_EQ(due.at_ns, due.index * kMs + (due.kind == Due::Kind::prime ? kMs / 2 : 0) + rested);
  }
  EXPECT_EQ(schedule.trigger_at(5), 305 * kMs);
  EXPECT_NEAR(static_cast<double>(noise_in_the_rest), 150, 1);
}

TEST(Schedule, TimesOfAFiveHourRunDoNotOverflow) {
  EXPECT_EQ(Schedule::at(18'000'000'000ULL * 2, 2'000'000), 18'000'000'000'000ULL);
}

// Applies datagrams to a book of one symbol; asserts that quotes never cross and never lean between triggers.
class Touch {
 public:
  void apply(Bytes datagram) {
    const auto packet = mold::parse(datagram);
    ASSERT_EQ(packet.why, Reject::none);
    ASSERT_EQ(packet.sequence, next_);
    next_ += packet.count;
    mold::for_each(packet, [&](std::uint64_t, Bytes message) { apply_message(message); });
  }

  std::uint64_t shares(char side) const {
    std::uint64_t best = 0;
    std::uint64_t total = 0;
    for (const auto& [ref, order] : orders_) {
      if (order.side != side) continue;
      const bool better = best == 0 || (side == 'B' ? order.price > best : order.price < best);
      if (better) best = order.price, total = 0;
      if (order.price == best) total += order.shares;
    }
    return total;
  }
  std::uint64_t best(char side) const {
    std::uint64_t found = 0;
    for (const auto& [ref, order] : orders_) {
      if (order.side == side && (found == 0 || (side == 'B' ? order.price > found : order.price < found))) {
        found = order.price;
      }
    }
    return found;
  }

 private:
  struct Resting {
    char side;
    std::uint64_t shares, price;
  };

  void apply_message(Bytes bytes) {
    const std::uint64_t ref = itch::order_reference.load(bytes.data());
    switch (static_cast<char>(bytes[0])) {
      case 'A': {
        const View<itch::AddOrder> add(bytes.data());
        ASSERT_FALSE(orders_.contains(ref));
        orders_[ref] = {add[itch::AddOrder::side], add[itch::AddOrder::shares], add[itch::AddOrder::price]};
        break;
      }
      case 'D': ASSERT_EQ(orders_.erase(ref), 1u); break;
      case 'U': {
        const View<itch::OrderReplace> move(bytes.data());
        ASSERT_TRUE(orders_.contains(ref));
        const char side = orders_[ref].side;
        orders_.erase(ref);
        orders_[move[itch::OrderReplace::new_reference]] = {side, move[itch::OrderReplace::shares],
                                                            move[itch::OrderReplace::price]};
        break;
      }
      default: return;
    }
    if (best('B') != 0 && best('S') != 0) {
      ASSERT_LT(best('B'), best('S'));
    }
  }

  std::map<std::uint64_t, Resting> orders_;
  std::uint64_t next_ = 1;
};

TEST(Stimulus, QuotesNeverCrossAndOnlyTriggersLean) {
  Stimulus stimulus(StimulusPlan{});
  std::array<std::uint8_t, 1400> out;
  Touch touch;
  std::size_t at = 0;
  while (at < stimulus.opening().size()) touch.apply(stimulus.pack(stimulus.opening(), at, out));
  for (std::uint64_t i = 0; i < 4500; ++i) {  // past the point where the prices start again
    ASSERT_EQ(touch.shares('B'), touch.shares('S')) << i;
    touch.apply(stimulus.trigger(i, out, 0));
    const char heavy = i % 2 == 0 ? 'B' : 'S';
    const char light = i % 2 == 0 ? 'S' : 'B';
    ASSERT_EQ(touch.shares(heavy), 10 * touch.shares(light));
    ASSERT_EQ(stimulus.owner_of("TRG0    ", touch.best('B')), i);
    ASSERT_EQ(stimulus.owner_of("TRG0    ", touch.best('S')), i);
    touch.apply(stimulus.prime(i, out, 0));
    if (HasFatalFailure()) return;
  }
}

TEST(Stimulus, PriceOrSymbolOfNobodyHasNoOwner) {
  Stimulus stimulus(StimulusPlan{});
  std::array<std::uint8_t, 1400> out;
  stimulus.trigger(0, out, 0);
  EXPECT_EQ(stimulus.owner_of("TRG0    ", 1'000'000), 0u);
  EXPECT_FALSE(stimulus.owner_of("TRG0    ", 1'000'200));
  EXPECT_FALSE(stimulus.owner_of("TRG0    ", 1'000'050));
  EXPECT_FALSE(stimulus.owner_of("TRG1    ", 1'000'000));
  EXPECT_FALSE(stimulus.owner_of("TRG0    ", 1));
}

// What a book must survive: no reference twice, nothing taken away that is not there, over several cycles.
TEST(Stimulus, NoiseStaysConsistentWhenItsCycleRunsAgain) {
  StimulusPlan plan;
  plan.noise_symbols = 20;
  plan.noise_live = 200;
  plan.noise_cycle = 2000;
  Stimulus stimulus(plan);
  std::array<std::uint8_t, 1400> out;
  std::map<std::uint64_t, std::uint64_t> open;
  std::uint64_t adds = 0;
  for (int i = 0; i < 1000; ++i) {
    const auto packet = mold::parse(stimulus.noise(out));
    ASSERT_EQ(packet.why, Reject::none);
    ASSERT_EQ(packet.count, plan.noise_per_datagram);
    mold::for_each(packet, [&](std::uint64_t, Bytes message) {
      ASSERT_EQ(itch::check(message), Reject::none);
      const std::uint64_t ref = itch::order_reference.load(message.data());
      const auto take = [&](std::uint64_t shares) {
        ASSERT_GE(open.at(ref), shares);
        if ((open[ref] -= shares) == 0) open.erase(ref);
      };
      switch (static_cast<char>(message[0])) {
        case 'A':
        case 'F':
          ++adds;
          ASSERT_TRUE(open.emplace(ref, itch::AddOrder::shares.load(message.data())).second);
          break;
        case 'D': ASSERT_EQ(open.erase(ref), 1u); break;
        case 'E': take(itch::OrderExecuted::shares.load(message.data())); break;
        case 'X': take(itch::OrderCancel::shares.load(message.data())); break;
        case 'U':
          ASSERT_EQ(open.erase(ref), 1u);
          open.emplace(itch::OrderReplace::new_reference.load(message.data()),
                       itch::OrderReplace::shares.load(message.data()));
          break;
        default: FAIL() << message[0];
      }
    });
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(adds, 4000u);
}

TEST(Machine, DropsAreReadFromTheKernelsTableForTheGivenPortsOnly) {
  const std::string table =
      "  sl  local_address rem_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode ref pointer drops\n"
      "  10: 0100007F:2710 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 111 2 00000000 7\n"
      "  11: 0100007F:2711 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 112 2 00000000 5\n"
      "  12: 0100007F:2712 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 113 2 00000000 900\n";
  EXPECT_EQ(receiver_drops(table, {10000, 10001}), 12);
  EXPECT_EQ(receiver_drops(table, {4}), -1);
}

TEST(Machine, ProcessesOfTheRunAreNotOthers) {
  EXPECT_TRUE(read_pids("").empty());
  EXPECT_TRUE(read_pids("/nonexistent").empty());
  EXPECT_GT(read_cpu_times({}).total, 0u);
}

TEST(Machine, WhatOthersTookIsTheBusyTimeThatIsNotOurs) {
  EXPECT_DOUBLE_EQ(others_share({100, 1000, 50}, {300, 2000, 200}), 0.05);
  EXPECT_DOUBLE_EQ(others_share({100, 1000, 50}, {100, 1000, 50}), 0.0);
}

}  // namespace
}  // namespace hft::load
