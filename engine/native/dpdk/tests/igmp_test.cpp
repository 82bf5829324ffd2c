// Membership over time: what is said, when, in which version, and to whom.
#include "dpdk/igmp.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hft::dpdk {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kNow = 5000 * kSecond;
constexpr std::uint32_t kGroup = 0xEFC80101, kAddress = 0x0A4D000B;
constexpr Mac kMac{0x52, 0x54, 0x00, 0x4c, 0x01, 0x0b};
constexpr std::size_t kIgmp = kEthernetBytes + 24;

std::vector<std::uint8_t> query(std::uint8_t code, std::uint32_t group, bool v3) {
  std::vector<std::uint8_t> message(v3 ? 12 : 8);
  message[0] = 0x11;
  message[1] = code;
  store_be<4>(&message[4], group);
  store_checksum(message, 2);
  return message;
}

struct Host {
  Membership membership{kMac, kAddress, kGroup};

  // Reports within a span, each as second:type and, of v3, :record.
  std::vector<std::string> said(std::uint64_t from_ns, std::uint64_t to_ns) {
    std::vector<std::string> all;
    for (std::uint64_t at = from_ns; at < to_ns; at += kSecond / 20) {
      while (const auto frame = membership.due(at)) {
        const std::uint8_t* igmp = frame->data() + kIgmp;
        all.push_back(igmp[0] == 0x22 ? "v3:" + std::to_string(igmp[8]) : igmp[0] == 0x16 ? "v2" : "?");
      }
    }
    return all;
  }
};

using Said = std::vector<std::string>;

TEST(Igmp, ReportHasTheBytesOfTheRfc) {
  Host host;
  host.membership.join(kNow);
  const auto frame = host.membership.due(kNow);
  ASSERT_TRUE(frame);
  const std::string hex =
      "01005e000016"
      "5254004c010b"
      "0800"
      "46c00028"
      "00000000"
      "010239a2"
      "0a4d000b"
      "e0000016"
      "94040000"
      "2200e934"
      "00000001"
      "04000000"
      "efc80101"
      "000000000000";
  std::string seen;
  for (const std::uint8_t byte : *frame) {
    constexpr const char* digits = "0123456789abcdef";
    seen += digits[byte >> 4];
    seen += digits[byte & 15];
  }
  EXPECT_EQ(seen, hex);
}

TEST(Igmp, AJoinIsSaidTwiceASecondApart) {
  Host host;
  EXPECT_EQ(host.said(kNow, kNow + kSecond), Said{});
  host.membership.join(kNow);
  EXPECT_EQ(host.said(kNow, kNow + kSecond - 1), (Said{"v3:4"}));
  EXPECT_EQ(host.said(kNow + kSecond, kNow + 60 * kSecond), (Said{"v3:4"}));
}

TEST(Igmp, AQueryIsAnsweredOnceWithinItsTime) {
  for (const std::uint32_t group : {0U, kGroup}) {
    Host host;
    host.membership.heard(query(100, group, true), kNow);
    host.membership.heard(query(100, group, true), kNow);
    EXPECT_EQ(host.said(kNow, kNow + 10 * kSecond), (Said{"v3:2"}));
    EXPECT_EQ(host.said(kNow + 10 * kSecond, kNow + 300 * kSecond), Said{});
  }
}

TEST(Igmp, AMoreUrgentQueryShortensTheAnswer) {
  Host host;
  host.membership.heard(query(255, 0, true), kNow);  // 31 << 10 tenths: most of an hour
  host.membership.heard(query(1, kGroup, true), kNow);
  EXPECT_EQ(host.said(kNow, kNow + kSecond / 5), (Said{"v3:2"}));
}

TEST(Igmp, AnOlderQuerierIsSpokenToInItsVersionUntilItIsGone) {
  Host host;
  host.membership.heard(query(10, 0, false), kNow);
  EXPECT_EQ(host.said(kNow, kNow + 2 * kSecond), (Said{"v2"}));
  host.membership.join(kNow + 3 * kSecond);
  EXPECT_EQ(host.said(kNow + 3 * kSecond, kNow + 6 * kSecond), (Said{"v2", "v2"}));
  EXPECT_EQ(host.membership.leave(kNow + 7 * kSecond)[kIgmp], 0x17);
  host.membership.heard(query(10, 0, true), kNow + 300 * kSecond);
  EXPECT_EQ(host.said(kNow + 300 * kSecond, kNow + 302 * kSecond), (Said{"v3:2"}));
  EXPECT_EQ(host.membership.leave(kNow + 303 * kSecond)[kIgmp + 8], 3);
}

TEST(Igmp, OtherGroupsOtherTypesAndDamageAreNotAnswered) {
  Host host;
  host.membership.heard(query(10, kGroup + 1, true), kNow);
  auto damaged = query(10, 0, true);
  damaged[1] = 11;
  host.membership.heard(damaged, kNow);
  auto report = query(10, kGroup, false);
  report[0] = 0x16;
  store_checksum(report, 2);
  host.membership.heard(report, kNow);
  auto brief = query(10, 0, false);
  for (std::size_t length = 0; length < brief.size(); ++length) host.membership.heard(Bytes(brief).first(length), kNow);
  EXPECT_EQ(host.said(kNow, kNow + 30 * kSecond), Said{});
}

}  // namespace
}  // namespace hft::dpdk
