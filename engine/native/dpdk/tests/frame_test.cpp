// Frames as a port gives them: what is taken, what is not and why, and that no byte beyond the frame is read.
#include "dpdk/frame.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "dpdk/stamp.h"

namespace hft::dpdk {
namespace {

constexpr Wanted kWanted{0xEFC80101, 26400};  // 239.200.1.1
constexpr std::size_t kIp = kEthernetBytes, kUdp = kIp + kIpv4BytesMin, kPayload = kUdp + kUdpBytes;

void sum_up(std::vector<std::uint8_t>& frame, std::size_t header = kIpv4BytesMin) {
  store_checksum(MutableBytes(frame).subspan(kIp, header), 10);
}

std::vector<std::uint8_t> frame_of(const std::string& payload, Wanted to = kWanted) {
  std::vector<std::uint8_t> frame(kPayload + payload.size());
  const Mac mac = multicast_mac(to.group);
  std::copy(mac.begin(), mac.end(), frame.begin());
  store_be<2>(&frame[12], kTypeIpv4);
  frame[kIp] = 0x45;
  store_be<2>(&frame[kIp + 2], frame.size() - kIp);
  frame[kIp + 8] = 1;
  frame[kIp + 9] = kProtocolUdp;
  store_be<4>(&frame[kIp + 12], 0x0A4D000D);
  store_be<4>(&frame[kIp + 16], to.group);
  sum_up(frame);
  store_be<2>(&frame[kUdp], 4000);
  store_be<2>(&frame[kUdp + 2], to.port);
  store_be<2>(&frame[kUdp + 4], frame.size() - kUdp);
  std::copy(payload.begin(), payload.end(), frame.begin() + kPayload);
  const std::array<std::uint8_t, 4> tail{0, kProtocolUdp, frame[kUdp + 4], frame[kUdp + 5]};
  std::uint64_t sum = sum_words(tail, sum_words(Bytes(frame).subspan(kIp + 12, 8)));
  sum = sum_words(Bytes(frame).subspan(kUdp), sum);
  const auto stored = static_cast<std::uint16_t>(~fold(sum));
  std::memcpy(&frame[kUdp + 6], &stored, 2);
  return frame;
}

// A copy that ends where the frame ends, so that the address sanitizer sees a read behind it.
Parsed parse_exact(const std::vector<std::uint8_t>& frame, Judged ip = Judged::unknown, Judged udp = Judged::unknown) {
  const std::unique_ptr<std::uint8_t[]> exact(new std::uint8_t[frame.size()]);
  std::copy(frame.begin(), frame.end(), exact.get());
  return {parse(Bytes(exact.get(), frame.size()), kWanted, ip, udp).what, {}};
}

TEST(Checksum, IsTheOneOfTheRfcExample) {
  // RFC 1071 section 3: 0001 f203 f4f5 f6f7 sums to ddf2.
  const std::array<std::uint8_t, 8> words{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  const std::uint16_t sum = fold(sum_words(words));
  std::array<std::uint8_t, 2> stored;
  std::memcpy(stored.data(), &sum, 2);
  EXPECT_EQ(load_be<2>(stored.data()), 0xddf2);
}

TEST(Frame, PayloadOfTheGroupAndPortIsTakenAndPaddingIsCutOff) {
  auto frame = frame_of("seventeen bytes..");
  frame.resize(frame.size() + 9);
  const Parsed parsed = parse(frame, kWanted);
  EXPECT_EQ(parsed.what, Frame::data);
  EXPECT_EQ(as_text(parsed.payload), "seventeen bytes..");
}

TEST(Frame, EmptyAndOddPayloadsAreTaken) {
  for (const std::string payload : {"", "x", "xyz"}) {
    const auto frame = frame_of(payload);
    EXPECT_EQ(as_text(parse(frame, kWanted).payload), payload);
    EXPECT_EQ(parse(frame, kWanted).what, Frame::data);
  }
}

TEST(Frame, EveryTruncationIsMalformed) {
  const auto whole = frame_of("payload");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const std::vector<std::uint8_t> cut(whole.begin(), whole.begin() + static_cast<long>(length));
    EXPECT_EQ(parse_exact(cut).what, Frame::malformed) << length;
  }
}

TEST(Frame, AnyFlippedBitBehindTheSourceAddressIsNoticed) {
  // Identification, TTL and such are held by the header's checksum, all of UDP by its own.
  const auto whole = frame_of("payload");
  for (std::size_t at = 12; at < whole.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      auto frame = whole;
      frame[at] = static_cast<std::uint8_t>(frame[at] ^ 1U << bit);
      EXPECT_NE(parse_exact(frame).what, Frame::data) << at << " bit " << bit;
    }
  }
}

TEST(Frame, LengthsThatContradictTheFrameAreMalformed) {
  for (const std::size_t total : {0, 19, 27, 2000, 65535}) {
    auto frame = frame_of("payload");
    store_be<2>(&frame[kIp + 2], total);
    sum_up(frame);
    EXPECT_EQ(parse_exact(frame).what, Frame::malformed) << total;
  }
  for (const std::size_t udp : {0, 7, 16, 65535}) {
    auto frame = frame_of("payload");
    store_be<2>(&frame[kUdp + 4], udp);
    EXPECT_EQ(parse_exact(frame).what, Frame::malformed) << udp;
  }
  for (const std::uint8_t version : std::to_array<std::uint8_t>({0x40, 0x44, 0x4f, 0x65, 0x05})) {
    auto frame = frame_of("payload");
    frame[kIp] = version;
    EXPECT_EQ(parse_exact(frame).what, Frame::malformed) << static_cast<int>(version);
  }
}

TEST(Frame, OptionsAreSteppedOver) {
  auto frame = frame_of("payload");
  frame.insert(frame.begin() + kUdp, {0x94, 0x04, 0x00, 0x00});
  frame[kIp] = 0x46;
  store_be<2>(&frame[kIp + 2], frame.size() - kIp);
  sum_up(frame, kIpv4BytesMin + 4);
  EXPECT_EQ(as_text(parse(frame, kWanted).payload), "payload");
}

TEST(Frame, FragmentsAreNotTaken) {
  for (const std::uint16_t field : std::to_array<std::uint16_t>({0x2000, 0x0001, 0x1fff, 0x3fff})) {
    auto frame = frame_of("payload");
    store_be<2>(&frame[kIp + 6], field);
    sum_up(frame);
    EXPECT_EQ(parse_exact(frame).what, Frame::fragment) << field;
  }
  auto whole = frame_of("payload");
  store_be<2>(&whole[kIp + 6], 0x4000);  // do not fragment
  sum_up(whole);
  EXPECT_EQ(parse_exact(whole).what, Frame::data);
}

TEST(Frame, OtherGroupsPortsAddressesAndProtocolsAreForeign) {
  EXPECT_EQ(parse_exact(frame_of("x", {0xEFC80102, 26400})).what, Frame::foreign);
  EXPECT_EQ(parse_exact(frame_of("x", {0xEFC80101, 26401})).what, Frame::foreign);
  // Low 23 bits equal, so the MAC is the same: only the IP address tells them apart.
  EXPECT_EQ(multicast_mac(0xEE480101), multicast_mac(0xEFC80101));
  EXPECT_EQ(parse_exact(frame_of("x", {0xEE480101, 26400})).what, Frame::foreign);
  auto unicast = frame_of("x");
  unicast[0] = 0x52;
  EXPECT_EQ(parse_exact(unicast).what, Frame::foreign);
  auto tcp = frame_of("x");
  tcp[kIp + 9] = 6;
  sum_up(tcp);
  EXPECT_EQ(parse_exact(tcp).what, Frame::foreign);
  for (const std::uint16_t type : std::to_array<std::uint16_t>({0x0806, 0x8100, 0x86dd, 0x88cc, 0x0010})) {
    auto frame = frame_of("x");
    store_be<2>(&frame[12], type);
    EXPECT_EQ(parse_exact(frame).what, Frame::foreign) << type;
  }
}

TEST(Frame, ChecksumPolicyIsTheStatedOne) {
  auto none = frame_of("payload");
  none[kUdp + 6] = none[kUdp + 7] = 0;
  EXPECT_EQ(parse_exact(none).what, Frame::data) << "zero says that the sender made none";
  auto udp = frame_of("payload");
  udp.back() = static_cast<std::uint8_t>(udp.back() ^ 1);
  EXPECT_EQ(parse_exact(udp).what, Frame::bad_checksum);
  EXPECT_EQ(parse_exact(udp, Judged::unknown, Judged::good).what, Frame::data) << "the device is believed";
  auto ip = frame_of("payload");
  ip[kIp + 8] = 9;
  EXPECT_EQ(parse_exact(ip).what, Frame::bad_checksum);
  EXPECT_EQ(parse_exact(frame_of("payload"), Judged::bad).what, Frame::bad_checksum);
  EXPECT_EQ(parse_exact(frame_of("payload"), Judged::unknown, Judged::bad).what, Frame::bad_checksum);
}

TEST(Frame, RandomBytesAndRandomDamageNeverReadBeyondTheFrame) {
  std::mt19937 random(20260511);
  const auto whole = frame_of("some payload of a datagram");
  int taken = 0;
  for (int round = 0; round < 200'000; ++round) {
    auto frame = whole;
    for (unsigned hits = random() % 4; hits > 0; --hits)
      frame[random() % frame.size()] = static_cast<std::uint8_t>(random());
    frame.resize(random() % 3 == 0 ? random() % (frame.size() + 1) : frame.size());
    taken +=
        parse_exact(frame, static_cast<Judged>(random() % 3), static_cast<Judged>(random() % 3)).what == Frame::data;
  }
  EXPECT_GT(taken, 1000);
}

TEST(Stamp, OnlyNanosecondsOfUtcNearTheClockAreBelieved) {
  constexpr std::int64_t now_ns = 1'790'000'000'000'000'000;
  EXPECT_TRUE(believable(now_ns, now_ns));
  EXPECT_TRUE(believable(now_ns - 999'999'999, now_ns));
  EXPECT_FALSE(believable(now_ns - 1'000'000'000, now_ns));
  EXPECT_FALSE(believable(now_ns + 1'000'000'000, now_ns));
  EXPECT_FALSE(believable(now_ns / 1000, now_ns)) << "microseconds";
  EXPECT_FALSE(believable(0, now_ns));
  EXPECT_FALSE(believable(~0ULL, now_ns));
}

}  // namespace
}  // namespace hft::dpdk
