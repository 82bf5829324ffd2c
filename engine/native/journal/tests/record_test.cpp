// Record header, CRC and ring.
#include <gtest/gtest.h>

#include <array>

#include "journal/ring.h"
#include "journal/tests/scratch.h"

namespace hft {
namespace {

TEST(Crc32c, GivesTheCheckValueOfTheCatalogue) {
  // "123456789" -> E3069283 (RFC 3720 appendix B.4 uses the same polynomial; the catalogue's check value).
  EXPECT_EQ(crc32c(0, "123456789", 9), 0xE3069283U);
}

TEST(Crc32c, ContinuesWhereItStopped) {
  EXPECT_EQ(crc32c(crc32c(0, "12345", 5), "6789", 4), crc32c(0, "123456789", 9));
}

TEST(Record, HeaderIs64BytesWithTheMagicReadableInTheFile) {
  std::array<std::byte, 72> record{};
  frame_record(record.data(), Kind::tick, 0, 3, Stamp{1, 2, 3, 4});
  EXPECT_EQ(std::memcmp(record.data(), "HFTJ", 4), 0);
}

TEST(Record, EveryFlippedBitChangesTheCrc) {
  std::array<std::byte, 72> record{};
  std::memcpy(record.data() + 64, "payload!", 8);
  frame_record(record.data(), Kind::tick, 0, 8, Stamp{1, 2, 3, 4});
  chain_record(record.data(), 99);
  for (std::size_t bit = 0; bit < record.size() * 8; ++bit) {
    auto damaged = record;
    damaged[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    RecordHeader header{};
    std::memcpy(&header, damaged.data(), sizeof header);
    header.length = 8;
    const bool length_hit = bit / 8 >= 12 && bit / 8 < 16;
    if (!length_hit) {
      EXPECT_NE(record_crc(header, damaged.data() + 64), header.crc32c) << "bit " << bit;
    }
  }
}

TEST(Ring, RefusesWhenFullAndTakesAgainOnceWritten) {
  Ring ring = Ring::create(4096);
  std::uint64_t seq = 1;
  while (test::append_input(ring, seq) != 0) ++seq;
  EXPECT_GT(seq, 20U);
  ring.shared().written.store(ring.shared().appended.load());
  EXPECT_NE(test::append_input(ring, seq), 0U);
}

TEST(Ring, ARecordAcrossTheEndIsReadInOnePiece) {
  Ring ring = Ring::create(4096);
  for (std::uint64_t seq = 1; seq < 500; ++seq) {
    const std::uint64_t at = ring.shared().appended.load();
    ring.shared().written.store(at);
    ASSERT_NE(test::append_input(ring, seq), 0U);
    RecordHeader header{};
    std::memcpy(&header, ring.at(at), sizeof header);
    EXPECT_EQ(header.input_seq, seq);
    EXPECT_EQ(std::memcmp(ring.at(at) + sizeof header, test::payload_of(seq).data(), header.length), 0);
  }
}

TEST(Ring, AdoptedByAnotherHolderStillHoldsWhatWasAppended) {
  Ring first = Ring::create(4096);
  const std::uint64_t behind = test::append_input(first, 7);
  Ring second = Ring::adopt(dup(first.fd()));
  EXPECT_EQ(second.shared().appended.load(), behind);
  RecordHeader header{};
  std::memcpy(&header, second.at(0), sizeof header);
  EXPECT_EQ(header.input_seq, 7U);
}

TEST(Ring, ADescriptorThatIsNoRingIsRefused) {
  test::Scratch scratch;
  std::ofstream(scratch.path() / "f") << std::string(8192, 'x');
  FILE* file = fopen((scratch.path() / "f").c_str(), "r+");
  EXPECT_THROW(Ring::adopt(dup(fileno(file))), std::system_error);
  fclose(file);
}

TEST(Ring, SizeMustBeAPowerOfTwo) { EXPECT_THROW(Ring::create(5000), std::system_error); }

}  // namespace
}  // namespace hft
