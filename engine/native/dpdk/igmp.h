// Membership of one group, as a host without kernel must say it: IGMPv3 (RFC 3376) and v2 (RFC 2236) reports.
//
// A switch that snoops sends a group only to ports that reported it; one that does not floods it to every port.
// DPDK reports nothing, so the engine does: at the join and once more, at every query within the time it
// allows, again when the link came back, and a leave at the end. While a v2 querier is heard the reports are v2.
// No randomness: the delay of an answer comes from the address, so that hosts of one segment differ.
#pragma once

#include <optional>

#include "dpdk/frame.h"

namespace hft::dpdk {

inline constexpr std::uint32_t kAllHosts = 0xE0000001;    // 224.0.0.1: general queries
inline constexpr std::uint32_t kAllRouters = 0xE0000002;  // 224.0.0.2: v2 leaves
inline constexpr std::uint32_t kV3Reports = 0xE0000016;   // 224.0.0.22: v3 reports
inline constexpr std::size_t kReportFrameBytes = 60;      // shortest Ethernet frame without its checksum

using ReportFrame = std::array<std::uint8_t, kReportFrameBytes>;

class Membership {
 public:
  Membership(const Mac& mac, std::uint32_t address, std::uint32_t group)
      : mac_(mac), address_(address), group_(group) {}

  // Unsolicited reports: now, and once more a second later (RFC 3376 8.1 and 8.11).
  void join(std::uint64_t now_ns) {
    changes_left_ = kRobustness;
    change_due_ns_ = now_ns;
  }

  // An IGMP message that arrived: queries for this group or for all of them are answered, all else is ignored.
  void heard(Bytes message, std::uint64_t now_ns) {
    if (message.size() < 8 || message[0] != kQuery || !sums_up(message)) return;
    const auto asked = static_cast<std::uint32_t>(load_be<4>(message.data() + 4));
    if (asked != 0 && asked != group_) return;
    const bool is_v3 = message.size() >= 12;
    if (!is_v3) v2_until_ns_ = now_ns + kOlderQuerierPresentNs;
    const std::uint64_t within_ns = patience_ns(message[1], is_v3);
    const std::uint64_t at = now_ns + spread() % within_ns;
    if (answer_due_ns_ == 0 || at < answer_due_ns_) answer_due_ns_ = at;
  }

  // The frame that is due by now, one at a call.
  std::optional<ReportFrame> due(std::uint64_t now_ns) {
    const bool v2 = now_ns < v2_until_ns_;
    if (changes_left_ > 0 && now_ns >= change_due_ns_) {
      --changes_left_;
      change_due_ns_ = now_ns + kUnsolicitedEveryNs;
      return v2 ? report_v2(kReportV2, group_) : report_v3(kToExclude);
    }
    if (answer_due_ns_ != 0 && now_ns >= answer_due_ns_) {
      answer_due_ns_ = 0;
      return v2 ? report_v2(kReportV2, group_) : report_v3(kIsExclude);
    }
    return std::nullopt;
  }

  [[nodiscard]] ReportFrame leave(std::uint64_t now_ns) const {
    return now_ns < v2_until_ns_ ? report_v2(kLeaveV2, kAllRouters) : report_v3(kToInclude);
  }

 private:
  static constexpr std::uint8_t kQuery = 0x11, kReportV2 = 0x16, kLeaveV2 = 0x17, kReportV3 = 0x22;
  static constexpr std::uint8_t kIsExclude = 2, kToInclude = 3, kToExclude = 4;
  static constexpr int kRobustness = 2;
  static constexpr std::uint64_t kUnsolicitedEveryNs = 1'000'000'000;
  // Robustness times the query interval of 125 s and a response interval of 10 s (RFC 3376 8.12).
  static constexpr std::uint64_t kOlderQuerierPresentNs = 260'000'000'000;
  static constexpr std::size_t kIpv4Bytes = 24;  // with the router alert option (RFC 2113)

  // Tenths of a second; from 128 on a v3 code is a float (RFC 3376 4.1.1); zero is a v1 query: 10 s.
  static std::uint64_t patience_ns(std::uint8_t code, bool is_v3) {
    constexpr std::uint64_t tenth_ns = 100'000'000;
    if (code == 0) return is_v3 ? 1 : 100 * tenth_ns;
    if (!is_v3 || code < 128) return code * tenth_ns;
    return (static_cast<std::uint64_t>((code & 0x0f) | 0x10) << ((code >> 4 & 7) + 3)) * tenth_ns;
  }

  [[nodiscard]] std::uint64_t spread() const { return (address_ ^ group_) * 0x9E3779B97F4A7C15ULL >> 8; }

  [[nodiscard]] ReportFrame framed(std::uint32_t to, std::size_t igmp_bytes) const {
    ReportFrame frame{};
    const Mac target = multicast_mac(to);
    std::copy(target.begin(), target.end(), frame.begin());
    std::copy(mac_.begin(), mac_.end(), frame.begin() + 6);
    store_be<2>(frame.data() + 12, kTypeIpv4);
    std::uint8_t* ip = frame.data() + kEthernetBytes;
    ip[0] = 0x46;
    ip[1] = 0xc0;  // internetwork control (RFC 3376 4)
    store_be<2>(ip + 2, kIpv4Bytes + igmp_bytes);
    ip[8] = 1;  // never beyond this segment
    ip[9] = kProtocolIgmp;
    store_be<4>(ip + 12, address_);
    store_be<4>(ip + 16, to);
    store_be<4>(ip + 20, 0x94040000);
    store_checksum(MutableBytes(ip, kIpv4Bytes), 10);
    return frame;
  }

  [[nodiscard]] ReportFrame report_v2(std::uint8_t type, std::uint32_t to) const {
    ReportFrame frame = framed(to, 8);
    const MutableBytes igmp(frame.data() + kEthernetBytes + kIpv4Bytes, 8);
    igmp[0] = type;
    store_be<4>(igmp.data() + 4, group_);
    store_checksum(igmp, 2);
    return frame;
  }

  [[nodiscard]] ReportFrame report_v3(std::uint8_t record) const {
    ReportFrame frame = framed(kV3Reports, 16);
    const MutableBytes igmp(frame.data() + kEthernetBytes + kIpv4Bytes, 16);
    igmp[0] = kReportV3;
    store_be<2>(igmp.data() + 6, 1);  // one group record, without sources
    igmp[8] = record;
    store_be<4>(igmp.data() + 12, group_);
    store_checksum(igmp, 2);
    return frame;
  }

  Mac mac_;
  std::uint32_t address_, group_;
  int changes_left_ = 0;
  std::uint64_t change_due_ns_ = 0;
  std::uint64_t answer_due_ns_ = 0;  // 0: no answer is owed
  std::uint64_t v2_until_ns_ = 0;
};

}  // namespace hft::dpdk
