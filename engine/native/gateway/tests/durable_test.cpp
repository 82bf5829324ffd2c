// What must survive: the state file, the latch block under every torn write, the log's sequence.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "base/digest.h"
#include "base/files.h"
#include "gateway/latch_block.h"
#include "gateway/limits_file.h"
#include "gateway/line_log.h"
#include "gateway/sealed_copy.h"
#include "gateway/state_block.h"

namespace hft::gateway {
namespace {

struct DurableTest : ::testing::Test {
  DurableTest() {
    char name[] = "/tmp/hft-gateway-XXXXXX";
    directory = ::mkdtemp(name);
  }
  ~DurableTest() override { std::filesystem::remove_all(directory); }

  std::string path(const char* name) const { return directory + "/" + name; }

  // Overwrites bytes of a file in place, as a torn write or a bad sector would.
  void damage(const std::string& file, std::size_t offset, std::size_t length) const {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(static_cast<std::streamoff>(offset));
    stream << std::string(length, '\x5a');
  }

  std::string directory;
};

DurableState fenced_by(std::uint64_t epoch) {
  return {{epoch, "h/" + std::string(epoch % 7, 'a'), {{"art", "cfg", "lim"}}}, epoch + 3, "sha256:x"};
}

// The file after a write of NEXT that was torn behind CUT of its bytes, as sectors and pages are.
std::string torn(const std::string& before, const std::string& after, std::size_t copy, std::size_t cut) {
  auto bytes = before;
  const auto begin = copy * kCopyBytes;
  return bytes.replace(begin, cut, after, begin, cut);
}

TEST_F(DurableTest, TheStateComesBackAsItWasWritten) {
  ASSERT_EQ(StateBlock::create(path("state"), {}), "");
  const auto size = std::filesystem::file_size(path("state"));
  for (std::uint64_t epoch = 1; epoch < 12; ++epoch) {
    StateBlock block;
    ASSERT_TRUE(std::holds_alternative<DurableState>(block.open(path("state"))));
    ASSERT_EQ(block.write(fenced_by(epoch)), "");
    if (epoch % 3 == 0) block.mirror();
    const auto loaded = StateBlock().open(path("state"));
    ASSERT_TRUE(std::holds_alternative<DurableState>(loaded));
    EXPECT_EQ(std::get<DurableState>(loaded).fence, fenced_by(epoch).fence);
    EXPECT_EQ(std::get<DurableState>(loaded).limits_serial, epoch + 3);
  }
  EXPECT_EQ(std::filesystem::file_size(path("state")), size) << "no block was allocated";
  EXPECT_NE(StateBlock::create(path("state"), {}), "") << "what is there is not made anew";
}

// A write cut at each of its bytes, with and without the second copy behind the one before: the state before, or the
// one that was written, never one below and never none.
TEST_F(DurableTest, ATornWriteLeavesTheStateBeforeOrTheNewOne) {
  for (const bool is_mirrored : {false, true}) {
    const auto name = path(is_mirrored ? "mirrored" : "plain");
    ASSERT_EQ(StateBlock::create(name, {}), "");
    StateBlock block;
    ASSERT_TRUE(std::holds_alternative<DurableState>(block.open(name)));
    for (const std::uint64_t epoch : {4, 5}) {
      if (is_mirrored) block.mirror();
      const auto before = *base::read_file(name);
      ASSERT_EQ(block.write(fenced_by(epoch)), "");
      const auto after = *base::read_file(name);
      const std::size_t copy = before.substr(0, kCopyBytes) == after.substr(0, kCopyBytes) ? 1 : 0;
      ASSERT_NE(before, after);
      bool is_new = false;
      // Behind header and payload both are zeros.
      for (std::size_t cut = 0; cut <= kCopyBytes; cut += cut < 600 ? 1 : (kCopyBytes - 600) / 8) {
        const auto read = StateBlock::read(torn(before, after, copy, cut));
        ASSERT_TRUE(read) << "none at " << cut;
        ASSERT_TRUE(read->fence.epoch == epoch || (!is_new && read->fence.epoch == (epoch == 4 ? 0 : 4))) << cut;
        is_new = read->fence.epoch == epoch;
        ASSERT_TRUE(!is_new || read->fence == fenced_by(epoch).fence) << cut;
      }
      EXPECT_TRUE(is_new) << "the whole write is the new state";
    }
  }
}

// The copy that is durable is not the one that is written next, whatever was read, mirrored or failed in between.
TEST_F(DurableTest, TheDurableCopyIsNeverWritten) {
  ASSERT_EQ(StateBlock::create(path("state"), {}), "");
  for (std::uint64_t epoch = 1; epoch < 9; ++epoch) {
    StateBlock block;
    ASSERT_TRUE(std::holds_alternative<DurableState>(block.open(path("state"))));
    const auto before = *base::read_file(path("state"));
    ASSERT_EQ(block.write(fenced_by(epoch)), "");
    const auto after = *base::read_file(path("state"));
    const auto kept = before.substr(0, kCopyBytes) == after.substr(0, kCopyBytes) ? 0 : 1;
    EXPECT_EQ(StateBlock::read(before.substr(static_cast<std::size_t>(kept) * kCopyBytes, kCopyBytes))->fence.epoch,
              epoch - 1);
    if (epoch % 2 == 0) block.mirror();
  }
}

TEST_F(DurableTest, BehindTheMirrorOneDamagedCopyCostsNothing) {
  ASSERT_EQ(StateBlock::create(path("state"), {}), "");
  StateBlock block;
  ASSERT_TRUE(std::holds_alternative<DurableState>(block.open(path("state"))));
  ASSERT_EQ(block.write(fenced_by(8)), "");
  block.mirror();
  const auto bytes = *base::read_file(path("state"));
  for (const std::size_t copy : {std::size_t{0}, std::size_t{1}}) {
    auto damaged = bytes;
    damaged[copy * kCopyBytes + 70] ^= 1;
    EXPECT_EQ(StateBlock::read(damaged)->fence.epoch, 8u);
  }
}

TEST_F(DurableTest, AMissingOrDamagedStateIsAnErrorNotEpochZero) {
  EXPECT_TRUE(std::holds_alternative<base::Failure>(StateBlock().open(path("state"))));
  ASSERT_EQ(StateBlock::create(path("state"), fenced_by(3)), "");
  const auto whole = *base::read_file(path("state"));
  auto both = whole;
  for (const std::size_t at : {std::size_t{100}, kCopyBytes + 100}) both[at] ^= 1;
  for (const auto& bytes : {std::string(), whole.substr(0, kCopyBytes - 1), both, std::string(2 * kCopyBytes, '\0')}) {
    std::ofstream(path("state"), std::ios::binary) << bytes;
    EXPECT_TRUE(std::holds_alternative<base::Failure>(StateBlock().open(path("state"))));
  }
}

TEST_F(DurableTest, AStateThatDoesNotFitIsRefusedBeforeItBlocks) {
  auto large = fenced_by(3);
  EXPECT_TRUE(StateBlock::fits(large));
  large.fence.approved.resize(200, {std::string(71, 'a'), std::string(71, 'c'), std::string(71, 'l')});
  EXPECT_FALSE(StateBlock::fits(large));
  ASSERT_EQ(StateBlock::create(path("state"), {}), "");
  StateBlock block;
  ASSERT_TRUE(std::holds_alternative<DurableState>(block.open(path("state"))));
  EXPECT_NE(block.write(large), "");
}

TEST_F(DurableTest, ALatchComesBackWithScopeIdAndReason) {
  ASSERT_EQ(LatchBlock::create(path("latch")), "");
  LatchBlock block;
  Latch latch = block.open(path("latch"), 1);
  EXPECT_TRUE(latch.is_clear());
  latch.set({Scope::account, "ACC1", "too \"fast\"\n", 42});
  ASSERT_EQ(block.write(latch), "");
  LatchBlock again;
  const auto read = again.open(path("latch"), 2);
  ASSERT_EQ(read.entries().size(), 1u);
  EXPECT_EQ(read.entries()[0], (LatchEntry{Scope::account, "ACC1", "too 'fast'?", 42, 0, "", 1}));
}

TEST_F(DurableTest, WritingALatchNeedsNoNewBlocks) {
  ASSERT_EQ(LatchBlock::create(path("latch")), "");
  const auto size = std::filesystem::file_size(path("latch"));
  LatchBlock block;
  Latch latch = block.open(path("latch"), 1);
  for (std::size_t index = 0; index < Latch::kEntriesMax; ++index)
    latch.set({Scope::engine, std::string(200, 'e') + std::to_string(index), std::string(1000, '"'), 1});
  ASSERT_EQ(block.write(latch), "");
  EXPECT_EQ(std::filesystem::file_size(path("latch")), size) << "the fullest latch fits its copy";
  EXPECT_FALSE(LatchBlock().open(path("latch"), 2).is_clear());
}

TEST_F(DurableTest, AnUnreadableCopyMeansLatched) {
  for (const std::size_t copy : {0u, 1u}) {
    const auto name = path(copy == 0 ? "first" : "second");
    ASSERT_EQ(LatchBlock::create(name), "");
    damage(name, copy * kCopyBytes + 60, 4);
    const auto latch = LatchBlock().open(name, 1);
    EXPECT_TRUE(latch.stops({"any", "any", "any"}));
  }
}

TEST_F(DurableTest, AMissingTruncatedOrForbiddenBlockMeansLatched) {
  EXPECT_FALSE(LatchBlock().open(path("absent"), 1).is_clear());
  ASSERT_EQ(LatchBlock::create(path("short")), "");
  std::filesystem::resize_file(path("short"), kCopyBytes);
  EXPECT_FALSE(LatchBlock().open(path("short"), 1).is_clear());
  std::ofstream(path("empty")).flush();
  EXPECT_FALSE(LatchBlock().open(path("empty"), 1).is_clear());
}

// A latch or an unlatch cut after any byte: only a finished unlatch may read as clear.
TEST_F(DurableTest, ATornWriteNeverReadsAsClear) {
  ASSERT_EQ(LatchBlock::create(path("latch")), "");
  LatchBlock block;
  Latch latch = block.open(path("latch"), 1);
  const auto clear = *base::read_file(path("latch"));
  latch.set({Scope::site, "", "kill", 1});
  ASSERT_EQ(block.write(latch), "");
  const auto latched = *base::read_file(path("latch"));
  ASSERT_EQ(block.write(Latch{}), "");
  const auto cleared = *base::read_file(path("latch"));
  for (std::size_t cut = 1; cut < clear.size(); cut += cut % kCopyBytes < 150 ? 1 : 1997) {
    const auto first = cut < kCopyBytes;
    std::ofstream(path("torn"), std::ios::binary) << latched.substr(0, cut) + clear.substr(cut);
    const bool may_read_clear = first && latched.substr(0, cut) == clear.substr(0, cut);  // nothing written yet
    EXPECT_TRUE(may_read_clear || !LatchBlock().open(path("torn"), 1).is_clear()) << "latch cut at " << cut;
    const auto torn = cleared.substr(0, cut) + latched.substr(cut);
    if (torn == cleared) continue;
    std::ofstream(path("torn"), std::ios::binary) << torn;
    EXPECT_FALSE(LatchBlock().open(path("torn"), 1).is_clear()) << "unlatch cut at " << cut;
  }
}

TEST_F(DurableTest, TheLastNumberIsFoundBehindALineOfAnyLength) {
  for (const std::size_t size : {10U, 70'000U, 3'000'000U}) {
    std::ofstream(path("long.jsonl")) << "{\"seq\":12}\n{\"seq\":13,\"reason\":\"" << std::string(size, 'x') << "\"}\n";
    LineLog log;
    ASSERT_EQ(log.open(path("long.jsonl")), "");
    EXPECT_EQ(log.last_seq(), 13u) << size;
    std::ofstream(path("long.jsonl"), std::ios::app) << "{\"seq\":14,\"reason\":\"" << std::string(size, 'y');
    LineLog torn;
    ASSERT_EQ(torn.open(path("long.jsonl")), "");
    EXPECT_EQ(torn.last_seq(), 13u) << size;
  }
}

TEST_F(DurableTest, AFieldOfALineIsBounded) {
  LineLog log;
  ASSERT_EQ(log.open(path("bounded.jsonl")), "");
  const std::string slot(100'000, 's');
  EXPECT_TRUE(log.append({.seq = 1, .event = "refuse", .party = slot, .detail = slot}));
  EXPECT_LT(std::filesystem::file_size(path("bounded.jsonl")), 2'000u);
}

TEST_F(DurableTest, TheLogGoesOnWhereItEndedEvenBehindATornLine) {
  {
    LineLog log;
    ASSERT_EQ(log.open(path("log")), "");
    EXPECT_EQ(log.last_seq(), 0u);
    LogLine line;
    line.seq = 41;
    line.event = "forward";
    ASSERT_TRUE(log.append(line));
    line.seq = 42;
    ASSERT_TRUE(log.append(line));
  }
  std::ofstream(path("log"), std::ios::app) << "{\"v\":1,\"t_ns\":1,\"seq\":43,\"ev";
  LineLog log;
  ASSERT_EQ(log.open(path("log")), "");
  EXPECT_EQ(log.last_seq(), 42u);
  LogLine line;
  line.seq = 44;
  ASSERT_TRUE(log.append(line));
  LineLog third;
  ASSERT_EQ(third.open(path("log")), "");
  EXPECT_EQ(third.last_seq(), 44u);
}

TEST(LimitsText, AMissingLimitIsNotNoLimit) {
  const Json whole{{"serial", 3},
                   {"not_after_utc_ns", 9},
                   {"gateway",
                    {{"orders_per_s_max", 5},
                     {"order_quantity_max_shares", 6},
                     {"order_notional_max_e4", 7},
                     {"symbols", {"MSFT", "AAPL"}}}}};
  const auto limits = limits_from(canonical(whole));
  ASSERT_TRUE(limits);
  EXPECT_TRUE(limits->allows("AAPL"));
  EXPECT_EQ(limits->digest, base::digest_of(canonical(whole)));
  for (const auto* key : {"orders_per_s_max", "order_quantity_max_shares", "order_notional_max_e4", "symbols"}) {
    auto part = whole;
    part["gateway"].erase(key);
    EXPECT_FALSE(limits_from(canonical(part))) << key;
    part["gateway"][key] = -1;
    EXPECT_FALSE(limits_from(canonical(part))) << key;
  }
}

// As every release before wrote it: another magic, the same layout.
TEST_F(DurableTest, ALatchBlockWithTheMagicOfBeforeIsRead) {
  ASSERT_EQ(LatchBlock::create(path("latch")), "");
  std::string bytes = *base::read_file(path("latch"));
  for (std::size_t at = 0; at < bytes.size(); at += kCopyBytes) {
    bytes.replace(at, 8, "HFTLATCH");
    const auto sum = base::sha256(bytes.substr(at, 24) + bytes.substr(at + 56, kCopyBytes - 56));
    bytes.replace(at + 24, sum.size(), reinterpret_cast<const char*>(sum.data()), sum.size());
  }
  std::ofstream(path("latch"), std::ios::binary) << bytes;
  LatchBlock block;
  EXPECT_TRUE(block.open(path("latch"), 7).is_clear());
}

TEST_F(DurableTest, AnEnginesLatchFileIsNoLatchBlockAndLatchesTheSite) {
  ASSERT_EQ(LatchBlock::create(path("latch")), "");
  for (const std::size_t copy : {std::size_t{0}, kCopyBytes}) {
    std::fstream stream(path("latch"), std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(static_cast<std::streamoff>(copy));
    stream << "HFTLATCH";
  }
  LatchBlock block;
  EXPECT_TRUE(block.open(path("latch"), 7).stops({"h/a", "s", "acc"}));
}

}  // namespace
}  // namespace hft::gateway
