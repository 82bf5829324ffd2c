// MoldUDP64: building and taking apart, with every way a datagram can lie about its blocks.
#include "wire/mold.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hft {
namespace {

const auto kSession = mold::make_session("DAY0001");

std::vector<std::uint8_t> datagram(std::uint64_t first, const std::vector<std::string>& messages) {
  std::vector<std::uint8_t> out(mold::kDatagramBytesMax);
  mold::Builder builder(out, kSession, first);
  for (const auto& message : messages) EXPECT_TRUE(builder.add(as_bytes(message)));
  out.resize(builder.datagram().size());
  return out;
}

TEST(Mold, WhatWasAddedComesOutInOrderWithItsSequence) {
  const std::vector<std::string> messages{"one", "", "three33"};
  const auto bytes = datagram(41, messages);
  const auto packet = mold::parse(bytes);
  ASSERT_EQ(packet.why, Reject::none);
  EXPECT_EQ(mold::to_text(packet.session), "DAY0001   ");
  std::vector<std::string> seen;
  mold::for_each(packet, [&](std::uint64_t sequence, Bytes message) {
    EXPECT_EQ(sequence, 41 + seen.size());
    seen.emplace_back(as_text(message));
  });
  EXPECT_EQ(seen, messages);
}

TEST(Mold, HeaderBytesLieWhereTheSpecificationPutsThem) {
  const auto bytes = datagram(0x0102030405060708, {"xy"});
  const std::string want("DAY0001   \x01\x02\x03\x04\x05\x06\x07\x08\x00\x01\x00\x02xy", 24);
  EXPECT_EQ(as_text(bytes), want);
}

TEST(Mold, HeartbeatAndEndOfSessionHoldNoMessages) {
  std::array<std::uint8_t, mold::kHeaderBytes> bytes;
  mold::store_header(bytes, kSession, 9, mold::kHeartbeat);
  EXPECT_TRUE(mold::parse(bytes).heartbeat);
  EXPECT_EQ(mold::parse(bytes).count, 0);
  mold::store_header(bytes, kSession, 9, mold::kEndOfSession);
  const auto packet = mold::parse(bytes);
  EXPECT_EQ(packet.why, Reject::none);
  EXPECT_TRUE(packet.end_of_session);
  EXPECT_FALSE(packet.heartbeat);
  EXPECT_EQ(packet.count, 0);
}

TEST(Mold, EveryTruncationIsRejected) {
  const auto bytes = datagram(1, {"first", "second"});
  EXPECT_EQ(mold::parse({}).why, Reject::empty);
  for (std::size_t size = 1; size < bytes.size(); ++size) {
    const auto why = mold::parse(Bytes(bytes).first(size)).why;
    EXPECT_TRUE(why == Reject::too_short || why == Reject::bad_length) << size;
  }
}

TEST(Mold, BytesLeftOverAndLengthsBeyondTheEndAreRejected) {
  auto bytes = datagram(1, {"first"});
  bytes.push_back(0);
  EXPECT_EQ(mold::parse(bytes).why, Reject::too_long);
  bytes.pop_back();
  bytes[mold::kHeaderBytes] = 0xFF;
  EXPECT_EQ(mold::parse(bytes).why, Reject::bad_length);
}

TEST(Mold, SequenceNumbersThatWrapAreRejected) {
  EXPECT_EQ(mold::parse(datagram(~std::uint64_t{0}, {"a", "b"})).why, Reject::bad_field);
  EXPECT_EQ(mold::parse(datagram(~std::uint64_t{0} - 2, {"a", "b"})).why, Reject::none);
}

TEST(Mold, BuilderNeverWritesBeyondItsBuffer) {
  std::array<std::uint8_t, 40> memory;
  memory.fill(0xAB);
  const MutableBytes room = MutableBytes(memory).first(30);
  mold::Builder builder(room, kSession, 1);
  EXPECT_FALSE(builder.add(as_bytes("123456789")));
  EXPECT_TRUE(builder.add(as_bytes("12345678")));
  EXPECT_FALSE(builder.add(as_bytes("")));
  EXPECT_EQ(builder.datagram().size(), 30U);
  EXPECT_EQ(memory[30], 0xAB);
  std::array<std::uint8_t, 10> tiny;
  mold::Builder none(tiny, kSession, 1);
  EXPECT_FALSE(none.add(as_bytes("x")));
  EXPECT_TRUE(none.datagram().empty());
}

TEST(Mold, WithoutFrontKeepsTheRest) {
  const auto bytes = datagram(10, {"a", "bb", "ccc"});
  const auto rest = mold::without_front(mold::parse(bytes), 2);
  EXPECT_EQ(rest.sequence, 12U);
  EXPECT_EQ(rest.count, 1);
  mold::for_each(rest, [&](std::uint64_t, Bytes message) { EXPECT_EQ(as_text(message), "ccc"); });
}

TEST(Mold, RequestsComeBackAndOtherSizesDoNot) {
  const mold::Request request{kSession, 77, 500};
  const auto bytes = mold::encode(request);
  EXPECT_EQ(mold::parse_request(bytes), request);
  EXPECT_FALSE(mold::parse_request(Bytes(bytes).first(19)));
}

}  // namespace
}  // namespace hft
