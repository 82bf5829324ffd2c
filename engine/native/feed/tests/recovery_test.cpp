// Recovery of a fast feed that both lines lost for a while, in virtual time: it must win against what goes on
// meanwhile.
#include <gtest/gtest.h>

#include <deque>
#include <random>

#include "feed/tests/streams.h"

namespace hft::feed {
namespace {

constexpr std::uint64_t kUs = 1'000;

struct Rate {
  std::uint64_t messages_per_ms = 300;
  std::uint64_t per_datagram = 38;
  std::uint64_t answer_messages = 38;  // what the request server fits into one datagram
};

// A publisher on two lines, a request server that answers each request with one datagram, 300 us there and back.
struct Outage {
  explicit Outage(const Rate& of, unsigned lost_percent = 0) : rate(of), loss(lost_percent) {}

  void publish() {
    const std::uint64_t due = 1 + now_ns * rate.messages_per_ms / kMs;
    for (; next + rate.per_datagram <= due; next += rate.per_datagram) {
      if (now_ns >= out_from_ns && now_ns < out_to_ns) continue;
      const auto bytes = datagram(next, rate.per_datagram);
      for (const Line line : {Line::a, Line::b}) arbiter.on_datagram(line, bytes, now_ns, sink);
    }
  }
  void serve() {
    while (const auto request = arbiter.poll(now_ns, sink)) {
      ++requests;
      EXPECT_LE(request->first + request->count, next) << "asked for what was never published";
      if (random() % 100 < loss) continue;
      answers.push_back({now_ns + 300 * kUs, *request});
    }
    for (; !answers.empty() && answers.front().at_ns <= now_ns; answers.pop_front()) {
      const auto& asked = answers.front().request;
      const auto count = std::min<std::uint64_t>(asked.count, rate.answer_messages);
      arbiter.on_datagram(Line::rerequest, datagram(asked.first, count), now_ns, sink);
    }
  }
  // Until it is live again; nothing when it is not within two seconds.
  std::optional<std::uint64_t> healed_after_ns() {
    for (; now_ns < out_to_ns + 2'000 * kMs; now_ns += 20 * kUs) {
      publish();
      serve();
      if (now_ns > out_to_ns + kMs && arbiter.phase() == Phase::live) return now_ns - out_to_ns;
    }
    return std::nullopt;
  }

  struct Answer {
    std::uint64_t at_ns;
    mold::Request request;
  };
  Rate rate;
  unsigned loss;
  std::uint64_t now_ns = kMs, out_from_ns = 20 * kMs, out_to_ns = 70 * kMs;
  std::uint64_t next = 1, requests = 0;
  std::mt19937_64 random{11};
  std::deque<Answer> answers;
  Recorder sink;
  Arbiter arbiter{Config{.requests_max = 200}};
};

TEST(Recovery, FiftyMillisecondsOfBothLinesHealWithinASecondAtThreeHundredThousandASecond) {
  for (const std::uint64_t per_datagram : {38U, 10U, 3U, 1U}) {
    Outage outage({.per_datagram = per_datagram});
    const auto took_ns = outage.healed_after_ns();
    ASSERT_TRUE(took_ns) << per_datagram << " messages a datagram";
    EXPECT_LT(*took_ns, 100 * kMs) << per_datagram;
    EXPECT_TRUE(outage.sink.lost_runs.empty());
    EXPECT_EQ(outage.arbiter.counters().lost, 0U);
    // 15,000 messages are 395 answers of 38; the first round asks for more than an answer holds.
    EXPECT_LT(outage.requests, 800U) << per_datagram;
  }
}

TEST(Recovery, AServerThatAnswersAWholeRequestIsAskedForLargeOnes) {
  Outage outage({.answer_messages = 1'000});
  // 1,000 messages of these tests fit; a real datagram of 1,400 bytes holds fewer.
  outage.rate.answer_messages = 150;
  ASSERT_TRUE(outage.healed_after_ns());
  EXPECT_LT(outage.requests, 250U);
}

TEST(Recovery, LostRequestsAndAnswersAreAskedForAgain) {
  Outage outage({}, 30);
  const auto took_ns = outage.healed_after_ns();
  ASSERT_TRUE(took_ns);
  EXPECT_LT(*took_ns, 1'000 * kMs);
  EXPECT_TRUE(outage.sink.lost_runs.empty());
}

TEST(Recovery, NothingIsAskedForTwiceWhileItIsUnderWay) {
  Recovery recovery(Config{.request_count_max = 10});
  std::vector<bool> asked(100, false);
  while (const auto run = recovery.open_part(0, 100)) {
    for (auto i = run->first; i < run->end; ++i) {
      EXPECT_FALSE(asked[i]) << i;
      asked[i] = true;
    }
    recovery.ask(*run, 0);
  }
  EXPECT_EQ(std::count(asked.begin(), asked.end(), true), 100);
  EXPECT_TRUE(recovery.covers(99));
  recovery.answered({20, 30}, kMs);
  EXPECT_FALSE(recovery.covers(25)) << "a whole answer ends its request";
  recovery.answered({40, 44}, kMs);
  EXPECT_TRUE(recovery.covers(45)) << "the rest may be on its way";
  EXPECT_TRUE(recovery.expire(0, 2 * kMs));
  EXPECT_FALSE(recovery.covers(45));
  const auto rest = recovery.open_part(44, 50);
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->end, 48U) << "as much as the server gave";
}

TEST(WindowOrder, WhatIsKeptComesOutInOrderWhicheverWayItCame) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 50; ++round) {
    Window window(64, 100);
    std::vector<std::uint64_t> firsts;
    for (std::uint64_t i = 0; i < 64; ++i) firsts.push_back(10 + 2 * i);
    std::shuffle(firsts.begin(), firsts.end(), random);
    const auto packet = [](std::uint64_t first) {
      mold::Packet made;
      made.sequence = first;
      made.count = 1;
      return made;
    };
    for (const auto first : firsts) EXPECT_EQ(window.keep(packet(first)), Window::Kept::kept);
    EXPECT_EQ(window.keep(packet(firsts[5])), Window::Kept::already);
    EXPECT_EQ(window.keep(packet(11)), Window::Kept::full);
    std::vector<std::uint64_t> holes;
    window.holes(9, 20, [&](std::uint64_t first, std::uint64_t end) {
      EXPECT_EQ(end, first + 1);
      holes.push_back(first);
      return true;
    });
    EXPECT_EQ(holes, (std::vector<std::uint64_t>{9, 11, 13, 15, 17, 19}));
    window.forget_beyond(10 + 2 * 32);
    EXPECT_EQ(window.used(), 32U);
    mold::Packet out;
    for (std::uint64_t i = 0; i < 32; ++i) {
      EXPECT_EQ(window.first(), 10 + 2 * i);
      EXPECT_FALSE(window.take(9 + 2 * i, {}, out));
      EXPECT_TRUE(window.take(10 + 2 * i, {}, out));
      EXPECT_EQ(out.sequence, 10 + 2 * i);
    }
    EXPECT_EQ(window.used(), 0U);
    for (std::uint64_t i = 0; i < 300; ++i) {  // round and round
      EXPECT_EQ(window.keep(packet(1000 + i)), Window::Kept::kept);
      EXPECT_TRUE(window.take(1000 + i, {}, out));
    }
  }
}

}  // namespace
}  // namespace hft::feed
