// Determinism: a generated journal replays bit-equal, cut anywhere it replays up to there, and a restart goes on.
#include "core/replay.h"

#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "core/documents.h"
#include "core/generator.h"
#include "core/recorder.h"
#include "journal/persister.h"
#include "journal/tests/scratch.h"

namespace hft::core {
namespace {

constexpr book::Limits kBook{.orders_max = 1 << 16, .levels_max = 1 << 14, .locates = 16};
constexpr std::uint64_t kMessages = 50'000;  // scripts prove a million: hft-journal prove --messages 1000000

TEST(Replay, FiveReplaysAreBitEqualToTheRunAndToEachOther) {
  hft::test::Scratch scratch;
  const Generated made = generate_journal(scratch.path(), {.messages = kMessages, .seed = 4});
  ASSERT_TRUE(made.durable);
  EXPECT_GT(made.orders, 250U);
  EXPECT_GT(made.executions, 100U);
  EXPECT_GT(made.cancels, 10U);
  for (int run = 0; run < 5; ++run) {
    const ReplayResult result = replay(scratch.path());
    EXPECT_EQ(result.mismatches, 0U) << result.first_mismatch;
    EXPECT_EQ(result.unrecorded, 0U);
    EXPECT_GT(result.decisions, made.orders);
    EXPECT_EQ(result.inputs, made.inputs);
    EXPECT_EQ(result.state_digest, made.state_digest);
    EXPECT_EQ(result.decision_digest, made.decision_digest);
  }
}

TEST(Replay, AnotherSeedIsAnotherDay) {
  hft::test::Scratch one, two;
  const auto first = generate_journal(one.path(), {.messages = 6000, .seed = 1});
  const auto second = generate_journal(two.path(), {.messages = 6000, .seed = 2});
  EXPECT_NE(first.decision_digest, second.decision_digest);
}

// Rewrites one byte of the n-th record of a kind, with checksums that fit and without its seals.
void forge(const std::filesystem::path& directory, Kind kind, int nth, std::size_t byte) {
  const auto path = segment_path(directory, 1);
  std::ifstream in(path, std::ios::binary);
  std::vector<char> bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  in.close();
  std::vector<char> forged;
  std::uint32_t chain = 0;
  for (std::size_t at = 0; at + 64 <= bytes.size();) {
    RecordHeader header{};
    std::memcpy(&header, bytes.data() + at, sizeof header);
    if (header.magic != kRecordMagic) break;
    const std::size_t size = record_bytes(header.length);
    const bool is_seal = static_cast<Kind>(header.kind) == Kind::seal;
    if (static_cast<Kind>(header.kind) == kind && nth-- == 0)
      bytes[at + 64 + byte] = static_cast<char>(bytes[at + 64 + byte] ^ 1);
    if (!is_seal) {
      chain = chain_record(reinterpret_cast<std::byte*>(bytes.data() + at), chain);
      forged.insert(forged.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at),
                    bytes.begin() + static_cast<std::ptrdiff_t>(at + size));
    }
    at += size;
  }
  std::ofstream(path, std::ios::binary).write(forged.data(), static_cast<std::streamsize>(forged.size()));
}

TEST(Replay, AForgedDecisionIsFound) {
  hft::test::Scratch scratch;
  generate_journal(scratch.path(), {.messages = 8000, .seed = 4});
  forge(scratch.path(), Kind::intent, 5, 3);
  const ReplayResult result = replay(scratch.path());
  EXPECT_EQ(result.end.ending, Ending::clean) << result.end.text();
  EXPECT_EQ(result.mismatches, 1U) << result.first_mismatch;
}

TEST(Replay, AForgedInputLeadsToOtherDecisions) {
  hft::test::Scratch scratch;
  generate_journal(scratch.path(), {.messages = 8000, .seed = 4});
  forge(scratch.path(), Kind::response, 6, 12);  // the lowest byte of the reference number
  EXPECT_GT(replay(scratch.path()).mismatches, 0U);
}

TEST(Replay, CutAtRandomBytesItReplaysWhatIsWholeWithoutAMismatch) {
  hft::test::Scratch scratch;
  generate_journal(scratch.path(), {.messages = 5000, .seed = 9});
  const auto path = segment_path(scratch.path(), 1);
  std::ifstream in(path, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  JournalReader whole(scratch.path());
  while (whole.next()) {
  }
  std::mt19937_64 random(3);
  for (int i = 0; i < 40; ++i) {
    const auto cut = static_cast<std::streamsize>(1000 + random() % (whole.end().file_offset - 1000));
    std::ofstream(path, std::ios::binary).write(bytes.data(), cut);
    const ReplayResult result = replay(scratch.path());
    EXPECT_TRUE(result.readable);
    EXPECT_EQ(result.mismatches, 0U) << result.first_mismatch;
    EXPECT_LE(result.unrecorded, 8U);
  }
}

class NoQueue : public IntentQueue {
 public:
  void intent(std::span<const std::byte>, std::uint64_t) override {}
  bool ring_full() override {
    ADD_FAILURE() << "the ring is large enough";
    return false;
  }
};

// Positions, orders, numbers, windows: what the next process knows equals what the last one knew.
TEST(Replay, ARestartRestoresEveryCounterAndItsJournalStillReplays) {
  hft::test::Scratch scratch;
  const auto made = generate_journal(scratch.path(), {.messages = 8000, .seed = 4});
  NoQueue queue;
  JournalReader reader(scratch.path());
  Ring ring = Ring::create(1 << 20);
  Recorder recorder(ring, queue, made.inputs);
  Core core(recorder, kBook);
  ASSERT_TRUE(restore(core, reader));
  EXPECT_EQ(core.decision_digest(), made.decision_digest);
  EXPECT_EQ(core.counters().orders_sent, made.orders);
  EXPECT_EQ(core.counters().executions, made.executions);
  EXPECT_EQ(core.counters().refused, made.refused);
  const JournalEnd end = reader.end();
  Ring next = Ring::create(1 << 20, end.ring_offset);
  Persister persister(next, {.directory = scratch.path(),
                             .first_segment = end.segment + 1,
                             .next_input_seq = end.last_input_seq + 1,
                             .chain_crc = end.chain_crc,
                             .open_block = reader.open_block()});
  Recorder second(next, queue, end.last_input_seq);
  const std::uint64_t now_ns = 900'000'000'000;
  const std::string start = start_record({}, "second", "second", 2);
  // Another recorder, the same core: emitted records of the second run must reach the second ring.
  Core after(second, kBook);
  JournalReader again(scratch.path());
  ASSERT_TRUE(restore(after, again));
  second.input(after, Kind::start, std::as_bytes(std::span(start)), now_ns, 1);
  second.input(after, Kind::tick, bytes_of(now_ns), now_ns, 1);
  const std::string kill = R"({"uid":0,"request":{"verb":"kill","reason":"drill"}})";
  second.input(after, Kind::admin, std::as_bytes(std::span(kill)), now_ns, 1);
  ASSERT_TRUE(persister.stop());
  const ReplayResult result = replay(scratch.path());
  EXPECT_EQ(result.mismatches, 0U) << result.first_mismatch;
  EXPECT_EQ(result.runs, 2U);
  EXPECT_EQ(result.state_digest, after.state_digest());
  EXPECT_EQ(result.decision_digest, after.decision_digest());
  EXPECT_TRUE(after.latch().set);
}

TEST(Replay, AReferenceWithoutItsMarketDataIsNotReadable) {
  hft::test::Scratch scratch;
  NoQueue queue;
  Ring ring = Ring::create(1 << 20);
  Persister persister(ring, {.directory = scratch.path(), .segment_bytes = 1 << 16});
  Recorder recorder(ring, queue, 0);
  Core core(recorder, kBook);
  std::array<std::uint8_t, mold::kDatagramBytesMax> buffer{};
  mold::Builder builder(buffer, mold::make_session("REF"), 1);
  const auto packet = std::as_bytes(builder.datagram());
  MarketRef ref{};
  std::copy_n("REF       ", 10, ref.session);
  ref.first_sequence = 1;
  ref.crc32c = crc32c(0, nullptr, 0);
  const std::string start = start_record({}, "a", "b", 1);
  recorder.input(core, Kind::start, std::as_bytes(std::span(start)), 1, 1);
  recorder.input_by_reference(core, bytes_of(ref), packet, 2, 2);
  ASSERT_TRUE(persister.stop());
  EXPECT_FALSE(replay(scratch.path()).readable);
  const auto store = [&](const std::string&, std::uint64_t, std::uint32_t) {
    return std::vector<std::byte>(packet.begin(), packet.end());
  };
  const ReplayResult with = replay(scratch.path(), store);
  EXPECT_TRUE(with.readable);
  EXPECT_EQ(with.state_digest, core.state_digest());
}

}  // namespace
}  // namespace hft::core
