// Whose silence counts, and when the successor may be fenced in.
#include <gtest/gtest.h>

#include <random>

#include "gateway/hold.h"
#include "gateway/holder_watch.h"
#include "gateway/succession.h"

namespace hft::gateway {
namespace {

using Verdict = HolderWatch::Verdict;
constexpr std::uint64_t kMs = 1'000'000;
constexpr std::uint64_t kSilence = 500 * kMs;

HolderWatch heard_at(std::uint64_t now_ns) {
  HolderWatch watch;
  watch.follow(1);
  watch.heard(now_ns);
  return watch;
}

Succession succession() {
  return {3, "eng-1/a", "eng-2/a", {{"sha256:a", "sha256:c", "sha256:l"}}, 500, 10, 2'000'000'000};
}

TakeoverSeen ready() {
  return {.epoch = 3,
          .holder = "eng-1/a",
          .now_s = 1'999'999'999,
          .is_paused = false,
          .is_session_up = true,
          .is_latched = false,
          .successor = {.is_linked = true,
                        .is_beating = true,
                        .is_standby = true,
                        .is_fresh = true,
                        .is_latched = false,
                        .is_approved = true,
                        .loss_records = 10}};
}

TEST(HolderWatch, SilenceIsCountedFromTheLastBeat) {
  const auto watch = heard_at(1000 * kMs);
  EXPECT_EQ(watch.verdict(1499 * kMs, kSilence, 0), Verdict::heard);
  EXPECT_EQ(watch.verdict(1500 * kMs, kSilence, 0), Verdict::silent);
}

TEST(HolderWatch, NobodyIsMissedBeforeHeWasHeardAndNobodyWhoNeverBeats) {
  HolderWatch watch;
  watch.follow(1);
  EXPECT_EQ(watch.verdict(99'999 * kMs, kSilence, 0), Verdict::heard);
  watch.logged_in(kMs, false);
  EXPECT_EQ(watch.verdict(99'999 * kMs, kSilence, 0), Verdict::heard);
  watch.ended(2 * kMs, kSilence);
  EXPECT_EQ(watch.verdict(3 * kMs, kSilence, 0), Verdict::ended) << "the end of his stream is told by the kernel";
}

TEST(HolderWatch, WhoLogsInHasTimeForHisDropCopyAndIsMissedBehindIt) {
  HolderWatch watch;
  watch.follow(1);
  watch.logged_in(0, true);
  EXPECT_EQ(watch.verdict(15'499 * kMs, kSilence, 0), Verdict::heard);
  EXPECT_EQ(watch.verdict(15'500 * kMs, kSilence, 0), Verdict::silent);
  watch.heard(2000 * kMs);
  EXPECT_EQ(watch.verdict(2500 * kMs, kSilence, 0), Verdict::silent) << "from his first beat on he is held to them";
}

TEST(HolderWatch, AnEpochBeginsWithoutWhatWasKnownOfTheOneBefore) {
  auto watch = heard_at(kMs);
  watch.follow(2);
  EXPECT_EQ(watch.verdict(99'999 * kMs, kSilence, 0), Verdict::heard);
}

TEST(HolderWatch, TheEndOfHisStreamWaitsForTheGraceAndIsTakenBackByALogin) {
  auto watch = heard_at(1000 * kMs);
  watch.ended(1001 * kMs, kSilence);
  EXPECT_EQ(watch.verdict(1001 * kMs, kSilence, 0), Verdict::ended);
  EXPECT_EQ(watch.verdict(1100 * kMs, kSilence, 100 * kMs), Verdict::heard);
  EXPECT_EQ(watch.verdict(1101 * kMs, kSilence, 100 * kMs), Verdict::ended);
  watch.heard(1102 * kMs);
  EXPECT_EQ(watch.verdict(1103 * kMs, kSilence, 0), Verdict::heard);
}

TEST(HolderWatch, AGapIsExplainedByWhatItSpentOnACpuOrWaitingForOne) {
  EXPECT_EQ(lateness(125 * kMs, 0, 125 * kMs), Lateness::none);
  EXPECT_EQ(lateness(900 * kMs, 800 * kMs, 125 * kMs), Lateness::starved);
  EXPECT_EQ(lateness(900 * kMs, 700 * kMs, 125 * kMs), Lateness::stopped);
  EXPECT_EQ(lateness(900 * kMs, 5'000 * kMs, 125 * kMs), Lateness::starved);
  EXPECT_EQ(lateness(900 * kMs, std::nullopt, 125 * kMs), Lateness::stopped) << "where the kernel does not say";
}

TEST(HolderWatch, WhoStoodStillCountsAnewAndNotBeforeTheOtherEndCanBeBack) {
  auto watch = heard_at(1000 * kMs);
  watch.stood_still(9000 * kMs, 2000 * kMs, kSilence);
  EXPECT_EQ(watch.verdict(11'499 * kMs, kSilence, 0), Verdict::heard);
  EXPECT_EQ(watch.verdict(11'500 * kMs, kSilence, 0), Verdict::silent);
  watch.heard(9'100 * kMs);
  EXPECT_EQ(watch.verdict(9'600 * kMs, kSilence, 0), Verdict::silent) << "he is back, and is counted as ever";
}

TEST(HolderWatch, AnEndRightBehindALateLookIsBelievedLaterEvenOfOneWhoNeverBeats) {
  for (const bool is_beating : {true, false}) {
    HolderWatch watch;
    watch.follow(1);
    watch.logged_in(1000 * kMs, is_beating);
    watch.was_starved(9000 * kMs, 10 * kMs, kSilence);
    watch.ended(9100 * kMs, kSilence);
    EXPECT_EQ(watch.verdict(9599 * kMs, kSilence, 0), Verdict::heard)
        << "he may have given up a gateway that was late, and come back";
    EXPECT_EQ(watch.verdict(9600 * kMs, kSilence, 0), Verdict::ended);
    watch.logged_in(9650 * kMs, is_beating);
    watch.ended(9700 * kMs, kSilence);
    EXPECT_EQ(watch.verdict(9700 * kMs, kSilence, 0), Verdict::ended) << "by now it is news";
  }
}

// The looks of a gateway on a busy machine come late again and again, each for want of a CPU.
TEST(HolderWatch, AStarvedGatewayComesToAnEnd) {
  auto watch = heard_at(0);
  constexpr std::uint64_t kGap = 300 * kMs, kMost = 125 * kMs;
  std::uint64_t now = 0;
  int looks = 0;
  while (watch.verdict(now, kSilence, 0) == Verdict::heard && looks < 100) {
    now += kGap;
    ++looks;
    ASSERT_EQ(lateness(kGap, kGap, kMost), Lateness::starved);
    watch.was_starved(now, kGap - kMost, kSilence);
  }
  EXPECT_EQ(looks, 4) << "each counts for as much as a look in time does";
}

TEST(HolderWatch, WhoLogsOutIsNotMissed) {
  auto watch = heard_at(1000 * kMs);
  watch.left();
  watch.ended(1001 * kMs, kSilence);
  EXPECT_EQ(watch.verdict(99'999 * kMs, kSilence, 0), Verdict::heard);
}

// A holder that beats every fifth of the silence, a gateway that is stopped or starved at random: whatever the order in
// which its late loop finds timer and beats, it never calls him silent. Whoever only waited for a CPU has read what lay
// there before he judges (Takeover::listen).
TEST(HolderWatch, NoGapOfTheGatewayMakesABeatingHolderSilent) {
  std::mt19937_64 random(7);
  for (int history = 0; history < 2000; ++history) {
    std::uint64_t now = 1000 * kMs, looked = now, next_beat = now;
    auto watch = heard_at(now);
    for (int step = 0; step < 200; ++step) {
      const bool is_stopped = random() % 20 == 0;
      const bool is_starved = !is_stopped && random() % 20 == 0;
      now += is_stopped || is_starved ? random() % (5000 * kMs) : random() % (25 * kMs);
      bool is_beaten = false;
      while (next_beat <= now) next_beat += 100 * kMs, is_beaten = true;
      const bool timer_first = !is_starved && random() % 2 == 0;
      if (is_beaten && !timer_first) watch.heard(now);
      switch (lateness(now - looked, is_stopped ? 0 : now - looked, 125 * kMs)) {
        case Lateness::none: break;
        case Lateness::starved: watch.was_starved(now, now - looked - 125 * kMs, kSilence); break;
        case Lateness::stopped: watch.stood_still(now, now - looked, kSilence); break;
      }
      looked = now;
      ASSERT_EQ(watch.verdict(now, kSilence, 0), Verdict::heard) << "history " << history << ", step " << step;
      if (is_beaten && timer_first) watch.heard(now);
    }
  }
}

TEST(Succession, EverythingInOrderLetsItHappen) { EXPECT_EQ(may_succeed(succession(), ready()), Reason::ok); }

TEST(Succession, EachThingThatIsMissingHoldsItOffWithItsName) {
  EXPECT_EQ(may_succeed(std::nullopt, ready()), Reason::succession_none);
  const auto without = [](auto change) {
    auto seen = ready();
    change(seen);
    return may_succeed(succession(), seen);
  };
  EXPECT_EQ(without([](auto& seen) { seen.epoch = 4; }), Reason::succession_none);
  EXPECT_EQ(without([](auto& seen) { seen.holder = "eng-3/a"; }), Reason::succession_none);
  EXPECT_EQ(without([](auto& seen) { seen.now_s = 2'000'000'000; }), Reason::succession_expired);
  EXPECT_EQ(without([](auto& seen) { seen.is_paused = true; }), Reason::paused);
  EXPECT_EQ(without([](auto& seen) { seen.is_session_up = false; }), Reason::venue_down);
  EXPECT_EQ(without([](auto& seen) { seen.is_latched = true; }), Reason::latched);
  EXPECT_EQ(without([](auto& seen) { seen.successor.is_latched = true; }), Reason::latched);
  EXPECT_EQ(without([](auto& seen) { seen.successor.is_linked = false; }), Reason::successor_absent);
  EXPECT_EQ(without([](auto& seen) { seen.successor.is_beating = false; }), Reason::successor_absent);
  EXPECT_EQ(without([](auto& seen) { seen.successor.is_approved = false; }), Reason::not_approved);
  EXPECT_EQ(without([](auto& seen) { seen.successor.is_standby = false; }), Reason::successor_unready);
  EXPECT_EQ(without([](auto& seen) { seen.successor.is_fresh = false; }), Reason::successor_unready);
  EXPECT_EQ(without([](auto& seen) { seen.successor.loss_records = 11; }), Reason::successor_loss);
}

TEST(Succession, TheDocumentGoesRoundAndNoOtherOneIsRead) {
  const auto document = to_json(succession());
  EXPECT_EQ(succession_from(document), succession());
  for (const auto& [key, value] : document.items()) {
    auto less = document;
    less.erase(key);
    EXPECT_FALSE(succession_from(less)) << key;
    auto other = document;
    other[key] = nullptr;
    EXPECT_FALSE(succession_from(other)) << key;
  }
  auto more = document;
  more["more"] = 1U;
  EXPECT_FALSE(succession_from(more));
  auto itself = document;
  itself["successor"] = itself["holder"];
  EXPECT_FALSE(succession_from(itself));
}

TEST(Succession, EachGatewayOfAPairGivesNumbersOfItsOwn) {
  EXPECT_EQ(next_epoch(3, std::nullopt), 4U);
  EXPECT_EQ(next_epoch(3, 1), 5U);
  EXPECT_EQ(next_epoch(3, 0), 4U);
  EXPECT_EQ(next_epoch(4, 1), 5U);
}

TEST(Holds, ExpireByTheClockThatNobodySets) {
  Holds holds;
  EXPECT_FALSE(holds.is_held(0));
  holds.set(HoldKind::freeze, {20'000 * kMs, 10'000 * kMs, "alice", "expiry"}, 100 * kMs, 10'000 * kMs);
  EXPECT_TRUE(holds.is_held(10'099 * kMs));
  EXPECT_FALSE(holds.is_held(10'100 * kMs));
  holds.set(HoldKind::freeze, {20'000 * kMs, 10'000 * kMs, "alice", "expiry"}, 0, 0);  // UTC was set back
  EXPECT_FALSE(holds.is_held(10'000 * kMs)) << "no longer than it was meant to be";
  holds.set(HoldKind::pause, {20'000 * kMs, 10'000 * kMs, "alice", "work"}, 0, 19'000 * kMs);  // after a restart
  EXPECT_TRUE(holds.is_held(999 * kMs));
  holds.lift(HoldKind::pause);
  EXPECT_TRUE(holds.is_held(999 * kMs)) << "the other one stays";
}

}  // namespace
}  // namespace hft::gateway
