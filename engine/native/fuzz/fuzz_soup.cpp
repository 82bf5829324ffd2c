// Fuzz: SoupBinTCP and the gateway link; a stream read in pieces must give the packets it gives in one piece.
#include <vector>

#include "fuzz/report.h"
#include "wire/clordid.h"
#include "wire/link.h"

namespace {

using namespace hft;

fuzz::Report report("soup");
constexpr std::size_t kRoom = 256;

struct Read {
  std::vector<std::uint8_t> packets;  // all packets, framed again
  bool broken = false;
  bool operator==(const Read&) const = default;
};

// Letters of either protocol; anything else frames just as well and is reported as one kind.
char kind_of(char type) {
  constexpr std::string_view kKnown = "AJSHZ+LURO";
  return kKnown.find(type) != std::string_view::npos || link::is_link_letter(type) ? type : '?';
}

void payloads(const soup::Packet& packet) {
  if (const auto login = soup::parse_login_request(packet.payload)) {
    std::array<std::uint8_t, 64> out;
    const auto used = soup::write(out, *login);
    const auto again = soup::parse_login_request(Bytes(out).subspan(soup::kFrameBytes, used - soup::kFrameBytes));
    fuzz::require(again && again->next_sequence == login->next_sequence && again->username == login->username,
                  "a login survives being written");
  }
  static_cast<void>(soup::parse_login_accepted(packet.payload));
  static_cast<void>(link::parse_nonce(packet));
  static_cast<void>(link::parse_hello(packet));
  static_cast<void>(link::parse_claim(packet));
  static_cast<void>(clordid::decode(as_text(packet.payload)));
}

Read read(Bytes stream, std::size_t piece, bool count) {
  std::array<std::uint8_t, kRoom> buffer;
  soup::Reader reader(buffer);
  Read read;
  while (!stream.empty() && !read.broken) {
    const auto space = reader.space();
    const auto size = std::min({piece, space.size(), stream.size()});
    fuzz::require(size > 0, "a reader that is not broken has room");
    std::copy_n(stream.begin(), size, space.begin());
    reader.commit(size);
    stream = stream.subspan(size);
    soup::Packet packet;
    soup::Got got;
    while ((got = reader.next(packet)) == soup::Got::packet) {
      if (count) report.reached(kind_of(packet.type)), payloads(packet);
      std::array<std::uint8_t, kRoom> frame;
      const auto used = soup::write(frame, packet.type, packet.payload);
      read.packets.insert(read.packets.end(), frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(used));
    }
    read.broken = got == soup::Got::broken;
  }
  return read;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  report.execution();
  if (size < 1) return 0;
  const Bytes stream{data + 1, size - 1};
  const Read whole = read(stream, kRoom, true);
  fuzz::require(whole == read(stream, 1 + data[0] % 32, false), "pieces do not matter");
  fuzz::require(std::equal(whole.packets.begin(), whole.packets.end(), stream.begin()), "frames make the stream");
  return 0;
}
