// Strangers share what is left of everything.
#include "gateway/places.h"

#include <gtest/gtest.h>

#include "gateway/pace.h"

namespace hft::gateway {
namespace {

std::vector<Guest> crowd(std::uint32_t peer, std::size_t count, std::uint64_t from = 1) {
  std::vector<Guest> guests;
  for (std::size_t at = 0; at < count; ++at) guests.push_back({from + at, peer, true, true});
  return guests;
}

TEST(Places, OnePeerTakesItsOwnPlacesOnly) {
  const PlaceLimits limits;
  auto guests = crowd(1, limits.strangers_of_a_peer);
  EXPECT_EQ(place_for(1, guests).leaves, 1u) << "the oldest of its own";
  EXPECT_EQ(place_for(2, guests).leaves, 0u);
  EXPECT_TRUE(place_for(2, guests).is_given);
  guests[0].is_silent = false;
  EXPECT_EQ(place_for(1, guests).leaves, 2u) << "who said HELLO stays";
  for (auto& guest : guests) guest.is_silent = false;
  EXPECT_FALSE(place_for(1, guests).is_given);
}

TEST(Places, ManyPeersTakeFromTheOneThatHasMost) {
  const PlaceLimits limits;
  std::vector<Guest> guests{{1, 7, true, true}};
  for (std::uint64_t number = 2; number <= limits.strangers; ++number)
    guests.push_back({number, static_cast<std::uint32_t>(100 + number / 5), true, true});
  const auto place = place_for(7, guests);
  EXPECT_TRUE(place.is_given);
  EXPECT_NE(place.leaves, 1u);
  EXPECT_NE(place.leaves, 0u);
}

TEST(Places, TheAdmittedAreNeverSentAwayAndTheirPlacesAreKept) {
  const PlaceLimits limits;
  auto guests = crowd(1, limits.strangers);
  for (auto& guest : guests) guest.is_stranger = false;
  EXPECT_EQ(place_for(1, guests).leaves, 0u) << "they are no strangers";
  for (std::uint64_t number = 1000; guests.size() < limits.all - limits.strangers; ++number)
    guests.push_back({number, 2, false, false});
  EXPECT_FALSE(place_for(3, guests).is_given);
}

TEST(Budget, ABurstThenOneAtATimeAndTheRestIsCounted) {
  Budget budget(3, 100);
  int taken = 0;
  for (std::uint64_t now = 1'000; now < 2'000; now += 10) taken += budget.take(now);
  EXPECT_EQ(taken, 3 + 9);
  EXPECT_EQ(budget.take_missed(), 88u);
  EXPECT_EQ(budget.take_missed(), 0u);
  EXPECT_TRUE(budget.take(1'000'000));
}

TEST(Backoff, DoublesUpToAMinuteAndIsOverAtLast) {
  Backoff backoff;
  EXPECT_EQ(backoff.pause_ms(10), 10u);
  std::vector<std::uint64_t> pauses;
  for (; !backoff.is_over(); backoff.rejected()) pauses.push_back(backoff.pause_ms(10));
  EXPECT_EQ(pauses, (std::vector<std::uint64_t>{10, 1'000, 2'000, 4'000, 8'000, 16'000, 32'000, 60'000}));
  backoff.accepted();
  EXPECT_EQ(backoff.pause_ms(500), 500u);
  EXPECT_FALSE(backoff.is_over());
}

}  // namespace
}  // namespace hft::gateway
