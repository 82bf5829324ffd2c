// Ethernet II, IPv4 (RFC 791) and UDP (RFC 768) around one datagram of market data: what a frame is, by its bytes.
//
// A kernel socket never sees what this refuses; a poll-mode port sees everything on the wire. Policy:
// - taken: untagged Ethernet II to the group's own MAC address (RFC 1112 6.4), IPv4 without fragments to the
//   group, UDP to the port. Everything else that is well formed is foreign: counted, not looked into.
// - every length is checked against the bytes that are there; padding behind the IP packet is cut off.
// - the IPv4 header checksum is always verified, the UDP checksum unless it is zero, which says that the sender
//   made none. What the device has verified is not summed again; what it calls bad is bad.
// - a 802.1Q tag makes a frame foreign, also one that a device took off unasked (port.cpp): the port is an
//   access port of the feed's VLAN.
#pragma once

#include "dpdk/checksum.h"

namespace hft::dpdk {

using Mac = std::array<std::uint8_t, 6>;

enum class Frame : std::uint8_t { data, igmp, foreign, fragment, malformed, bad_checksum };
enum class Judged : std::uint8_t { unknown, good, bad };  // what the device says about a checksum

struct Wanted {
  std::uint32_t group = 0;  // host order, like every address here
  std::uint16_t port = 0;
};

struct Parsed {
  Frame what = Frame::malformed;
  Bytes payload;  // of UDP for data, of IPv4 for igmp
};

inline constexpr std::size_t kEthernetBytes = 14;
inline constexpr std::size_t kIpv4BytesMin = 20;
inline constexpr std::size_t kUdpBytes = 8;
inline constexpr std::uint16_t kTypeIpv4 = 0x0800;
inline constexpr std::uint8_t kProtocolIgmp = 2;
inline constexpr std::uint8_t kProtocolUdp = 17;

// 01:00:5e and the group's low 23 bits (RFC 1112 6.4): 32 groups share one address, so the IP is looked at too.
constexpr Mac multicast_mac(std::uint32_t group) {
  return {0x01,
          0x00,
          0x5e,
          static_cast<std::uint8_t>(group >> 16 & 0x7f),
          static_cast<std::uint8_t>(group >> 8),
          static_cast<std::uint8_t>(group)};
}

namespace detail {

inline Parsed parse_udp(Bytes packet, std::size_t header, const Wanted& wanted, Judged judged) {
  const Bytes udp = packet.subspan(header);
  if (udp.size() < kUdpBytes) return {Frame::malformed, {}};
  const auto length = static_cast<std::size_t>(load_be<2>(udp.data() + 4));
  if (length < kUdpBytes || length > udp.size()) return {Frame::malformed, {}};
  if (load_be<2>(udp.data() + 2) != wanted.port) return {Frame::foreign, {}};
  if (judged == Judged::bad) return {Frame::bad_checksum, {}};
  const bool carries_one = load_be<2>(udp.data() + 6) != 0;
  if (carries_one && judged == Judged::unknown) {
    // Pseudo header: both addresses, protocol, UDP length.
    std::array<std::uint8_t, 4> tail{0, kProtocolUdp, udp[4], udp[5]};
    const std::uint64_t pseudo = sum_words(tail, sum_words(packet.subspan(12, 8)));
    if (!sums_up(udp.first(length), pseudo)) return {Frame::bad_checksum, {}};
  }
  return {Frame::data, udp.subspan(kUdpBytes, length - kUdpBytes)};
}

}  // namespace detail

inline Parsed parse(Bytes frame, const Wanted& wanted, Judged ip_sum = Judged::unknown,
                    Judged udp_sum = Judged::unknown) {
  if (frame.size() < kEthernetBytes) return {Frame::malformed, {}};
  if (load_be<2>(frame.data() + 12) != kTypeIpv4) return {Frame::foreign, {}};
  Bytes packet = frame.subspan(kEthernetBytes);
  if (packet.size() < kIpv4BytesMin || packet[0] >> 4 != 4) return {Frame::malformed, {}};
  const std::size_t header = static_cast<std::size_t>(packet[0] & 0x0f) * 4;
  const auto total = static_cast<std::size_t>(load_be<2>(packet.data() + 2));
  if (header < kIpv4BytesMin || total < header || total > packet.size()) return {Frame::malformed, {}};
  packet = packet.first(total);
  if (ip_sum == Judged::bad) return {Frame::bad_checksum, {}};
  if (ip_sum == Judged::unknown && !sums_up(packet.first(header))) return {Frame::bad_checksum, {}};
  const std::uint8_t protocol = packet[9];
  if (protocol == kProtocolIgmp) return {Frame::igmp, packet.subspan(header)};
  const bool ours = protocol == kProtocolUdp && load_be<4>(packet.data() + 16) == wanted.group;
  const Mac mac = multicast_mac(wanted.group);
  if (!ours || !std::equal(mac.begin(), mac.end(), frame.begin())) return {Frame::foreign, {}};
  constexpr std::uint16_t kMoreOrOffset = 0x3fff;  // all of the field but "do not fragment" and the reserved bit
  if ((load_be<2>(packet.data() + 6) & kMoreOrOffset) != 0) return {Frame::fragment, {}};
  return detail::parse_udp(packet, header, wanted, udp_sum);
}

}  // namespace hft::dpdk
