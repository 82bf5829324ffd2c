// A day on disk: read from any number, flat in memory, and honest about what it lost.
#include "gateway/history.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>

namespace hft::gateway {
namespace {

struct HistoryTest : ::testing::Test {
  HistoryTest() {
    char name[] = "/tmp/hft-history-XXXXXX";
    directory = ::mkdtemp(name);
  }
  ~HistoryTest() override { std::filesystem::remove_all(directory); }

  std::string path() const { return directory + "/responses"; }

  // A packet that says its number, and whose length depends on it.
  static std::string packet(std::uint64_t sequence) {
    const auto text = std::to_string(sequence) + std::string(sequence % 70, '.');
    std::string framed(soup::kFrameBytes + text.size(), '\0');
    soup::write(MutableBytes(reinterpret_cast<std::uint8_t*>(framed.data()), framed.size()), soup::kSequenced,
                as_bytes(text));
    return framed;
  }

  void fill(History& history, std::uint64_t until) const {
    for (auto sequence = history.next_sequence(); sequence < until; ++sequence)
      ASSERT_TRUE(history.append(as_bytes(packet(sequence))));
  }

  std::string directory;
};

TEST_F(HistoryTest, EveryNumberIsAPlaceToBegin) {
  History history;
  ASSERT_EQ(history.open(path()), "");
  history.clear(7);
  fill(history, 20'000);
  for (std::uint64_t from = 7; from < 20'000; from += from % 1024 < 3 ? 1 : 211) {
    auto cursor = history.at(from);
    ASSERT_TRUE(cursor) << from;
    const auto bytes = history.read(*cursor, 300);
    ASSERT_TRUE(bytes.starts_with(packet(from) + packet(from + 1).substr(0, 1))) << from;
  }
  EXPECT_FALSE(history.at(6));
  EXPECT_FALSE(history.at(20'001));
  auto end = history.at(20'000);
  ASSERT_TRUE(end);
  EXPECT_EQ(history.read(*end, 300), "");
  fill(history, 20'001);
  EXPECT_EQ(history.read(*end, 300), packet(20'000)) << "a cursor at the end goes on with what comes";
}

TEST_F(HistoryTest, AReaderGetsTheWholeDayInPiecesWhileItGrows) {
  History history;
  ASSERT_EQ(history.open(path()), "");
  fill(history, 50'000);
  auto cursor = *history.at(1);
  std::uint64_t sequence = 1;
  while (cursor.sequence < history.next_sequence()) {
    if (history.next_sequence() < 60'000) fill(history, history.next_sequence() + 500);
    auto piece = history.read(cursor, 1 << 15);
    ASSERT_FALSE(piece.empty());
    for (; !piece.empty(); ++sequence) {
      ASSERT_TRUE(piece.starts_with(packet(sequence))) << sequence;
      piece.erase(0, packet(sequence).size());
    }
    ASSERT_EQ(cursor.sequence, sequence);
  }
  EXPECT_GE(sequence, 60'000u);
}

TEST_F(HistoryTest, MemoryDoesNotGrowWithTheDay) {
  History history;
  ASSERT_EQ(history.open(path()), "");
  fill(history, 400'000);
  EXPECT_GT(std::filesystem::file_size(path()), 10u << 20);
  EXPECT_LT(history.memory_bytes(), 1u << 20);
}

TEST_F(HistoryTest, AnotherDayAndAnotherProcessBeginWithNothing) {
  History history;
  ASSERT_EQ(history.open(path()), "");
  fill(history, 30'000);
  history.clear(1);
  EXPECT_EQ(history.next_sequence(), 1u);
  fill(history, 10);
  auto cursor = *history.at(1);
  EXPECT_TRUE(history.read(cursor, 1 << 16).starts_with(packet(1)));
  EXPECT_EQ(cursor.sequence, 10u);
  ASSERT_EQ(History().open(path()), "");
  EXPECT_EQ(std::filesystem::file_size(path()), 0u);
}

// A disk that takes nothing more, as a size limit says it (setrlimit(2), EFBIG).
TEST_F(HistoryTest, WithoutADiskTheNewestNumbersAreKeptAndTheLossIsTold) {
  std::signal(SIGXFSZ, SIG_IGN);
  History history;
  ASSERT_EQ(history.open(path()), "");
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit nothing{0, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &nothing), 0);
  bool is_kept = true;
  while (is_kept && history.next_sequence() < 3'000'000)
    is_kept = history.append(as_bytes(packet(history.next_sequence())));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_FALSE(is_kept);
  EXPECT_FALSE(history.at(1)) << "what was lost is not there with a hole";
  EXPECT_EQ(history.first_sequence() + 1, history.next_sequence());
  auto cursor = *history.at(history.first_sequence());
  EXPECT_EQ(history.read(cursor, 100), packet(history.first_sequence()));
}

}  // namespace
}  // namespace hft::gateway
