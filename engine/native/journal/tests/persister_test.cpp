// Persister: segments, seals, offsets, and what it does when the disk fails.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "journal/tests/scratch.h"

namespace hft {
namespace {

TEST(Persister, WhatWasAppendedIsReadBackInOrder) {
  test::Scratch scratch;
  test::write_journal(scratch.path(), 1000);
  JournalReader reader(scratch.path());
  const auto seen = test::read_inputs(reader);
  ASSERT_EQ(seen.size(), 1000U);
  for (std::uint64_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], i + 1);
  EXPECT_EQ(reader.end().ending, Ending::clean);
  EXPECT_GT(reader.end().segment, 3U);
  EXPECT_GT(reader.end().seals, reader.end().segment);
  EXPECT_EQ(reader.end().lost_bytes, 0U);
}

TEST(Persister, DurableIsNeverAheadOfWrittenNorWrittenOfAppended) {
  test::Scratch scratch;
  Ring ring = Ring::create(1 << 16);
  Persister persister(ring, test::small_segments(scratch.path()));
  persister.start();
  for (std::uint64_t seq = 1; seq <= 3000; ++seq) {
    while (test::append_input(ring, seq) == 0) std::this_thread::yield();
    const std::uint64_t durable = ring.shared().durable.load();
    const std::uint64_t written = ring.shared().written.load();
    ASSERT_LE(durable, written);
    ASSERT_LE(written, ring.shared().appended.load());
  }
  EXPECT_TRUE(persister.stop());
  EXPECT_EQ(ring.shared().durable.load(), ring.shared().appended.load());
  EXPECT_EQ(ring.shared().durable_input_seq.load(), 3000U);
}

TEST(Persister, ARestartContinuesTheChainInANewSegment) {
  test::Scratch scratch;
  test::write_journal(scratch.path(), 100);
  JournalReader first(scratch.path());
  test::read_inputs(first);
  const JournalEnd end = first.end();
  Ring ring = Ring::create(1 << 16, end.ring_offset);
  auto options = test::small_segments(scratch.path());
  options.first_segment = end.segment + 1;
  options.next_input_seq = end.last_input_seq + 1;
  options.chain_crc = end.chain_crc;
  options.open_block = first.open_block();
  Persister persister(ring, options);
  for (std::uint64_t seq = 101; seq <= 150; ++seq) test::append_input(ring, seq);
  EXPECT_TRUE(persister.stop());
  JournalReader both(scratch.path());
  EXPECT_EQ(test::read_inputs(both).size(), 150U);
  EXPECT_EQ(both.end().ending, Ending::clean);
}

TEST(Persister, AnAdoptedRingIsWrittenOutFromWhereTheFilesEnd) {
  test::Scratch scratch;
  Ring first = Ring::create(1 << 16);
  {
    Persister persister(first, test::small_segments(scratch.path()));
    for (std::uint64_t seq = 1; seq <= 10; ++seq) test::append_input(first, seq);
    persister.step();
    // Appended, and then the process is gone: nothing but the memfd holds these.
  }
  for (std::uint64_t seq = 11; seq <= 20; ++seq) test::append_input(first, seq);
  JournalReader reader(scratch.path());
  EXPECT_EQ(test::read_inputs(reader).size(), 10U);
  Ring second = Ring::adopt(dup(first.fd()));
  second.shared().written.store(reader.end().ring_offset);
  auto options = test::small_segments(scratch.path());
  options.first_segment = reader.end().segment + 1;
  options.chain_crc = reader.end().chain_crc;
  options.open_block = reader.open_block();
  options.next_input_seq = 11;
  Persister persister(second, options);
  EXPECT_TRUE(persister.stop());
  JournalReader both(scratch.path());
  EXPECT_EQ(test::read_inputs(both).size(), 20U);
}

// A file size limit stands for a full disk: the kernel refuses to extend the file (setrlimit(2), EFBIG).
TEST(Persister, AFullDiskBreaksTheJournalAndNeverBlocksTheRing) {
  test::Scratch scratch;
  signal(SIGXFSZ, SIG_IGN);
  Ring ring = Ring::create(1 << 16);
  Persister persister(ring, test::small_segments(scratch.path()));
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit tight = before;
  tight.rlim_cur = 8192;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
  for (std::uint64_t seq = 1; seq <= 5000; ++seq) {
    while (test::append_input(ring, seq) == 0) ASSERT_TRUE(persister.step());
  }
  const std::uint64_t durable = ring.shared().durable.load();
  EXPECT_FALSE(persister.stop());
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_TRUE(persister.broken());
  EXPECT_EQ(ring.shared().broken_errno.load(), static_cast<std::uint32_t>(EFBIG));
  EXPECT_LT(durable, ring.shared().appended.load());
  JournalReader reader(scratch.path());
  const auto seen = test::read_inputs(reader);
  EXPECT_GT(seen.size(), 20U);
  for (std::uint64_t i = 0; i < seen.size(); ++i) ASSERT_EQ(seen[i], i + 1);
}

}  // namespace
}  // namespace hft
