// Commands, the gateway session and what the core's moves ask for: the slow part of the hot loop.
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "core/documents.h"
#include "trader/event_loop.h"
#include "trader/host.h"
#include "trader/signals.h"
#include "wire/clordid.h"
#include "wire/link.h"

namespace hft::trader {
namespace {

constexpr std::uint64_t kKillPatienceNs = 250'000'000;
constexpr std::uint64_t kPromotePatienceNs = 15'000'000'000;

// A refusal as the gateway wrote it. It comes over a wire: whatever is missing or of a wrong type is left out.
core::LinkEvent refusal_in(Bytes payload) {
  core::LinkEvent refused;
  refused.what = core::LinkEvent::What::refused;
  const auto json = nlohmann::json::parse(as_text(payload), nullptr, false);
  if (!json.is_object()) return refused;
  const auto text = [&](const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  refused.code = text("code");
  refused.detail = text("detail");
  const auto urn = json.find("urn");
  const bool fits = urn != json.end() && urn->is_number_unsigned() && urn->get<std::uint64_t>() <= UINT32_MAX;
  if (fits) refused.urn = urn->get<std::uint32_t>();
  return refused;
}

}  // namespace

bool EventLoop::ask(Request* request) {
  if (!requests_.put(request)) return false;
  const std::uint64_t ring = 1;
  static_cast<void>(!write(parts_.wake_fd, &ring, sizeof ring));
  return true;
}

// Here and not by the admin thread: nothing that thread waits for may hold back the cancels.
bool EventLoop::take_kill_signal() {
  const std::uint32_t seen = g_kill_signals.load(std::memory_order_acquire);
  if (seen == kill_signals_) return false;
  kill_signals_ = seen;
  command(core::Verb::kill, core::kill_record(latch_by_signal(), 0));
  return true;
}

// Applies a command; the cancels of a kill or a drain are counted anew from here.
void EventLoop::command(core::Verb verb, std::string_view record) {
  if (verb == core::Verb::kill) g_egress_block.store(true);
  const std::uint64_t cleanups = core_.cleanup().number;
  input(Kind::admin, record);
  if (core_.cleanup().number != cleanups) cancels_left_ = 0;
  follow_core();
}

bool EventLoop::take_requests() {
  Request* request = nullptr;
  bool worked = false;
  while (requests_.take(request)) {
    serve(*request);
    worked = true;
  }
  if (promoting_ != nullptr && finish_waiting(*promoting_, core::Verb::promote)) promoting_ = nullptr;
  if (killing_ != nullptr && finish_waiting(*killing_, core::Verb::kill)) killing_ = nullptr;
  return worked;
}

void EventLoop::serve(Request& request) {
  request.since_ns = now_ns_;
  if (request.what == Request::What::digest) {
    request.state_digest = core_.state_digest();
    request.decision_digest = core_.decision_digest();
    request.book_digest = core_.market().book().digest();
  }
  if (request.what == Request::What::limits) input(Kind::limits, request.record);
  if (request.what == Request::What::command) {
    command(request.verb, request.record);
    request.answer = core_.answer();
    if (request.verb == core::Verb::enter && request.answer.ok()) request.answer.clordid = core_.last_clordid();
  }
  if (request.what == Request::What::command && request.answer.ok()) {
    if (request.verb == core::Verb::promote && core_.pending_epoch() != 0 && promoting_ == nullptr) {
      promoting_ = &request;
      return;
    }
    if (request.verb == core::Verb::kill && killing_ == nullptr) {
      killing_ = &request;
      return;
    }
    if (request.verb == core::Verb::stall) std::this_thread::sleep_for(std::chrono::milliseconds(request.stall_ms));
  }
  answer(request);
}

// A promotion ends ACTIVE or with its reason; a kill is told once its cancels are answered, or shortly after.
bool EventLoop::finish_waiting(Request& request, core::Verb verb) {
  if (verb == core::Verb::promote) {
    if (core_.pending_epoch() != 0 && now_ns_ - request.since_ns < kPromotePatienceNs) return false;
    if (!core::may_trade(core_.state())) {  // a loss of before may have led on to REDUCING at once
      request.answer = core_.promotion();
      if (request.answer.ok()) request.answer = {"gateway", "the promotion did not come to an end", 0, {}};
    }
  } else {
    const auto& cleanup = core_.cleanup();
    const bool answered =
        cancels_.empty() && core_.orders().count() == 0 && cleanup.cancels_sent >= cleanup.open_before;
    if (!answered && now_ns_ - request.since_ns < kKillPatienceNs) return false;
  }
  answer(request);
  return true;
}

void EventLoop::answer(Request& request) {
  request.after = snapshot();
  request.journal_offset = parts_.ring.shared().appended.load(std::memory_order_relaxed);
  request.done.store(true, std::memory_order_release);
}

core::Cleanup EventLoop::cleanup() const {
  core::Cleanup done = core_.cleanup();
  done.cancels_sent = cancels_left_;
  return done;
}

Snapshot EventLoop::snapshot() const {
  Snapshot shot;
  shot.state = core_.state();
  shot.epoch = core_.epoch();
  shot.highest_epoch = core_.highest_epoch();
  shot.latch = core_.latch();
  if (const auto* limits = core_.limits()) {
    shot.limits_serial = limits->serial;
    shot.limits_not_after_utc_ns = limits->not_after_utc_ns;
    shot.limits_digest = limits->digest;
  }
  shot.feed_fresh = core_.feed_fresh();
  shot.feed_gapped = core_.feed().gapped || core_.feed().lost;
  shot.feed_next_sequence = core_.feed().next_sequence;
  shot.connected = session_.is_open() && core_.link_ready();
  shot.positions = core_.ledger().positions();
  shot.open_orders = core_.orders().count();
  shot.input_seq = recorder_.last_input_seq();
  shot.cleanup = cleanup();
  shot.drained_in_time = core_.drained_in_time();
  return shot;
}

// What the core's state asks of the session: claim an epoch, hang up, let orders out again after an unkill.
void EventLoop::follow_core() {
  // In these states nothing could leave anyway; a kill that is on its way sets the flag again.
  const bool idle = core_.state() == core::State::syncing || core_.state() == core::State::standby;
  if (idle && !core_.latch().set) g_egress_block.store(false);
  if (core_.pending_epoch() != 0 && !connecting_ && !session_.is_open()) {
    if (std::exchange(linking_, false)) parts_.connector.cancel();
    connecting_ = true;
    ConnectOrder order{core_.pending_epoch(), core_.session(), core_.next_response(), false};
    if (link_.is_open()) order.link = std::exchange(link_, soup::Session());
    parts_.connector.connect(std::move(order));
  }
  if (session_.is_open() && core_.epoch() == 0) {
    static_cast<void>(session_.send(soup::kLogoutRequest, {}, now_ns_));  // who leaves on purpose is not dead
    session_.close();
  }
  follow_link();
  for (const std::uint32_t urn : core_.take_aged()) {
    const std::array<std::uint32_t, 2> record{urn, 0};
    input(Kind::egress, bytes_of(record));
  }
  if (connecting_ && core_.pending_epoch() == 0 && core_.epoch() == 0) {
    connecting_ = false;
    parts_.connector.cancel();
  }
}

bool EventLoop::take_connected() {
  Connected connected;
  if (!parts_.connector.take(connected)) return false;
  if (connected.event.epoch == 0) return take_link(connected);
  const std::uint64_t wanted = core_.pending_epoch() != 0 ? core_.pending_epoch() : core_.epoch();
  if (!connecting_ || wanted != connected.event.epoch) return true;
  connecting_ = false;
  if (connected.session) {
    session_ = std::move(*connected.session);
    session_.set_sent_ns(now_ns_);
    beat_every_ns_ = connected.beat_ms * base::kNsPerMs;
    const std::uint64_t epoch = connected.event.epoch;
    input(Kind::epoch, bytes_of(epoch));
  }
  input(Kind::link, core::link_record(connected.event));
  follow_core();
  return true;
}

void EventLoop::lost_session() {
  if (!session_.is_open()) return;
  session_.close();
  orders_.clear();  // unanswered intents go out again from the core's own list
  cancels_.clear();
  core::LinkEvent down;
  down.epoch = core_.epoch();
  input(Kind::link, core::link_record(down));
  follow_core();
  if (core_.epoch() == 0 || connecting_) return;
  connecting_ = true;
  parts_.connector.connect({core_.epoch(), core_.session(), core_.next_response(), true});
}

bool EventLoop::receive_gateway() {
  if (!session_.is_open()) return false;
  bool worked = false;
  const bool alive = session_.receive(now_ns_, [&](const soup::Packet& packet) {
    worked = true;
    on_packet(packet);
  });
  if (!alive) lost_session();
  return worked;
}

void EventLoop::on_packet(const soup::Packet& packet) {
  if (packet.type == soup::kSequenced) {
    const auto before = core_.state();
    input(Kind::response, std::as_bytes(packet.payload));
    if (core_.state() != before) follow_core();
  } else if (packet.type == soup::kEndOfSession) {
    lost_session();
  } else if (packet.type == link::kReplayed) {
    const auto next_response = link::parse_replayed(packet);
    if (!next_response) return lost_session();
    core::LinkEvent mark;
    mark.what = core::LinkEvent::What::replayed;
    mark.next_response = *next_response;
    input(Kind::link, core::link_record(mark));
    follow_core();
  } else if (packet.type == link::kRefused) {
    core::LinkEvent refused = refusal_in(packet.payload);
    refused.epoch = core_.epoch();
    input(Kind::link, core::link_record(refused));
    follow_core();
  }
}

}  // namespace hft::trader
