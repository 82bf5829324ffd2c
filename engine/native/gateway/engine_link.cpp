// The conversation with one engine.
#include "gateway/engine_link.h"

#include <sys/random.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/clock.h"
#include "base/files.h"
#include "gateway/ouch_view.h"
#include "gateway/venue_session.h"

namespace hft::gateway {
namespace {

constexpr std::size_t kBufferBytes = 1 << 16;
constexpr std::size_t kUnsentBytesMax = 64 << 20;  // an engine that reads so slowly is better cut off

}  // namespace

EngineLink::EngineLink(Hub& hub, base::Fd socket, std::uint64_t link_number)
    : number(link_number),
      hub_(hub),
      link_(kBufferBytes),
      peer_(base::peer_of(socket)),
      opened_ns_(base::monotonic_ns()),
      waiting_(opened_ns_) {
  base::die_with_silent_peer(socket, static_cast<int>(hub.config.silence_ms));
  link_.open(std::move(socket), base::monotonic_ns());
}

// A link that ended has left its session already, and is freed after it when the program stops.
EngineLink::~EngineLink() {
  if (phase_ != Phase::ended && session_ != nullptr && session_->owner == this) session_->owner = nullptr;
}

std::string_view EngineLink::phase_name() const {
  constexpr std::string_view kNames[] = {"hello", "verifying", "claim", "login", "open", "ended"};
  return kNames[static_cast<std::size_t>(phase_)];
}

std::string_view EngineLink::account_name() const {
  return session_ == nullptr ? std::string_view() : std::string_view(session_->account.name);
}

void EngineLink::start() {
  if (::getrandom(nonce_.data(), nonce_.size(), 0) != static_cast<ssize_t>(nonce_.size()) ||
      !hub_.loop.add(link_.fd(), EPOLLIN, *this))
    return close();
  std::array<std::uint8_t, 64> packet;
  put(Bytes(packet).first(link::write_nonce(packet, nonce_)));
}

void EngineLink::on_events(std::uint32_t events) {
  if (phase_ == Phase::ended) return;
  if (events & EPOLLOUT) {
    flush();
    if (phase_ == Phase::open) stream();
  }
  if (phase_ != Phase::ended && events & (EPOLLIN | EPOLLERR | EPOLLHUP)) receive();
}

void EngineLink::receive() {
  waiting_.readable(hub_.loop.round(), hub_.loop.waited_before_ns());
  const auto now = base::monotonic_ns();
  const auto space = link_.space();
  const auto got = ::recv(link_.fd(), space.data(), space.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return lost();
  if (static_cast<std::size_t>(got) < space.size()) waiting_.drained(now);
  link_.took(static_cast<std::size_t>(got), now);
  process();
}

bool EngineLink::has_unread() const {
  char byte = 0;
  return phase_ != Phase::ended && is_reading() && ::recv(link_.fd(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) > 0;
}

// Takes packets until there are none, one is held back, or the connection ended. Never runs inside itself.
void EngineLink::process() {
  if (is_processing_) return;
  is_processing_ = true;
  soup::Packet packet;
  while (phase_ != Phase::ended && phase_ != Phase::verifying && held_.empty()) {
    const auto result = link_.next(packet);
    if (result == soup::Got::need_more) break;
    if (result == soup::Got::broken) refuse_link(Reason::protocol);
    else on_packet(packet);
  }
  is_processing_ = false;
  if (phase_ != Phase::ended) watch();
}

void EngineLink::on_packet(const soup::Packet& packet) {
  if (packet.type == soup::kClientHeartbeat || packet.type == soup::kDebug) return;
  if (packet.type == soup::kLogoutRequest) {
    hub_.takeover.left(*this);
    return close();
  }
  if (packet.type == link::kBeat && phase_ > Phase::verifying) return on_beat(packet);
  if (packet.type == link::kHello && phase_ == Phase::hello) return on_hello(packet);
  if (packet.type == link::kClaim && phase_ > Phase::verifying) return on_claim(packet);
  if (packet.type == soup::kLoginRequest && phase_ == Phase::login) return on_login(packet);
  if (packet.type == soup::kUnsequenced && phase_ == Phase::open) {
    if (!on_order(packet.payload)) hold(packet.payload);
    return;
  }
  refuse_link(phase_ == Phase::claim ? Reason::claim_missing : Reason::protocol);
}

void EngineLink::on_beat(const soup::Packet& packet) {
  beat_ = link::parse_beat(packet);
  if (!beat_) return refuse_link(Reason::protocol);
  beat_ns_ = base::monotonic_ns();
  hub_.takeover.heard(*this);
}

void EngineLink::fenced_in(std::uint64_t epoch) {
  std::array<std::uint8_t, 16> packet;
  put(Bytes(packet).first(link::write_fenced_in(packet, epoch)));
}

bool EngineLink::on_order(Bytes payload) {
  Message message;
  const Moment moment{static_cast<std::int64_t>(base::monotonic_ns()), static_cast<std::int64_t>(base::realtime_ns()),
                      session_->is_ready(), waited_ns()};
  auto reason = read_message(payload, hub_.profile, message);
  if (reason == Reason::ok) reason = judge(hub_.gate, party_, session_->account, message, moment);
  bool is_held = false;
  if (reason == Reason::ok) reason = leave(message, payload, moment, is_held);
  if (is_held) return false;
  if (reason != Reason::ok) refuse(reason, message);
  return true;
}

// Logged, sent, remembered: in this order, so that a crash between any two leaves more in the log than outside.
Reason EngineLink::leave(const Message& message, Bytes payload, const Moment& moment, bool& is_held) {
  const auto entry = line(message);
  if (!hub_.audit_log.forward(entry) && judge_unlogged(message.kind) != Reason::ok) return Reason::log_unwritable;
  if (opens_risk(message.kind) && waited_ns() > hub_.gate.order_age_max_ns) {  // the disk took its time
    hub_.audit_log.event("not_sent", entry);
    return Reason::order_old;
  }
  const Bytes framed(payload.data() - soup::kFrameBytes, payload.size() + soup::kFrameBytes);
  const auto sent = session_->send(framed);
  if (sent == soup::Sent::all) {
    hub_.to_venue.record(static_cast<std::int64_t>(base::monotonic_ns() - link_.received_ns()));
    forwarded(hub_.gate, party_, session_->account, message, moment);
    return Reason::ok;
  }
  hub_.audit_log.event("not_sent", entry);
  is_held = sent == soup::Sent::none;
  return is_held || phase_ == Phase::ended ? Reason::ok : Reason::venue_down;
}

std::uint64_t EngineLink::waited_ns() const { return base::monotonic_ns() - waiting_.since_ns(); }

// The frame is kept with its header, because it leaves as it came.
void EngineLink::hold(Bytes payload) {
  held_.assign(payload.data() - soup::kFrameBytes, payload.data() + payload.size());
}

void EngineLink::resume() {
  if (phase_ != Phase::open) return;
  if (!held_.empty()) {
    if (!on_order(Bytes(held_).subspan(soup::kFrameBytes))) return;
    held_.clear();
  }
  if (phase_ == Phase::open) process();
}

void EngineLink::deliver(Bytes packet) {
  if (!replay_) put(packet);
}

LogLine EngineLink::line(const Message& message) const {
  LogLine entry;
  entry.session = account_name();
  entry.link = number;
  entry.party = party_.holder.empty() ? std::string_view(slot_) : std::string_view(party_.holder);
  entry.epoch = party_.epoch;
  entry.urn = message.urn;
  entry.type = message.type;
  entry.clordid = trimmed(message.clordid);
  return entry;
}

void EngineLink::refuse(Reason reason, const Message& message) {
  if (phase_ == Phase::ended) return;
  hub_.audit_log.refuse(line(message), reason);
  const auto& text = text_of(reason);
  send_json(link::kRefused, {{"code", text.code}, {"detail", text.sentence}, {"urn", message.urn}});
  if (closes(reason)) close();
}

void EngineLink::refuse_link(Reason reason) {
  if (phase_ == Phase::ended) return;
  if (is_stranger()) hub_.refuse_stranger(line({}), reason);
  else hub_.audit_log.refuse(line({}), reason);
  end(reason);
}

void EngineLink::end(Reason reason) {
  if (phase_ == Phase::ended) return;
  const auto& text = text_of(reason);
  send_json(link::kRefused, {{"code", text.code}, {"detail", text.sentence}});
  close();
}

Json EngineLink::welcome() const {
  auto accounts = Json::object();
  Json answer{{"session", ""}, {"next_urn", 1}};
  for (const auto& session : hub_.sessions) {
    const auto& slots = session->config.slots;
    if (std::find(slots.begin(), slots.end(), slot_) == slots.end()) continue;
    const auto next_urn = session->account.orders.last_urn() + 1;
    if (accounts.empty()) answer = {{"session", session->session()}, {"next_urn", next_urn}};
    accounts[session->account.name] = next_urn;
  }
  answer["accounts"] = accounts;
  if (hub_.config.beat_ms > 0) answer["beat_ms"] = hub_.config.beat_ms;
  return answer;
}

void EngineLink::send_json(char type, const Json& json) {
  const auto text = canonical(json);
  std::vector<std::uint8_t> packet(soup::kFrameBytes + text.size());
  put(Bytes(packet).first(soup::write(packet, type, as_bytes(text))));
}

void EngineLink::put(Bytes bytes) {
  if (phase_ == Phase::ended || bytes.empty()) return;
  link_.set_sent_ns(base::monotonic_ns());
  link_.queue(bytes);
  flush();
}

void EngineLink::flush() {
  if (!link_.flush(base::monotonic_ns())) return lost();
  if (link_.unsent_bytes() > kUnsentBytesMax) return close();
  watch();
}

// Reads only while it may take packets: what waits, waits in the engine's socket.
void EngineLink::watch() {
  const bool is_reading = phase_ != Phase::verifying && held_.empty();
  const std::uint32_t events = (is_reading ? EPOLLIN : 0U) | (link_.unsent_bytes() == 0 && !replay_ ? 0U : EPOLLOUT);
  if (events == watched_) return;
  if (is_reading && (watched_ & EPOLLIN) == 0) {
    waiting_.watched(hub_.loop.round());
    hub_.takeover.read_again(*this);
  }
  watched_ = events;
  hub_.loop.change(link_.fd(), events, *this);
}

void EngineLink::tick(std::int64_t now_ns) {
  if (phase_ == Phase::ended) return;
  const bool is_paused = !held_.empty() || phase_ == Phase::verifying;
  const auto now = static_cast<std::uint64_t>(now_ns);
  if (is_silent() && now - opened_ns_ > hub_.config.hello_ms * base::kNsPerMs) return refuse_link(Reason::hello_late);
  if (!is_paused && link_.is_silent(now, hub_.config.silence_ms * base::kNsPerMs)) return close();
  if (phase_ < Phase::claim || !link_.owes_heartbeat(now, hub_.config.heartbeat_ms * base::kNsPerMs)) return;
  std::array<std::uint8_t, 8> packet;
  put(Bytes(packet).first(soup::write(packet, soup::kServerHeartbeat)));
}

void EngineLink::lost() {
  if (phase_ != Phase::ended) hub_.takeover.ended(*this);
  close();
}

void EngineLink::close() {
  if (phase_ == Phase::ended) return;
  phase_ = Phase::ended;
  if (is_admitted_) hub_.audit_log.event("close", line({}));
  hub_.loop.remove(link_.fd());
  if (session_ != nullptr && session_->owner == this) session_->owner = nullptr;
  hub_.drop(*this);
}

}  // namespace hft::gateway
