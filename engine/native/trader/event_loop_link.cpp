// What a standby has at the gateway: an admitted link that has claimed nothing, beats on it, and the word that this
// engine has been fenced in. The beats of a session that trades are the same ones.
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/clock.h"
#include "trader/event_loop.h"
#include "wire/link.h"

namespace hft::trader {
namespace {

constexpr std::uint64_t kLinkPauseNs = 100'000'000;
constexpr std::uint64_t kHeartbeatNs = 500'000'000;  // a link on which nothing is said is taken for dead

// As if a person had promoted it, for the journal: an epoch that the gateway has made durable for this engine.
std::string promote_record(std::uint64_t epoch) {
  return nlohmann::json{{"uid", getuid()},
                        {"pid", getpid()},
                        {"by", "the gateway, by a succession"},
                        {"request", {{"verb", "promote"}, {"epoch", epoch}}}}
      .dump();
}

}  // namespace

void EventLoop::follow_link() {
  const auto state = core_.state();
  const bool may_wait = state == core::State::syncing || state == core::State::standby || state == core::State::halted;
  const bool wants = parts_.config.has_standby_link && may_wait && core_.epoch() == 0 && core_.pending_epoch() == 0 &&
                     !connecting_ && !session_.is_open();
  if (!wants) {
    if (!connecting_ && std::exchange(linking_, false)) parts_.connector.cancel();
    if (link_.is_open()) link_.close();
    return;
  }
  if (link_.is_open() || linking_ || now_ns_ - link_asked_ns_ < kLinkPauseNs) return;
  linking_ = true;
  link_asked_ns_ = now_ns_;
  parts_.connector.connect({});
}

bool EventLoop::take_link(Connected& connected) {
  if (!std::exchange(linking_, false) || !connected.session) return true;
  link_ = std::move(*connected.session);
  link_.set_sent_ns(now_ns_);
  beat_every_ns_ = connected.beat_ms * base::kNsPerMs;
  beat_ns_ = 0;
  return true;
}

bool EventLoop::receive_link() {
  if (!link_.is_open()) return false;
  std::uint64_t epoch = 0;
  bool worked = false;
  const bool is_alive = link_.receive(now_ns_, [&](const soup::Packet& packet) {
    worked = true;
    if (packet.type == link::kFencedIn) epoch = link::parse_fenced_in(packet).value_or(0);
  });
  if (!is_alive || !link_.flush(now_ns_) ||
      link_.is_silent(now_ns_, parts_.config.link_silence_max_ms * base::kNsPerMs))
    link_.close();
  if (epoch != 0) command(core::Verb::promote, promote_record(epoch));
  return worked;
}

// From the hot loop alone, so that it is this loop that is heard.
void EventLoop::beat() {
  const bool is_trading = session_.is_open();
  if (!is_trading && !link_.is_open()) return;
  const bool is_asked = beat_every_ns_ != 0;
  const auto every = is_trading || is_asked ? beat_every_ns_ : kHeartbeatNs;
  if (every == 0 || now_ns_ - beat_ns_ < every) return;
  beat_ns_ = now_ns_;
  const link::Beat said{core_.state() == core::State::standby, core_.feed_fresh(), core_.latch().set,
                        core_.feed().next_sequence};
  std::array<std::uint8_t, 16> packet;
  const auto length = is_asked ? link::write_beat(packet, said) : soup::write(packet, soup::kClientHeartbeat);
  const auto sent = (is_trading ? session_ : link_).send(Bytes(packet).first(length), now_ns_);
  if (sent != soup::Sent::broken) return;
  if (is_trading) lost_session();
  else link_.close();
}

}  // namespace hft::trader
