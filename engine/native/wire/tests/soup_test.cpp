// SoupBinTCP, the gateway link and ClOrdID: framing at every split, numbers as text, broken streams.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "wire/clordid.h"
#include "wire/link.h"

namespace hft {
namespace {

struct Seen {
  char type;
  std::string payload;
  bool operator==(const Seen&) const = default;
};

// Feed a stream in pieces of one size through a reader of `room` bytes.
std::vector<Seen> read_in_pieces(Bytes stream, std::size_t piece, std::size_t room, soup::Got& last) {
  std::vector<std::uint8_t> buffer(room);
  soup::Reader reader(buffer);
  std::vector<Seen> seen;
  last = soup::Got::need_more;
  while (!stream.empty() && last != soup::Got::broken) {
    const auto space = reader.space();
    const auto size = std::min({piece, space.size(), stream.size()});
    std::copy_n(stream.begin(), size, space.begin());
    reader.commit(size);
    stream = stream.subspan(size);
    soup::Packet packet;
    while ((last = reader.next(packet)) == soup::Got::packet) {
      seen.push_back({packet.type, std::string(as_text(packet.payload))});
    }
  }
  return seen;
}

std::vector<std::uint8_t> frames(const std::vector<Seen>& packets) {
  std::vector<std::uint8_t> out;
  for (const auto& [type, payload] : packets) {
    std::vector<std::uint8_t> one(soup::kFrameBytes + payload.size());
    EXPECT_EQ(soup::write(one, type, as_bytes(payload)), one.size());
    out.insert(out.end(), one.begin(), one.end());
  }
  return out;
}

TEST(Soup, PacketsSurviveEverySplitOfTheStream) {
  const std::vector<Seen> packets{{'L', std::string(46, 'x')}, {'H', ""}, {'S', "sequenced"}, {'R', ""}, {'Z', ""}};
  const auto stream = frames(packets);
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    soup::Got last;
    EXPECT_EQ(read_in_pieces(stream, piece, 64, last), packets) << piece;
    EXPECT_EQ(last, soup::Got::need_more);
  }
}

TEST(Soup, ALengthOfZeroBreaksTheStreamForGood) {
  auto stream = frames({{'H', ""}});
  stream.insert(stream.end(), {0, 0});
  const auto tail = frames({{'S', "never seen"}});
  stream.insert(stream.end(), tail.begin(), tail.end());
  soup::Got last;
  EXPECT_EQ(read_in_pieces(stream, 5, 64, last), (std::vector<Seen>{{'H', ""}}));
  EXPECT_EQ(last, soup::Got::broken);
}

TEST(Soup, APacketThatCanNeverFitTheBufferBreaksInsteadOfWaitingForever) {
  soup::Got last;
  EXPECT_TRUE(read_in_pieces(frames({{'S', std::string(62, 'x')}}), 4, 64, last).empty());
  EXPECT_EQ(last, soup::Got::broken);
  EXPECT_EQ(read_in_pieces(frames({{'S', std::string(61, 'x')}}), 4, 64, last).size(), 1U);
}

TEST(Soup, WritersSayNoInsteadOfOverrunning) {
  std::array<std::uint8_t, 8> out;
  EXPECT_EQ(soup::write(out, 'S', as_bytes("12345")), 8U);
  EXPECT_EQ(soup::write(out, 'S', as_bytes("123456")), 0U);
  std::vector<std::uint8_t> large(70000);
  EXPECT_EQ(soup::write(large, 'S', Bytes(large).first(65535)), 0U);
  EXPECT_EQ(soup::write(large, 'S', Bytes(large).first(65534)), 65537U);
}

TEST(Soup, LoginRequestHasTheLayoutOfTheSpecification) {
  std::array<std::uint8_t, 64> out;
  const auto used = soup::write(out, soup::LoginRequest{"ab", "secret", "DAY1", 42});
  EXPECT_EQ(as_text(Bytes(out).first(used)),
            std::string("\0\x2FL", 3) + "ab    secret          DAY1                  42");
  const auto back = soup::parse_login_request(Bytes(out).subspan(3, used - 3));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->username, "ab");
  EXPECT_EQ(back->password, "secret");
  EXPECT_EQ(back->session, "DAY1");
  EXPECT_EQ(back->next_sequence, 42U);
}

TEST(Soup, LoginAcceptedComesBack) {
  std::array<std::uint8_t, 64> out;
  const auto used = soup::write(out, soup::LoginAccepted{"DAY1", 18'446'744'073'709'551'615U});
  EXPECT_EQ(used, 33U);
  const auto back = soup::parse_login_accepted(Bytes(out).subspan(3, used - 3));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->session, "DAY1");
  EXPECT_EQ(back->next_sequence, 18'446'744'073'709'551'615U);
}

TEST(Soup, NumbersAreDigitsWithPaddingAndNothingElse) {
  EXPECT_EQ(soup::load_number("                   7"), 7U);
  EXPECT_EQ(soup::load_number("7                   "), 7U);
  EXPECT_EQ(soup::load_number("                    "), 0U);
  for (const auto* text : {"-1", "1 2", "0x1", "99999999999999999999", "1a"})
    EXPECT_FALSE(soup::load_number(text)) << text;
}

TEST(Soup, LoginsOfAWrongSizeAreNoLogins) {
  const std::array<std::uint8_t, 47> bytes{};
  for (const std::size_t size : {0, 29, 31, 45, 47}) {
    EXPECT_FALSE(soup::parse_login_request(Bytes(bytes).first(size)));
    EXPECT_FALSE(soup::parse_login_accepted(Bytes(bytes).first(size)));
  }
}

soup::Packet unframed(Bytes frame) { return soup::parse(frame).packet; }

TEST(Link, NonceClaimAndHelloComeBackFromTheirFrames) {
  std::array<std::uint8_t, 64> out;
  link::Nonce nonce;
  for (std::size_t i = 0; i < nonce.size(); ++i) nonce[i] = static_cast<std::uint8_t>(i * 7);
  EXPECT_EQ(link::parse_nonce(unframed(Bytes(out).first(link::write_nonce(out, nonce)))), nonce);
  EXPECT_EQ(link::parse_claim(unframed(Bytes(out).first(link::write_claim(out, 0x0102030405060708)))),
            0x0102030405060708U);
  EXPECT_EQ(link::parse_hello(unframed(Bytes(out).first(link::write_hello(out, "{}")))), "{}");
}

TEST(Link, WrongLettersAndSizesAreRefused) {
  const std::array<std::uint8_t, 33> bytes{};
  EXPECT_FALSE(link::parse_nonce({link::kNonce, Bytes(bytes).first(31)}));
  EXPECT_FALSE(link::parse_nonce({link::kClaim, Bytes(bytes).first(32)}));
  EXPECT_FALSE(link::parse_claim({link::kClaim, Bytes(bytes).first(7)}));
  EXPECT_FALSE(link::parse_claim({link::kHello, Bytes(bytes).first(8)}));
  EXPECT_FALSE(link::parse_hello({link::kHello, {}}));
  std::vector<std::uint8_t> out(10000);
  EXPECT_EQ(link::write_hello(out, std::string(link::kHelloBytesMax + 1, ' ')), 0U);
}

TEST(Link, NoLetterIsAlsoOneOfSoupBinTcps) {
  for (const char letter : {'A', 'J', 'S', 'H', 'Z', '+', 'L', 'U', 'R', 'O'})
    EXPECT_FALSE(link::is_link_letter(letter));
  for (const char letter : {'n', 'h', 'w', 'x', 'c'}) EXPECT_TRUE(link::is_link_letter(letter));
}

TEST(ClOrdId, HoldsEpochAndSequenceInThirteenDigits) {
  const auto id = clordid::encode({37, 36 * 36 + 35});
  ASSERT_TRUE(id);
  EXPECT_EQ(clordid::to_text(*id), "000110000010Z ");
  EXPECT_EQ(clordid::decode(clordid::to_text(*id)), (clordid::Parts{37, 36 * 36 + 35}));
}

TEST(ClOrdId, TheLargestFitAndOneMoreDoesNot) {
  const clordid::Parts largest{clordid::kEpochLimit - 1, clordid::kSequenceLimit - 1};
  EXPECT_EQ(clordid::to_text(*clordid::encode(largest)), "ZZZZZZZZZZZZZ ");
  EXPECT_EQ(clordid::decode("ZZZZZZZZZZZZZ "), largest);
  EXPECT_FALSE(clordid::encode({clordid::kEpochLimit, 0}));
  EXPECT_FALSE(clordid::encode({0, clordid::kSequenceLimit}));
}

TEST(ClOrdId, WhatEncodeDidNotMakeIsNotDecoded) {
  for (const auto* text : {"", "000110000010Z", "000110000010Z0", "00011000001 Z ", "000110000010z "}) {
    EXPECT_FALSE(clordid::decode(text)) << text;
  }
}

}  // namespace
}  // namespace hft
