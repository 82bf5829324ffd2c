// What the tests of arbitration share: datagrams, a sink that remembers, and a small arbiter.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "feed/arbiter.h"

namespace hft::feed {

constexpr std::uint64_t kMs = 1'000'000;

// Remembers what came; fails the test at once when the order is not the promised one.
struct Recorder {
  std::uint64_t next = 1;
  std::string text;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> lost_runs;
  std::vector<std::string> sessions;
  int ends = 0;
  int resumptions = 0;

  void deliver(const mold::Packet& run) {
    mold::for_each(run, [&](std::uint64_t sequence, Bytes message) {
      EXPECT_EQ(sequence, next);
      next = sequence + 1;
      EXPECT_EQ(as_text(message), std::to_string(sequence));
      text += std::to_string(sequence) + " ";
    });
  }
  void lost(std::uint64_t first, std::uint64_t count) {
    EXPECT_EQ(first, next);
    next = first + count;
    lost_runs.emplace_back(first, count);
  }
  void session(const mold::Session& name) { sessions.emplace_back(trimmed(mold::to_text(name))); }
  void end_of_session() { ++ends; }
  void session_resumed() { ++resumptions; }
};

inline std::vector<std::uint8_t> datagram(std::uint64_t first, std::uint64_t count, std::string_view session = "DAY1") {
  std::vector<std::uint8_t> out(mold::kDatagramBytesMax);
  mold::Builder builder(out, mold::make_session(session), first);
  for (std::uint64_t i = 0; i < count; ++i) EXPECT_TRUE(builder.add(as_bytes(std::to_string(first + i))));
  out.resize(builder.datagram().size());
  return out;
}

inline std::vector<std::uint8_t> control(std::uint64_t next, std::uint16_t count, std::string_view session = "DAY1") {
  std::vector<std::uint8_t> out(mold::kHeaderBytes);
  mold::store_header(out, mold::make_session(session), next, count);
  return out;
}

class ArbiterTest : public ::testing::Test {
 protected:
  Outcome take(Line line, const std::vector<std::uint8_t>& bytes, std::uint64_t now_ns = 0) {
    return arbiter_.on_datagram(line, bytes, now_ns, sink_);
  }
  std::optional<mold::Request> poll(std::uint64_t now_ns) { return arbiter_.poll(now_ns, sink_); }

  Config config_{.gap_wait_ns = 1 * kMs,
                 .request_timeout_ns = 10 * kMs,
                 .requests_max = 2,
                 .request_count_max = 4,
                 .window_slots = 4};
  Arbiter arbiter_{config_};
  Recorder sink_;
};

}  // namespace hft::feed
