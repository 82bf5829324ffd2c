// What anybody may send into a feed: strangers, ends, claims and numbers that begin anew.
#include <gtest/gtest.h>

#include "feed/tests/streams.h"

namespace hft::feed {
namespace {

// Time runs, both lines speak, a hundred messages are there.
struct ArbiterProven : ArbiterTest {
  ArbiterProven() {
    while (next_ <= 100) both();
  }
  void both() {
    now_ns_ += kMs;
    for (const Line line : {Line::a, Line::b}) take(line, datagram(next_, 1), now_ns_);
    ++next_;
  }
  std::uint64_t next_ = 1;
  std::uint64_t now_ns_ = 1'000 * kMs;
};

TEST_F(ArbiterProven, OnlyTheSessionInForceKeepsTheFeedFresh) {
  const auto before = arbiter_.current_ns();
  EXPECT_EQ(before, now_ns_);
  for (int i = 0; i < 50; ++i) {
    now_ns_ += kMs;
    take(Line::a, {1}, now_ns_);
    take(Line::b, control(1, mold::kHeartbeat, i % 2 != 0 ? "X" : "Y"), now_ns_);
    take(Line::a, control(50, mold::kHeartbeat), now_ns_);
    take(Line::a, datagram(90, 2), now_ns_);
  }
  EXPECT_EQ(arbiter_.current_ns(), before) << "garbage, strangers and old numbers are no progress";
  take(Line::b, control(101, mold::kHeartbeat), ++now_ns_);
  EXPECT_EQ(arbiter_.current_ns(), now_ns_);
}

TEST_F(ArbiterProven, AStrangersSessionIsNeverTakenAndContestsUntilOursSpeaks) {
  for (int i = 0; i < 20; ++i) EXPECT_EQ(take(Line::b, datagram(1, 1, "EVIL"), ++now_ns_), Outcome::other_session);
  EXPECT_TRUE(arbiter_.contested());
  both();
  EXPECT_FALSE(arbiter_.contested());
  for (int i = 0; i < 1000; ++i) both();
  EXPECT_EQ(sink_.next, next_);
  EXPECT_EQ(sink_.sessions.size(), 1U);
}

TEST_F(ArbiterTest, ASessionThatAStrangerPushedAsideBeforeItsProofComesBack) {
  std::uint64_t now_ns = kMs;
  EXPECT_FALSE(arbiter_.contested()) << "nothing was heard";
  take(Line::a, datagram(1, 1), ++now_ns);
  EXPECT_TRUE(arbiter_.contested()) << "one datagram proves nothing";
  sink_.next = 1;
  for (std::uint64_t i = 1; i <= 3; ++i) take(Line::b, datagram(1, 1, "EVIL"), ++now_ns);
  EXPECT_EQ(sink_.sessions.size(), 2U) << "nothing is proven yet, and three datagrams in a row agree";
  sink_.next = 1;
  for (std::uint64_t i = 1; i <= 3; ++i) take(Line::a, datagram(1, 1), ++now_ns);
  EXPECT_EQ(sink_.sessions.size(), 3U);
  for (std::uint64_t i = 2; i <= 10; ++i) take(Line::a, datagram(i, 1), ++now_ns);
  EXPECT_EQ(sink_.next, 11U);
  EXPECT_FALSE(arbiter_.contested());
}

TEST_F(ArbiterProven, ASessionChangesOnlyBehindItsEndOnEveryLineThatLives) {
  take(Line::a, control(101, mold::kEndOfSession), ++now_ns_);
  EXPECT_EQ(sink_.ends, 1);
  EXPECT_EQ(take(Line::a, datagram(1, 1, "DAY2"), ++now_ns_), Outcome::other_session) << "B has not ended";
  take(Line::b, control(101, mold::kEndOfSession), ++now_ns_);
  sink_.next = 1;
  EXPECT_EQ(take(Line::a, datagram(1, 1, "DAY2"), ++now_ns_), Outcome::delivered);
  EXPECT_EQ(arbiter_.current_ns(), 0U) << "not proven yet";
  for (int i = 0; i < 3; ++i) take(Line::a, datagram(200, 1), ++now_ns_);
  EXPECT_TRUE(arbiter_.contested()) << "a session that is over speaks again";
}

TEST_F(ArbiterProven, ALineThatIsDeadHasNoSayInTheEnd) {
  for (int i = 0; i < 6; ++i) take(Line::a, control(101, mold::kEndOfSession), now_ns_ += 1'000 * kMs);
  sink_.next = 1;
  EXPECT_EQ(take(Line::a, datagram(1, 1, "DAY2"), ++now_ns_), Outcome::delivered);
}

TEST_F(ArbiterProven, OneStrayEndIsContradictedByWhatFollows) {
  take(Line::a, control(101, mold::kEndOfSession), ++now_ns_);
  EXPECT_EQ(arbiter_.phase(), Phase::ended);
  both();
  EXPECT_EQ(sink_.resumptions, 1);
  take(Line::a, control(102, mold::kEndOfSession), ++now_ns_);
  take(Line::a, control(102, mold::kHeartbeat), ++now_ns_);
  EXPECT_EQ(sink_.resumptions, 2) << "a line that goes on has not ended";
  for (int i = 0; i < 20; ++i) both();
  EXPECT_EQ(sink_.next, next_);
}

TEST_F(ArbiterProven, AClaimFarAheadIsForgottenWhenItsLineGoesOnBelow) {
  for (const bool with_data : {false, true}) {
    const auto claim = with_data ? datagram(900'000, 1) : control(900'000, mold::kHeartbeat);
    take(Line::b, claim, ++now_ns_);
    EXPECT_EQ(arbiter_.phase(), Phase::gapped);
    for (int i = 0; i < 40; ++i) both();
    EXPECT_EQ(arbiter_.phase(), Phase::live);
    EXPECT_EQ(sink_.next, next_);
  }
  EXPECT_TRUE(sink_.lost_runs.empty());
}

TEST_F(ArbiterProven, AClaimFarAheadIsNeverLostInAPause) {
  take(Line::b, control(900'000, mold::kHeartbeat), ++now_ns_);
  for (int i = 0; i < 5000; ++i) static_cast<void>(poll(now_ns_ += kMs));
  EXPECT_TRUE(sink_.lost_runs.empty());
  for (int i = 0; i < 1000; ++i) both();
  EXPECT_EQ(sink_.next, next_);
  EXPECT_EQ(arbiter_.phase(), Phase::live);
}

TEST_F(ArbiterProven, NumbersThatBeginAnewOnBothLinesAreAnotherStream) {
  next_ = 1;
  for (int i = 0; i < 300; ++i) both();
  EXPECT_TRUE(arbiter_.contested());
  EXPECT_EQ(sink_.next, 101U) << "nothing of it is taken for the continuation";
}

TEST_F(ArbiterProven, ARestartWithdrawsTheGapOfAClaim) {
  take(Line::b, control(900'000, mold::kHeartbeat), ++now_ns_);
  EXPECT_EQ(arbiter_.phase(), Phase::gapped);
  next_ = 1;
  for (int i = 0; i < 300; ++i) both();
  EXPECT_TRUE(arbiter_.contested());
  EXPECT_EQ(arbiter_.phase(), Phase::live) << "nothing is missing below what the lines claim now";
  EXPECT_FALSE(poll(now_ns_ += 10'000 * kMs)) << "nor asked for";
}

TEST_F(ArbiterProven, OneLineThatBeginsAnewIsItsOwnAffair) {
  for (std::uint64_t i = 1; i < 60; ++i) {
    take(Line::b, datagram(i, 1), ++now_ns_);
    now_ns_ += kMs;
    take(Line::a, datagram(next_, 1), now_ns_);
    ++next_;
  }
  EXPECT_FALSE(arbiter_.contested());
  EXPECT_EQ(sink_.next, next_);
}

}  // namespace
}  // namespace hft::feed
