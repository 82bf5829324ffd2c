// Fuzz: MoldUDP64; an accepted datagram, built again from its messages, must be the same bytes.
#include <vector>

#include "fuzz/report.h"
#include "wire/itch_decode.h"
#include "wire/mold.h"

namespace {

using namespace hft;

fuzz::Report report("mold");

void build_again(Bytes input, const mold::Packet& packet) {
  std::vector<std::uint8_t> out(input.size());
  mold::Builder builder(out, packet.session, packet.sequence);
  std::uint64_t next = packet.sequence;
  mold::for_each(packet, [&](std::uint64_t sequence, Bytes message) {
    fuzz::require(sequence == next++, "sequence numbers rise by one");
    fuzz::require(builder.add(message), "what came out fits in again");
    if (itch::check(message) == Reject::none) report.reached(static_cast<char>(message[0]));
  });
  const bool same = std::equal(input.begin(), input.end(), builder.datagram().begin(), builder.datagram().end());
  fuzz::require(same || packet.end_of_session, "messages make the datagram");
}

void cut_front(const mold::Packet& packet) {
  for (std::uint16_t messages = 0; messages <= packet.count && messages < 8; ++messages) {
    const auto rest = mold::without_front(packet, messages);
    fuzz::require(rest.count + messages == packet.count, "without_front keeps the rest");
    mold::for_each(rest, [](std::uint64_t, Bytes) {});
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  report.execution();
  const Bytes input{data, size};
  const auto packet = mold::parse(input);
  if (packet.why == Reject::none) {
    build_again(input, packet);
    cut_front(packet);
  }
  if (const auto request = mold::parse_request(input)) {
    const auto again = mold::encode(*request);
    fuzz::require(std::equal(again.begin(), again.end(), input.begin()), "fields make the request");
  }
  return 0;
}
