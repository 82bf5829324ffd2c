// A/B arbitration: each message once and in order under loss, duplicates and reordering; gaps, re-requests,
// sessions; and a seeded storm in which every message must be delivered or named as lost.
#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <string>

#include "feed/tests/streams.h"

namespace hft::feed {
namespace {

TEST_F(ArbiterTest, TheSecondLineAddsNothing) {
  EXPECT_EQ(take(Line::a, datagram(1, 3)), Outcome::delivered);
  EXPECT_EQ(take(Line::b, datagram(1, 3)), Outcome::duplicate);
  EXPECT_EQ(sink_.text, "1 2 3 ");
  EXPECT_EQ(arbiter_.counters().messages_won[0], 3U);
  EXPECT_EQ(arbiter_.counters().messages_won[1], 0U);
}

TEST_F(ArbiterTest, AnOverlappingDatagramGivesOnlyItsNewPart) {
  take(Line::a, datagram(1, 3));
  EXPECT_EQ(take(Line::b, datagram(2, 4)), Outcome::delivered);
  EXPECT_EQ(sink_.text, "1 2 3 4 5 ");
}

TEST_F(ArbiterTest, TheOtherLineFillsAGapBeforeAnyRequest) {
  take(Line::a, datagram(1, 2));
  EXPECT_EQ(take(Line::a, datagram(5, 2), 100), Outcome::kept);
  EXPECT_EQ(arbiter_.phase(), Phase::gapped);
  EXPECT_FALSE(poll(100 + kMs - 1));
  EXPECT_EQ(take(Line::b, datagram(3, 2), 200), Outcome::delivered);
  EXPECT_EQ(sink_.text, "1 2 3 4 5 6 ");
  EXPECT_EQ(arbiter_.phase(), Phase::live);
  EXPECT_FALSE(poll(100 * kMs));
  EXPECT_EQ(arbiter_.counters().requests, 0U);
}

TEST_F(ArbiterTest, AGapIsRequestedAfterItsWaitAndAgainAfterTheTimeout) {
  take(Line::a, datagram(1, 1));
  take(Line::a, datagram(4, 1), 5 * kMs);
  EXPECT_FALSE(poll(6 * kMs - 1));
  EXPECT_EQ(poll(6 * kMs), (mold::Request{mold::make_session("DAY1"), 2, 2}));
  EXPECT_FALSE(poll(16 * kMs - 1));
  EXPECT_EQ(poll(16 * kMs), (mold::Request{mold::make_session("DAY1"), 2, 2}));
  take(Line::rerequest, datagram(2, 2), 17 * kMs);
  EXPECT_EQ(sink_.text, "1 2 3 4 ");
  EXPECT_EQ(arbiter_.counters().gaps, 1U);
  EXPECT_EQ(arbiter_.counters().requests, 2U);
}

TEST_F(ArbiterTest, AfterTheLastVainTryTheGapIsLostAndTheStreamGoesOn) {
  take(Line::a, datagram(1, 1));
  take(Line::a, datagram(4, 1), 0);
  EXPECT_TRUE(poll(1 * kMs));
  EXPECT_TRUE(poll(11 * kMs));
  EXPECT_TRUE(poll(21 * kMs)) << "one datagram alone says that there was a 2";
  for (int i = 0; i < 2; ++i) take(Line::a, control(5, mold::kHeartbeat), 30 * kMs);
  EXPECT_FALSE(poll(31 * kMs));
  EXPECT_EQ(sink_.lost_runs, (std::vector<std::pair<std::uint64_t, std::uint64_t>>{{2, 2}}));
  EXPECT_EQ(sink_.text, "1 4 ");
  EXPECT_EQ(arbiter_.phase(), Phase::live);
  EXPECT_EQ(arbiter_.counters().lost, 2U);
  EXPECT_EQ(take(Line::b, datagram(2, 2)), Outcome::too_late) << "it was never delivered";
}

TEST_F(ArbiterTest, ALargeGapIsRequestedPieceByPieceWithoutWaitingBetween) {
  take(Line::a, datagram(1, 1));
  take(Line::a, datagram(11, 1), 0);
  EXPECT_EQ(poll(1 * kMs)->count, 4);
  take(Line::rerequest, datagram(2, 4), 2 * kMs);
  const auto second = poll(2 * kMs);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->first, 6U);
  EXPECT_EQ(second->count, 4);
}

TEST_F(ArbiterTest, AnAnswerInSeveralDatagramsIsNotAskedForAgainMeanwhile) {
  take(Line::a, datagram(1, 1));
  take(Line::a, datagram(6, 1), 0);
  EXPECT_TRUE(poll(1 * kMs));
  take(Line::rerequest, datagram(2, 2), 9 * kMs);
  EXPECT_FALSE(poll(9 * kMs + kMs / 2)) << "the next one may be on its way";
  take(Line::rerequest, datagram(4, 1), 9 * kMs + kMs / 2);
  EXPECT_FALSE(poll(10 * kMs));
}

TEST_F(ArbiterTest, TheRestOfAPartAnswerIsAskedForWithoutWaitingForTheTimeout) {
  take(Line::a, datagram(1, 1));
  take(Line::a, datagram(6, 1), 0);
  EXPECT_TRUE(poll(1 * kMs));
  take(Line::rerequest, datagram(2, 2), 2 * kMs);
  EXPECT_EQ(poll(3 * kMs)->first, 4U) << "1 ms after progress, not 10";
  EXPECT_FALSE(poll(4 * kMs)) << "a request that nobody answered waits for its timeout";
  EXPECT_EQ(poll(13 * kMs)->first, 4U);
}

TEST_F(ArbiterTest, AHeartbeatShowsALossAtTheEnd) {
  take(Line::a, datagram(1, 2));
  EXPECT_EQ(take(Line::a, control(5, mold::kHeartbeat), 0), Outcome::heartbeat);
  EXPECT_EQ(arbiter_.phase(), Phase::gapped);
  EXPECT_EQ(poll(1 * kMs), (mold::Request{mold::make_session("DAY1"), 3, 2}));
}

TEST_F(ArbiterTest, AFullWindowDropsAndAsksAgain) {
  take(Line::a, datagram(1, 1));
  for (std::uint64_t sequence = 3; sequence < 7; ++sequence)
    EXPECT_EQ(take(Line::a, datagram(sequence, 1)), Outcome::kept);
  EXPECT_EQ(take(Line::a, datagram(7, 1)), Outcome::window_full);
  EXPECT_EQ(take(Line::b, datagram(3, 1)), Outcome::duplicate);
  take(Line::b, datagram(2, 1));
  EXPECT_EQ(sink_.text, "1 2 3 4 5 6 ");
  EXPECT_EQ(arbiter_.phase(), Phase::gapped) << "7 is known to exist";
}

TEST_F(ArbiterTest, EndOfSessionComesBehindEverythingBeforeIt) {
  take(Line::a, datagram(1, 1));
  EXPECT_EQ(take(Line::a, control(3, mold::kEndOfSession)), Outcome::end_of_session);
  EXPECT_EQ(sink_.ends, 0);
  take(Line::b, datagram(2, 1));
  EXPECT_EQ(sink_.ends, 1);
  EXPECT_EQ(arbiter_.phase(), Phase::ended);
  take(Line::b, control(3, mold::kEndOfSession));
  EXPECT_EQ(sink_.ends, 1);
  EXPECT_EQ(take(Line::b, datagram(3, 1)), Outcome::delivered) << "then it was no end";
  EXPECT_EQ(sink_.resumptions, 1);
  EXPECT_EQ(arbiter_.phase(), Phase::live);
}

TEST_F(ArbiterTest, AnEndThatContradictsTheStreamIsNone) {
  take(Line::a, datagram(1, 5));
  take(Line::a, control(2, mold::kEndOfSession));
  EXPECT_EQ(arbiter_.phase(), Phase::live);
  EXPECT_EQ(sink_.ends, 0);
}

TEST_F(ArbiterTest, AfterTheEndANewSessionBeginsAtOneAndTheOldOneStaysOver) {
  take(Line::a, datagram(1, 1));
  take(Line::a, control(2, mold::kEndOfSession));
  sink_.next = 1;
  EXPECT_EQ(take(Line::a, datagram(1, 2, "DAY2")), Outcome::delivered);
  EXPECT_EQ(take(Line::b, control(2, mold::kEndOfSession)), Outcome::other_session);
  EXPECT_EQ(sink_.sessions, (std::vector<std::string>{"DAY1", "DAY2"}));
}

TEST_F(ArbiterTest, ASessionThatIsNotProvenYieldsToSeveralDatagramsInARow) {
  take(Line::a, datagram(1, 1));
  EXPECT_EQ(take(Line::a, datagram(1, 1, "STRAY")), Outcome::other_session);
  EXPECT_EQ(take(Line::a, datagram(1, 1, "STRAY")), Outcome::other_session);
  take(Line::a, datagram(2, 1));
  EXPECT_EQ(take(Line::a, datagram(1, 1, "STRAY")), Outcome::other_session) << "the count began anew";
  EXPECT_EQ(sink_.sessions.size(), 1U);
  for (int i = 0; i < 2; ++i) take(Line::a, control(1, mold::kHeartbeat, "DAY2"));
  sink_.next = 1;
  EXPECT_EQ(take(Line::a, datagram(1, 1, "DAY2")), Outcome::delivered);
}

TEST_F(ArbiterTest, OneWildSequenceDoesNotSkipTheDay) {
  take(Line::a, datagram(1, 1));
  EXPECT_EQ(take(Line::a, datagram(9'000'000'000, 1)), Outcome::wild_sequence);
  EXPECT_EQ(arbiter_.phase(), Phase::live);
  EXPECT_EQ(take(Line::a, datagram(2, 1)), Outcome::delivered);
  for (std::uint64_t i = 0; i < 2; ++i) EXPECT_EQ(take(Line::a, datagram(5'000'000 + i, 1)), Outcome::wild_sequence);
  EXPECT_EQ(take(Line::a, datagram(5'000'002, 1)), Outcome::kept) << "three that agree are a real outage";
}

TEST_F(ArbiterTest, MalformedDatagramsChangeNothingAndAreCounted) {
  take(Line::a, datagram(1, 1));
  auto broken = datagram(2, 2);
  broken.pop_back();
  EXPECT_EQ(take(Line::a, broken), Outcome::rejected);
  EXPECT_EQ(take(Line::a, {}), Outcome::rejected);
  EXPECT_EQ(arbiter_.expected(), 2U);
  EXPECT_EQ(arbiter_.counters().of(Reject::bad_length), 1U);
  EXPECT_EQ(arbiter_.counters().of(Reject::empty), 1U);
}

TEST(Arbiter, JoinsMidStreamOnlyWhenToldTo) {
  Recorder sink;
  sink.next = 500;
  Arbiter joiner({.start_sequence = 0});
  EXPECT_EQ(joiner.on_datagram(Line::a, datagram(500, 1), 0, sink), Outcome::delivered);
  Recorder fresh;
  Arbiter strict({.start_sequence = 1});
  EXPECT_EQ(strict.on_datagram(Line::a, datagram(500, 1), 0, fresh), Outcome::kept);
  EXPECT_EQ(strict.phase(), Phase::gapped);
}

TEST(Arbiter, AConfiguredSessionIsTheOnlyOne) {
  Recorder sink;
  Arbiter arbiter({.session = mold::make_session("DAY1")});
  EXPECT_EQ(arbiter.on_datagram(Line::a, datagram(1, 1, "OTHER"), 0, sink), Outcome::other_session);
  EXPECT_EQ(arbiter.on_datagram(Line::a, datagram(1, 1), 0, sink), Outcome::delivered);
}

// A publisher, two bad lines and a retransmission server in virtual time.
struct Storm {
  explicit Storm(std::uint64_t seed) : random(seed) {}

  struct Flight {
    std::uint64_t at_ns;
    Line line;
    std::vector<std::uint8_t> bytes;
  };

  bool chance(unsigned percent) { return random() % 100 < percent; }

  void send(Line line, std::uint64_t now_ns, const std::vector<std::uint8_t>& bytes) {
    if (chance(8)) return;
    for (int copies = chance(5) ? 2 : 1; copies > 0; --copies) {
      flights.push_back({now_ns + random() % (3 * kMs), line, bytes});
    }
  }

  void land(std::uint64_t now_ns) {
    for (std::size_t i = 0; i < flights.size();) {
      if (flights[i].at_ns > now_ns) {
        ++i;
        continue;
      }
      arbiter.on_datagram(flights[i].line, flights[i].bytes, now_ns, sink);
      flights.erase(flights.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

  void answer(const mold::Request& request, std::uint64_t now_ns) {
    EXPECT_LE(request.first + request.count, published + 1);
    EXPECT_GT(request.count, 0);
    const std::uint64_t end = request.first + request.count;
    for (std::uint64_t first = request.first; first < end && !unanswered; first += 50) {
      send(Line::rerequest, now_ns, datagram(first, std::min<std::uint64_t>(50, end - first)));
    }
  }

  void run(std::uint64_t messages) {
    std::uint64_t now_ns = 0;
    for (; published < messages; now_ns += kMs / 4) {
      const auto count = std::min<std::uint64_t>(1 + random() % 8, messages - published);
      const auto bytes = datagram(published + 1, count);
      published += count;
      send(Line::a, now_ns, bytes);
      send(Line::b, now_ns, bytes);
      step(now_ns);
    }
    for (int i = 0; i < 4000 && sink.ends == 0; ++i, now_ns += kMs) {
      send(Line::a, now_ns, control(published + 1, mold::kEndOfSession));
      step(now_ns);
    }
  }

  void step(std::uint64_t now_ns) {
    land(now_ns);
    if (const auto request = arbiter.poll(now_ns, sink)) answer(*request, now_ns);
  }

  std::mt19937_64 random;
  bool unanswered = false;
  std::uint64_t published = 0;
  std::vector<Flight> flights;
  Arbiter arbiter{{.window_slots = 16}};
  Recorder sink;
};

TEST(ArbiterStorm, EveryMessageArrivesOnceWhenRequestsAreAnswered) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Storm storm(seed);
    storm.run(3000);
    EXPECT_EQ(storm.sink.ends, 1) << seed;
    EXPECT_EQ(storm.sink.next, 3001U);
    EXPECT_TRUE(storm.sink.lost_runs.empty()) << seed;
    EXPECT_EQ(storm.arbiter.counters().messages, 3000U);
    EXPECT_GT(storm.arbiter.counters().requests, 0U) << "the storm must be one";
  }
}

TEST(ArbiterStorm, WithoutAnswersWhatIsMissingIsNamedAndTheRestArrives) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Storm storm(seed);
    storm.unanswered = true;
    storm.run(3000);
    EXPECT_EQ(storm.sink.ends, 1) << seed;
    std::uint64_t lost = 0;
    for (const auto& [first, count] : storm.sink.lost_runs) lost += count;
    EXPECT_GT(lost, 0U);
    EXPECT_EQ(storm.arbiter.counters().messages + lost, 3000U);
  }
}

}  // namespace
}  // namespace hft::feed
