// The relay's loop: both lines, then the answers, then whatever the idle strategy says.
#include "load/relay.h"

#include <sys/socket.h>

#include <cerrno>
#include <stdexcept>

#include "base/clock.h"
#include "base/thread.h"
#include "load/stimulus.h"
#include "wire/clordid.h"
#include "wire/ouch_codec.h"
#include "wire/soup.h"

namespace hft::load {

namespace {
constexpr std::uint64_t kHeartbeatEveryNs = 1'000'000'000;
constexpr std::size_t kMessageAt = mold::kHeaderBytes + mold::kBlockHeaderBytes;

void send_all(const base::Fd& to, Bytes bytes) {
  const ssize_t put = ::send(to.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (put != static_cast<ssize_t>(bytes.size())) throw std::runtime_error("the peer does not take orders any more");
}

trader::EngineConfig feeds_of(const RelayPlan& plan) {
  trader::EngineConfig config;
  if (plan.lines.size() > config.feeds.size()) throw std::runtime_error("an engine has two lines at most");
  for (std::size_t i = 0; i < plan.lines.size(); ++i) {
    config.feeds[i] = trader::FeedLine{plan.lines[i].host, plan.interface, plan.lines[i].port};
  }
  return config;
}
}  // namespace

Relay::Relay(const RelayPlan& plan)
    : plan_(plan), feed_(feeds_of(plan)), peer_(base::connect_tcp(plan.to, 5000)), waiter_(plan.idle) {
  using ouch::EnterOrder;
  std::array<std::uint8_t, 64> message;
  ouch::Encoder<EnterOrder> encoder(message, ouch::Profile::ouch5_2023_05);
  encoder.set(EnterOrder::side, 'B')
      .set(EnterOrder::quantity, 100)
      .set(EnterOrder::time_in_force, '0')
      .set(EnterOrder::display, 'Y')
      .set(EnterOrder::capacity, 'P')
      .set(EnterOrder::sweep, 'N')
      .set(EnterOrder::cross_type, 'N')
      .set(EnterOrder::clordid, clordid::to_text(*clordid::encode({1, 0})));
  order_bytes_ = soup::write(order_, soup::kUnsequenced, encoder.bytes());
}

void Relay::forward(const std::uint8_t* datagram) {
  const View<itch::AddOrder> trigger(datagram + kMessageAt);
  std::uint8_t* order = order_.data() + soup::kFrameBytes;
  ouch::EnterOrder::urn.store(order, ++urn_);
  ouch::EnterOrder::symbol.store(order, trigger[itch::AddOrder::stock]);
  ouch::EnterOrder::price.store(order, trigger[itch::AddOrder::price]);
  send_all(peer_, Bytes(order_).first(order_bytes_));
  ++counts_.triggers;
}

bool Relay::take_line(feed::Line line) {
  const auto received = feed_.receive(line);
  if (!received) return false;
  const Bytes datagram = received->bytes;
  ++counts_.datagrams;
  if (datagram.size() != kTriggerDatagramBytes) return true;
  const bool trigger = datagram[kMessageAt] == itch::AddOrder::type &&
                       itch::tracking.load(datagram.data() + kMessageAt) == kTriggerTracking;
  if (!trigger) return true;
  const std::uint64_t sequence = mold::sequence.load(datagram.data());
  if (sequence <= last_sequence_) return ++counts_.repeats, true;
  last_sequence_ = sequence;
  forward(datagram.data());
  return true;
}

bool Relay::take_answers() {
  std::array<std::uint8_t, 4096> answers;
  const ssize_t got = ::recv(peer_.get(), answers.data(), answers.size(), 0);
  if (got == 0) closed_ = true;
  if (got > 0) counts_.bytes_back += static_cast<std::uint64_t>(got);
  return got > 0;
}

RelayCounts Relay::run(const volatile int* stop) {
  base::pin_to_cpu(plan_.cpu);
  std::array<std::uint8_t, 64> packet;
  send_all(peer_, Bytes(packet).first(soup::write(packet, soup::LoginRequest{"RELAY", "", "", 1})));
  std::uint64_t said_ns = base::monotonic_ns();
  while (*stop == 0 && !closed_) {
    bool worked = false;
    for (const feed::Line line : {feed::Line::a, feed::Line::b}) worked = take_line(line) || worked;
    worked = take_answers() || worked;
    if (const std::uint64_t now = base::monotonic_ns(); now - said_ns > kHeartbeatEveryNs) {
      said_ns = now;
      send_all(peer_, Bytes(packet).first(soup::write(packet, soup::kClientHeartbeat)));
    }
    if (worked) waiter_.worked();
    else waiter_.wait(kHeartbeatEveryNs);
  }
  return counts_;
}

}  // namespace hft::load
