// A session over a pair of sockets: what waits, what arrives, who is silent.
#include "wire/soup_session.h"

#include <gtest/gtest.h>

namespace hft::soup {
namespace {

struct SessionTest : ::testing::Test {
  SessionTest() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    const int small = 4096;
    ::setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    near.open(base::Fd(ends[0]), 1'000);
    far.open(base::Fd(ends[1]), 1'000);
  }

  std::vector<std::string> taken(std::uint64_t now_ns) {
    std::vector<std::string> packets;
    alive = far.receive(
        now_ns, [&](const Packet& packet) { packets.push_back(packet.type + std::string(as_text(packet.payload))); });
    return packets;
  }

  Session near, far;
  bool alive = true;
};

TEST_F(SessionTest, PacketsArriveWholeAndInOrder) {
  EXPECT_TRUE(near.send(kUnsequenced, as_bytes("one"), 2'000));
  EXPECT_TRUE(near.send(kClientHeartbeat, {}, 2'000));
  EXPECT_EQ(taken(3'000), (std::vector<std::string>{"Uone", "R"}));
  EXPECT_TRUE(alive);
  EXPECT_EQ(far.received_ns(), 3'000u);
}

TEST_F(SessionTest, WhatAFullSocketDoesNotTakeWaitsAndLosesNothing) {
  const std::string payload(100, 'x');
  std::size_t sent = 0;
  while (near.unsent_bytes() == 0) {
    ASSERT_TRUE(near.send(kUnsequenced, as_bytes(payload), 2'000));
    ++sent;
  }
  EXPECT_EQ(near.send(as_bytes("whole packets only"), 2'000), Sent::none);
  ASSERT_TRUE(near.send(kUnsequenced, as_bytes(payload), 2'000));
  ++sent;
  std::size_t arrived = 0;
  while (arrived < sent) {
    const auto packets = taken(3'000);
    ASSERT_FALSE(packets.empty());
    for (const auto& packet : packets) EXPECT_EQ(packet, "U" + payload);
    arrived += packets.size();
    ASSERT_TRUE(near.flush(4'000));
  }
  EXPECT_EQ(near.unsent_bytes(), 0u);
}

TEST_F(SessionTest, APeerThatIsGoneIsTold) {
  near.close();
  EXPECT_TRUE(taken(2'000).empty());
  EXPECT_FALSE(alive);
  EXPECT_EQ(near.send(as_bytes("x"), 2'000), Sent::broken);
}

TEST_F(SessionTest, ABrokenLengthEndsIt) {
  near.queue(std::array<std::uint8_t, 4>{0, 0, 'U', 'x'});
  EXPECT_TRUE(near.flush(2'000));
  EXPECT_TRUE(taken(2'000).empty());
  EXPECT_FALSE(alive);
}

TEST_F(SessionTest, SilenceAndHeartbeatsAreMeasuredFromTheLastPacket) {
  EXPECT_FALSE(far.is_silent(1'100, 100));
  EXPECT_TRUE(far.is_silent(1'101, 100));
  EXPECT_FALSE(far.is_silent(900, 50)) << "a time taken before the packet came";
  EXPECT_FALSE(near.owes_heartbeat(1'099, 100));
  EXPECT_TRUE(near.owes_heartbeat(1'100, 100));
  EXPECT_TRUE(near.send(kClientHeartbeat, {}, 1'100));
  EXPECT_FALSE(near.owes_heartbeat(1'199, 100));
}

TEST_F(SessionTest, AMovedSessionKeepsWhatItHadReceived) {
  EXPECT_TRUE(near.send(kUnsequenced, as_bytes("first"), 2'000));
  EXPECT_TRUE(near.send(kUnsequenced, as_bytes("second"), 2'000));
  ASSERT_EQ(far.read(2'000), Io::some);
  Packet packet;
  ASSERT_EQ(far.next(packet), Got::packet);
  Session moved;
  moved = std::move(far);
  ASSERT_EQ(moved.next(packet), Got::packet);
  EXPECT_EQ(as_text(packet.payload), "second");
}

}  // namespace
}  // namespace hft::soup
