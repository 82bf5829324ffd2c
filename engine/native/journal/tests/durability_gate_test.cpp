// The durability gate with an acker that delays, drops and reorders.
#include "journal/durability_gate.h"

#include <gtest/gtest.h>

#include <array>

#include "journal/tests/scratch.h"
#include "journal/tests/unkind_acker.h"

namespace hft {
namespace {

TEST(Level, IsReadFromItsTextAndNothingElse) {
  for (const char* good : {"none", "durable", "replica:1", "replica:8"}) {
    ASSERT_TRUE(DurabilityLevel::parse(good)) << good;
    EXPECT_EQ(DurabilityLevel::parse(good)->text(), good);
  }
  for (const char* bad : {"", "replica", "replica:0", "replica:9", "replica:12", "Durable", "none "}) {
    EXPECT_FALSE(DurabilityLevel::parse(bad)) << bad;
  }
}

TEST(Gate, NoneIsOpenOnceAppended) {
  Ring ring = Ring::create(1 << 16);
  const DurabilityGate gate({Durability::none, 0}, ring);
  EXPECT_FALSE(gate.open(1));
  EXPECT_TRUE(gate.open(test::append_input(ring, 1)));
}

TEST(Gate, DurableOpensOnlyAfterTheSync) {
  test::Scratch scratch;
  Ring ring = Ring::create(1 << 16);
  Persister persister(ring, test::small_segments(scratch.path()));
  const DurabilityGate gate({Durability::durable, 0}, ring);
  const std::uint64_t offset = test::append_input(ring, 1);
  EXPECT_FALSE(gate.open(offset));
  persister.step();
  EXPECT_TRUE(gate.open(offset));
}

TEST(Gate, ReplicaCountsTheNthBestAndNotTheDisk) {
  Ring ring = Ring::create(1 << 16);
  DurabilityGate gate({Durability::replica, 2}, ring);
  const std::uint64_t first = test::append_input(ring, 1);
  const std::uint64_t second = test::append_input(ring, 2);
  ring.shared().durable.store(second);
  gate.acknowledge(0, second);
  EXPECT_FALSE(gate.open(first));
  gate.acknowledge(3, first);
  EXPECT_TRUE(gate.open(first));
  EXPECT_FALSE(gate.open(second));
  gate.acknowledge(3, second);
  EXPECT_TRUE(gate.open(second));
}

TEST(Gate, AnAcknowledgementOfWhatWasNeverAppendedIsNotBelieved) {
  Ring ring = Ring::create(1 << 16);
  DurabilityGate gate({Durability::replica, 1}, ring);
  const std::uint64_t offset = test::append_input(ring, 1);
  gate.acknowledge(0, offset + 1);
  gate.acknowledge(-1, offset);
  gate.acknowledge(kReplicasMax, offset);
  EXPECT_FALSE(gate.open(offset));
}

class GateUnderUnkindAckers : public testing::TestWithParam<std::uint64_t> {};

TEST_P(GateUnderUnkindAckers, NothingLeavesBeforeNReplicasHoldItAndEverythingLeavesInTheEnd) {
  Ring ring = Ring::create(1 << 20);
  DurabilityGate gate({Durability::replica, 2}, ring);
  std::array<test::UnkindAcker, 3> ackers{{{0, GetParam()}, {1, GetParam() + 1}, {2, GetParam() + 2}}};
  std::uint64_t last_acked = 0;
  std::uint64_t now_ns = 0;
  const auto turn = [&] {
    now_ns += 1000;
    for (auto& acker : ackers) acker.poll(ring.shared().appended.load(), now_ns, gate);
    const std::uint64_t acked = gate.acked();
    ASSERT_GE(acked, last_acked) << "an offset moved back";
    last_acked = acked;
    int holders = 0;
    for (const auto& acker : ackers) holders += acker.held() >= acked ? 1 : 0;
    ASSERT_GE(holders, 2) << "the gate is ahead of its replicas";
  };
  for (std::uint64_t seq = 1; seq <= 2000; ++seq) {
    ASSERT_NE(test::append_input(ring, seq), 0U);
    turn();
  }
  for (int i = 0; i < 5000 && !gate.open(ring.shared().appended.load()); ++i) turn();
  EXPECT_TRUE(gate.open(ring.shared().appended.load()));
}

INSTANTIATE_TEST_SUITE_P(Seeds, GateUnderUnkindAckers, testing::Values(1, 2, 3, 5, 8, 13));

}  // namespace
}  // namespace hft
