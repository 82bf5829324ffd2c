// Reading orders and answering them; the stamp is taken before anything else is done with the bytes.
#include "load/venue_end.h"

#include <linux/net_tstamp.h>
#include <sys/socket.h>
#include <time.h>

#include <array>
#include <cerrno>

#include "base/clock.h"
#include "wire/link.h"

namespace hft::load {

namespace {

constexpr std::string_view kSession = "LOAD000001";
constexpr std::uint64_t kDayNs = 86'400ULL * 1'000'000'000ULL;

// Kernel stamps are real time, schedules are monotonic. The difference is read again for each stamp: two clock
// calls of some 20 ns each, against a drift that would otherwise grow with the run.
std::uint64_t to_monotonic(std::uint64_t realtime_ns) {
  return realtime_ns - (base::realtime_ns() - base::monotonic_ns());
}

}  // namespace

VenueEnd::VenueEnd(const VenueEndPlan& plan, OnOrder on_order)
    : plan_(plan), on_order_(std::move(on_order)), listener_(base::listen_tcp(plan.at)) {}

bool VenueEnd::poll(std::uint64_t now_ns) {
  if (!peer_.is_open()) {
    peer_.open(base::accept_from(listener_), now_ns);
    if (!peer_.is_open()) return false;
    if (plan_.kernel_stamps) {
      const int flags = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
      ::setsockopt(peer_.fd(), SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof flags);
    }
    if (plan_.link) put(link::kNonce, link::Nonce{});
    flush();
    last_said_ns_ = now_ns;
    return true;
  }
  std::uint64_t stamp_ns = 0;
  const ssize_t got = receive(peer_.space(), stamp_ns);
  if (got < 0) return false;
  if (got == 0) {
    lost_ = true;
    return false;
  }
  peer_.took(static_cast<std::size_t>(got), now_ns);
  soup::Packet packet;
  while (peer_.next(packet) == soup::Got::packet) take(packet, stamp_ns);
  flush();
  return true;
}

ssize_t VenueEnd::receive(MutableBytes space, std::uint64_t& stamp_ns) {
  if (!plan_.kernel_stamps) {
    const ssize_t got = ::recv(peer_.fd(), space.data(), space.size(), 0);
    stamp_ns = base::monotonic_ns();
    return got;
  }
  std::array<char, 128> control;
  iovec part{space.data(), space.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = ::recvmsg(peer_.fd(), &message, 0);
  stamp_ns = base::monotonic_ns();
  for (cmsghdr* at = CMSG_FIRSTHDR(&message); got > 0 && at != nullptr; at = CMSG_NXTHDR(&message, at)) {
    if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SO_TIMESTAMPING) continue;
    timespec stamp;  // the first of three: the software stamp (Documentation/networking/timestamping.rst)
    std::memcpy(&stamp, CMSG_DATA(at), sizeof stamp);
    if (stamp.tv_sec != 0) {
      stamp_ns = to_monotonic(static_cast<std::uint64_t>(stamp.tv_sec) * 1'000'000'000ULL +
                              static_cast<std::uint64_t>(stamp.tv_nsec));
    }
  }
  return got;
}

void VenueEnd::take(const soup::Packet& packet, std::uint64_t stamp_ns) {
  switch (packet.type) {
    case soup::kUnsequenced: {
      const auto message = ouch::decode_inbound(packet.payload, plan_.profile);
      if (message.is<ouch::EnterOrder>()) return order(message.as<ouch::EnterOrder>(), stamp_ns);
      ++others_;
      if (!message.is<ouch::AccountQuery>()) return;
      std::array<std::uint8_t, 64> bytes;
      ouch::Encoder<ouch::QueryResponse> answer(bytes, plan_.profile);
      answer.set(ouch::QueryResponse::next_urn, last_urn_ + 1);
      return put(soup::kSequenced, answer.bytes());
    }
    case soup::kLoginRequest: {
      std::array<std::uint8_t, 64> bytes;
      const std::size_t used = soup::write(bytes, soup::LoginAccepted{kSession, sequence_});
      peer_.queue(Bytes(bytes).first(used));
      logged_in_ = true;
      if (!plan_.link) return;
      std::array<std::uint8_t, link::kReplayedBytes> mark;
      store_be<link::kReplayedBytes>(mark.data(), sequence_);
      return put(link::kReplayed, mark);
    }
    case link::kHello:
    case link::kClaim: return put(link::kWelcome, as_bytes(R"({"next_urn":1,"session":"LOAD000001"})"));
    default: return;
  }
}

void VenueEnd::order(View<ouch::EnterOrder> order, std::uint64_t stamp_ns) {
  using ouch::Accepted;
  using ouch::EnterOrder;
  using ouch::Executed;
  const std::uint32_t urn = order[EnterOrder::urn];
  ++orders_;
  last_urn_ = std::max(last_urn_, urn);
  on_order_({order[EnterOrder::symbol], order[EnterOrder::price], urn, stamp_ns});
  std::array<std::uint8_t, 128> bytes;
  ouch::Encoder<Accepted> accepted(bytes, plan_.profile);
  accepted.set(ouch::timestamp, base::realtime_ns() % kDayNs)
      .set(Accepted::urn, urn)
      .set(Accepted::side, order[EnterOrder::side])
      .set(Accepted::quantity, order[EnterOrder::quantity])
      .set(Accepted::symbol, order[EnterOrder::symbol])
      .set(Accepted::price, order[EnterOrder::price])
      .set(Accepted::time_in_force, order[EnterOrder::time_in_force])
      .set(Accepted::display, order[EnterOrder::display])
      .set(Accepted::order_reference, orders_)
      .set(Accepted::capacity, order[EnterOrder::capacity])
      .set(Accepted::sweep, order[EnterOrder::sweep])
      .set(Accepted::cross_type, order[EnterOrder::cross_type])
      .set(Accepted::state, 'L')
      .set(Accepted::clordid, order[EnterOrder::clordid]);
  put(soup::kSequenced, accepted.bytes());
  ++answered_;
  if (!plan_.fills) return;
  ouch::Encoder<Executed> executed(bytes, plan_.profile);
  executed.set(ouch::timestamp, base::realtime_ns() % kDayNs)
      .set(Executed::urn, urn)
      .set(Executed::quantity, order[EnterOrder::quantity])
      .set(Executed::price, order[EnterOrder::price])
      .set(Executed::liquidity, 'R')
      .set(Executed::match, ++matches_);
  put(soup::kSequenced, executed.bytes());
}

void VenueEnd::put(char type, Bytes payload) {
  std::array<std::uint8_t, 256> packet;
  const std::size_t used = soup::write(packet, type, payload);
  peer_.queue(Bytes(packet).first(used));
  if (type == soup::kSequenced) ++sequence_;
}

void VenueEnd::flush() {
  static_cast<void>(peer_.flush(base::monotonic_ns()));  // a peer that is gone shows when it is read
}

void VenueEnd::say_heartbeat(std::uint64_t now_ns) {
  if (!peer_.is_open() || !logged_in_ || now_ns - last_said_ns_ < soup::kHeartbeatEveryMs * 1'000'000) return;
  last_said_ns_ = now_ns;
  put(soup::kServerHeartbeat, {});
  flush();
}

}  // namespace hft::load
