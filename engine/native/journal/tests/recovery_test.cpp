// Recovery: the journal cut at every record boundary and at 1,000 random bytes, and damaged in the middle.
#include <gtest/gtest.h>

#include <random>

#include "journal/tests/scratch.h"

namespace hft {
namespace {

constexpr std::uint64_t kInputs = 400;

// One segment's bytes and where each chained record of it ends.
struct Written {
  test::Scratch scratch;
  std::filesystem::path file;
  std::vector<char> bytes;
  std::vector<std::uint64_t> record_ends;
};

std::vector<char> slurp(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void spill(const std::filesystem::path& path, const std::vector<char>& bytes, std::size_t size) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(size));
}

void make(Written& out) {
  Ring ring = Ring::create(1 << 18);
  Persister persister(ring, {.directory = out.scratch.path(), .segment_bytes = 1 << 18, .block_bytes = 4096});
  for (std::uint64_t seq = 1; seq <= kInputs; ++seq) ASSERT_NE(test::append_input(ring, seq), 0U);
  ASSERT_TRUE(persister.stop());
  out.file = segment_path(out.scratch.path(), 1);
  std::filesystem::remove(segment_path(out.scratch.path(), 2));
  out.bytes = slurp(out.file);
  for (std::uint64_t at = 0; at + 64 <= out.bytes.size();) {
    RecordHeader header{};
    std::memcpy(&header, out.bytes.data() + at, sizeof header);
    if (header.magic != kRecordMagic) break;
    at += record_bytes(header.length);
    if (static_cast<Kind>(header.kind) != Kind::seal) out.record_ends.push_back(at);
  }
  ASSERT_EQ(out.record_ends.size(), kInputs);
}

// Reads what is there and checks that exactly the first `expected` inputs come back.
JournalEnd expect_inputs(const Written& written, std::size_t expected) {
  JournalReader reader(written.scratch.path());
  const auto seen = test::read_inputs(reader);
  EXPECT_EQ(seen.size(), expected);
  for (std::uint64_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], i + 1);
  return reader.end();
}

std::size_t whole_before(const Written& written, std::uint64_t cut) {
  const auto behind = std::upper_bound(written.record_ends.begin(), written.record_ends.end(), cut);
  return static_cast<std::size_t>(behind - written.record_ends.begin());
}

TEST(Recovery, CutAtEveryRecordBoundaryKeepsEveryRecordBefore) {
  Written written;
  make(written);
  for (std::size_t i = 0; i < written.record_ends.size(); ++i) {
    spill(written.file, written.bytes, written.record_ends[i]);
    const JournalEnd end = expect_inputs(written, i + 1);
    EXPECT_EQ(end.ending, Ending::clean) << end.text();
    EXPECT_EQ(end.last_input_seq, i + 1);
  }
}

TEST(Recovery, CutAtAThousandRandomBytesKeepsTheLastWholeRecordAndSaysSo) {
  Written written;
  make(written);
  std::mt19937_64 random(20231);
  const std::uint64_t used = written.record_ends.back();
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t cut = random() % used;
    spill(written.file, written.bytes, cut);
    const std::size_t expected = whole_before(written, cut);
    const JournalEnd end = expect_inputs(written, expected);
    EXPECT_EQ(end.records, expected);
    EXPECT_EQ(end.ending == Ending::torn, end.lost_bytes != 0) << end.text();
    EXPECT_LE(end.file_offset + end.lost_bytes, cut);
    EXPECT_EQ(end.lost_bytes != 0, end.file_offset != cut);
    EXPECT_NE(end.text().find("recovered " + std::to_string(expected) + " records"), std::string::npos);
  }
}

TEST(Recovery, ZerosBehindACutInsideARecordAreTornToo) {
  Written written;
  make(written);
  auto bytes = written.bytes;
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(written.record_ends[9] + 20), bytes.end(), 0);
  spill(written.file, bytes, bytes.size());
  EXPECT_EQ(expect_inputs(written, 10).ending, Ending::torn);
}

TEST(Recovery, AFlippedBitEndsTheJournalBeforeItsRecord) {
  Written written;
  make(written);
  std::mt19937_64 random(7);
  for (int i = 0; i < 200; ++i) {
    auto bytes = written.bytes;
    const std::uint64_t at = random() % written.record_ends[kInputs - 1];
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << (random() % 8)));
    spill(written.file, bytes, bytes.size());
    JournalReader reader(written.scratch.path());
    const auto seen = test::read_inputs(reader);
    EXPECT_NE(reader.end().ending, Ending::clean) << "byte " << at;
    EXPECT_EQ(seen.size(), whole_before(written, at)) << "byte " << at;
    EXPECT_GT(reader.end().lost_bytes, 0U);
  }
}

TEST(Recovery, ARemovedRecordBreaksTheChain) {
  Written written;
  make(written);
  auto bytes = written.bytes;
  const auto from = static_cast<std::ptrdiff_t>(written.record_ends[3]);
  const auto to = static_cast<std::ptrdiff_t>(written.record_ends[4]);
  bytes.erase(bytes.begin() + from, bytes.begin() + to);
  spill(written.file, bytes, bytes.size());
  EXPECT_EQ(expect_inputs(written, 4).ending, Ending::torn);
}

TEST(Recovery, AfterTheCutTheNextProcessGoesOnAndNothingThatWasCutIsLost) {
  Written written;
  make(written);
  auto bytes = written.bytes;
  bytes[written.record_ends[99] + 70] ^= 1;
  spill(written.file, bytes, bytes.size());
  JournalReader reader(written.scratch.path());
  ASSERT_EQ(test::read_inputs(reader).size(), 100U);
  const JournalEnd end = reader.end();
  ASSERT_EQ(end.ending, Ending::torn);
  EXPECT_EQ(cut_journal(written.scratch.path(), end), end.lost_bytes);
  EXPECT_EQ(std::filesystem::file_size(written.file.string() + ".cut"), bytes.size() - end.file_offset);
  Ring ring = Ring::create(1 << 16, end.ring_offset);
  Persister persister(ring, {.directory = written.scratch.path(),
                             .segment_bytes = 1 << 16,
                             .block_bytes = 4096,
                             .first_segment = 2,
                             .next_input_seq = 101,
                             .chain_crc = end.chain_crc,
                             .open_block = reader.open_block()});
  for (std::uint64_t seq = 101; seq <= 120; ++seq) test::append_input(ring, seq);
  ASSERT_TRUE(persister.stop());
  EXPECT_EQ(expect_inputs(written, 120).ending, Ending::clean);
}

// The rule that lets N-1 read N: an unknown kind may be passed only when its writer said so.
TEST(Recovery, AnUnknownKindIsSkippedOnlyWhenItSaysThatItMayBe) {
  for (const std::uint32_t flags : {static_cast<std::uint32_t>(kSkippable), 0U}) {
    test::Scratch scratch;
    Ring ring = Ring::create(1 << 16);
    Persister persister(ring, test::small_segments(scratch.path()));
    test::append_input(ring, 1);
    ring.reserve(0);
    ring.commit(static_cast<Kind>(90), flags, 0, Stamp{});
    test::append_input(ring, 2);
    ASSERT_TRUE(persister.stop());
    JournalReader reader(scratch.path());
    const auto seen = test::read_inputs(reader);
    EXPECT_EQ(seen.size(), flags != 0 ? 2U : 1U);
    EXPECT_EQ(reader.end().ending, flags != 0 ? Ending::clean : Ending::refused);
  }
}

TEST(Recovery, AnInputNumberThatDoesNotRiseByOneIsCorrupt) {
  test::Scratch scratch;
  Ring ring = Ring::create(1 << 16);
  Persister persister(ring, test::small_segments(scratch.path()));
  for (const std::uint64_t seq : {1, 2, 4}) test::append_input(ring, seq);
  ASSERT_TRUE(persister.stop());
  JournalReader reader(scratch.path());
  EXPECT_EQ(test::read_inputs(reader).size(), 2U);
  EXPECT_EQ(reader.end().ending, Ending::corrupt);
}

// Whoever rewrites the journal can make every checksum fit; the seal is what they must also forge.
TEST(Recovery, ARewrittenRecordWithFittingChecksumsStillBreaksItsSeal) {
  Written written;
  make(written);
  auto bytes = written.bytes;
  bytes[64] = static_cast<char>(bytes[64] ^ 1);
  std::uint32_t chain = 0;
  for (std::uint64_t at = 0; at < written.record_ends.back();) {
    RecordHeader header{};
    std::memcpy(&header, bytes.data() + at, sizeof header);
    chain = chain_record(reinterpret_cast<std::byte*>(bytes.data() + at), chain);
    at += record_bytes(header.length);
  }
  spill(written.file, bytes, bytes.size());
  JournalReader reader(written.scratch.path());
  test::read_inputs(reader);
  EXPECT_EQ(reader.end().ending, Ending::corrupt) << reader.end().text();
}

}  // namespace
}  // namespace hft
