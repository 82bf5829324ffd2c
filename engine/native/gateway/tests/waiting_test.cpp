// What waited is old, what did not is young.
#include "gateway/waiting.h"

#include <gtest/gtest.h>

namespace hft::gateway {
namespace {

constexpr std::uint64_t kMs = 1'000'000;

TEST(Waiting, WhatComesAfterAQuietRoundIsAsYoungAsThatRound) {
  Waiting waiting(0);
  waiting.readable(100, 4'950 * kMs);
  EXPECT_EQ(waiting.since_ns(), 4'950 * kMs);
}

TEST(Waiting, WhatWaitedThroughAStoppedRoundIsAsOldAsTheRoundBefore) {
  Waiting waiting(0);
  waiting.readable(1, 0);
  waiting.drained(10 * kMs);
  // Stopped in round 3, which began at 60 ms: all of it may have come then.
  waiting.readable(3, 60 * kMs);
  EXPECT_EQ(waiting.since_ns(), 60 * kMs);
  // A backlog that takes several rounds stays as old as it is until a read finds the end.
  waiting.readable(4, 5'060 * kMs);
  waiting.readable(5, 5'061 * kMs);
  EXPECT_EQ(waiting.since_ns(), 60 * kMs);
  waiting.drained(5'062 * kMs);
  waiting.readable(6, 5'062 * kMs);
  EXPECT_EQ(waiting.since_ns(), 5'062 * kMs);
}

TEST(Waiting, ASocketThatWasNotWaitedForIsNotTakenForEmpty) {
  Waiting waiting(0);
  waiting.readable(1, 0);
  waiting.drained(1 * kMs);
  waiting.watched(80);
  waiting.readable(81, 4'000 * kMs);
  EXPECT_EQ(waiting.since_ns(), 1 * kMs);
  waiting.drained(4'001 * kMs);
  waiting.watched(90);
  waiting.readable(95, 4'700 * kMs);
  EXPECT_EQ(waiting.since_ns(), 4'700 * kMs) << "rounds 91 to 94 did not report it";
}

TEST(Outgoing, IsStuckWhenBytesOfTheMarkDoNotArrive) {
  Outgoing out;
  out.wrote(100);
  EXPECT_FALSE(out.is_stuck(100, 0, 50));
  EXPECT_FALSE(out.is_stuck(100, 50, 50));
  EXPECT_TRUE(out.is_stuck(1, 51, 50)) << "one of them is enough";
  EXPECT_FALSE(out.is_stuck(0, 52, 50));
}

TEST(Outgoing, ABusyLinkThatMovesIsNotStuck) {
  Outgoing out;
  for (std::uint64_t now = 0; now < 1'000; now += 10) {
    out.wrote(20);
    EXPECT_FALSE(out.is_stuck(20, now, 50)) << now;
  }
  out.restart();
  EXPECT_FALSE(out.is_stuck(0, 2'000, 50));
}

}  // namespace
}  // namespace hft::gateway
