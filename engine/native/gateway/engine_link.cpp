// The conversation with one engine.
#include "gateway/engine_link.h"

#include <sys/random.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/files.h"
#include "base/signature.h"
#include "gateway/ouch_view.h"
#include "gateway/venue_session.h"

namespace hft::gateway {
namespace {

constexpr std::size_t kBufferBytes = 1 << 16;
constexpr std::size_t kUnsentBytesMax = 64 << 20;  // an engine that reads so slowly is better cut off

Hello hello_from(const Json& object) {
  Hello hello;
  hello.contract = text_at(object, "contract").value_or("");
  hello.slot = text_at(object, "slot").value_or("");
  hello.egress = text_at(object, "egress").value_or("");
  const auto ticket = object.find("ticket");
  hello.has_ticket = ticket != object.end() && !ticket->is_null();
  if (!hello.has_ticket || !ticket->is_object()) return hello;
  const auto host = text_at(*ticket, "host");
  const auto slot = text_at(*ticket, "slot");
  const auto nonce = text_at(*ticket, "nonce");
  const auto runs = approval_from(*ticket);
  const bool names_process =
      text_at(*ticket, "boot_id") && number_at(*ticket, "pid") && number_at(*ticket, "start_time");
  if (host && slot && nonce && runs && names_process && text_at(*ticket, "signature"))
    hello.ticket = Ticket{*host, *slot, *nonce, *runs};
  return hello;
}

}  // namespace

EngineLink::EngineLink(Hub& hub, base::Fd socket, std::uint64_t link_number)
    : number(link_number), hub_(hub), link_(kBufferBytes) {
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
  if (events & EPOLLOUT) flush();
  if (phase_ != Phase::ended && events & (EPOLLIN | EPOLLERR | EPOLLHUP)) receive();
}

void EngineLink::receive() {
  const auto io = link_.read(base::monotonic_ns());
  if (io == soup::Io::none) return;
  if (io == soup::Io::some) process();
  else close();
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
  if (packet.type == soup::kLogoutRequest) return close();
  if (packet.type == link::kHello && phase_ == Phase::hello) return on_hello(packet);
  if (packet.type == link::kClaim && phase_ > Phase::verifying) return on_claim(packet);
  if (packet.type == soup::kLoginRequest && phase_ == Phase::login) return on_login(packet);
  if (packet.type == soup::kUnsequenced && phase_ == Phase::open) {
    if (!on_order(packet.payload)) hold(packet.payload);
    return;
  }
  refuse_link(phase_ == Phase::claim ? Reason::claim_missing : Reason::protocol);
}

void EngineLink::on_hello(const soup::Packet& packet) {
  const auto text = link::parse_hello(packet);
  const auto object = text ? parse_object(*text) : std::nullopt;
  if (!object) return refuse_link(Reason::protocol);
  auto hello = hello_from(*object);
  slot_ = hello.slot;
  phase_ = Phase::verifying;
  if (!hello.ticket || hub_.gate.house.is_test || hub_.gate.house.is_drill_build)
    return on_verified(std::move(hello), false);
  auto ticket = (*object)["ticket"];
  const auto signature = text_at(ticket, "signature").value_or("");
  ticket.erase("signature");
  const base::Signed claim{hub_.config.host_signers, hello.ticket->host, "hft-ticket", canonical(ticket), signature};
  hub_.verifier.check(claim, [&hub = hub_, id = number, hello](bool is_signed) {
    const auto found = hub.links.find(id);
    if (found != hub.links.end()) found->second->on_verified(hello, is_signed);
  });
}

void EngineLink::on_verified(Hello hello, bool is_signed) {
  hello.is_signed = is_signed;
  const auto admitted = admit(hub_.gate.house, hello, base::hex(nonce_), hub_.is_slot_known(slot_));
  if (admitted.reason != Reason::ok) return refuse_link(admitted.reason);
  party_.egress = admitted.egress;
  party_.holder = admitted.holder;
  party_.runs = admitted.runs;
  phase_ = Phase::claim;
  hub_.audit_log.event("admit", line({}));
  send_json(link::kWelcome, welcome());
  process();
}

void EngineLink::on_claim(const soup::Packet& packet) {
  const auto epoch = link::parse_claim(packet);
  if (!epoch) return refuse_link(Reason::protocol);
  auto reason = judge_claim(hub_.gate, party_, *epoch, {party_.holder, "", ""});
  if (reason == Reason::ok && party_.egress != Egress::shadow && hub_.is_promotion_barred(slot_, party_.holder, *epoch))
    reason = Reason::latched;
  const bool raises = hub_.gate.house.is_test && *epoch > hub_.gate.epoch.highest();
  if (reason == Reason::ok && raises && party_.egress != Egress::shadow) reason = raise(*epoch);
  const auto prefix = clordid::encode({*epoch, 0});
  if (reason == Reason::ok && !prefix) reason = Reason::epoch_not_fenced;
  if (reason != Reason::ok) return refuse_link(reason);
  party_.is_claimed = true;
  party_.epoch = *epoch;
  party_.clordid_prefix = clordid::to_text(*prefix).substr(0, clordid::kEpochCharacters);
  phase_ = Phase::login;
  hub_.audit_log.event("claim", line({}));
  send_json(link::kWelcome, welcome());
}

// Where nobody signs fences, a claim is one.
Reason EngineLink::raise(std::uint64_t epoch) {
  const Fence fence{epoch, "", {}};
  base::Failure failure;
  const auto reason = hub_.fence(fence, failure);
  if (reason == Reason::ok) hub_.fenced(fence, "a claim");
  else hub_.not_fenced(fence, reason, failure);
  return reason;
}

Reason EngineLink::judge_login(const soup::LoginRequest& login, VenueSession*& found) const {
  for (const auto& session : hub_.sessions) {
    const auto& config = session->config;
    const bool is_open = std::find(config.slots.begin(), config.slots.end(), slot_) != config.slots.end();
    if (is_open && login.username == config.user && login.password == config.password) found = session.get();
  }
  if (found == nullptr) return Reason::login_account;
  // A stale engine must not take the session away from its successor.
  if (hub_.gate.is_epoch_enforced && hub_.gate.epoch.is_stale(party_.epoch) && party_.egress != Egress::shadow)
    return Reason::stale_epoch;
  if (!found->is_ready()) return Reason::venue_down;
  const bool is_session = login.session.empty() || login.session == found->session();
  const bool is_there = login.next_sequence == 0 || (login.next_sequence >= found->first_sequence() &&
                                                     login.next_sequence <= found->next_sequence());
  return is_session && is_there ? Reason::ok : Reason::login_session;
}

void EngineLink::on_login(const soup::Packet& packet) {
  const auto login = soup::parse_login_request(packet.payload);
  if (!login) return refuse_link(Reason::protocol);
  VenueSession* found = nullptr;
  const auto reason = judge_login(*login, found);
  if (reason == Reason::stale_epoch) return refuse_link(reason);
  if (reason != Reason::ok) {
    hub_.audit_log.refuse(line({}), reason);
    std::array<std::uint8_t, 8> answer;
    const char why = reason == Reason::login_account ? soup::kNotAuthorised : soup::kSessionNotAvailable;
    put(Bytes(answer).first(soup::write_login_rejected(answer, why)));
    return close();
  }
  session_ = found;
  phase_ = Phase::open;
  party_.last_urn = session_->account.orders.last_answered();
  hub_.audit_log.event("login", line({}));
  if (party_.egress != Egress::shadow) {
    if (session_->owner != nullptr) session_->owner->end(Reason::superseded);
    session_->owner = this;
    session_->last_holder = party_.holder;
  }
  welcome_login(login->next_sequence == 0 ? session_->next_sequence() : login->next_sequence);
}

void EngineLink::welcome_login(std::uint64_t next_sequence) {
  std::array<std::uint8_t, 64> answer;
  const soup::LoginAccepted accepted{session_->session(), next_sequence};
  put(Bytes(answer).first(soup::write(answer, accepted)));
  if (party_.egress == Egress::shadow || phase_ != Phase::open) return;
  put(session_->packets_from(next_sequence));
  std::array<std::uint8_t, 16> mark;
  put(Bytes(mark).first(link::write_replayed(mark, session_->next_sequence())));
}

bool EngineLink::on_order(Bytes payload) {
  Message message;
  const Moment moment{static_cast<std::int64_t>(base::monotonic_ns()), static_cast<std::int64_t>(base::realtime_ns()),
                      session_->is_ready()};
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

void EngineLink::deliver(Bytes packet) { put(packet); }

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
  hub_.audit_log.refuse(line({}), reason);
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
  if (!link_.flush(base::monotonic_ns()) || link_.unsent_bytes() > kUnsentBytesMax) return close();
  watch();
}

// Reads only while it may take packets: what waits, waits in the engine's socket.
void EngineLink::watch() {
  const bool is_reading = phase_ != Phase::verifying && held_.empty();
  const std::uint32_t events = (is_reading ? EPOLLIN : 0U) | (link_.unsent_bytes() == 0 ? 0U : EPOLLOUT);
  if (events == watched_) return;
  watched_ = events;
  hub_.loop.change(link_.fd(), events, *this);
}

void EngineLink::tick(std::int64_t now_ns) {
  if (phase_ == Phase::ended) return;
  const bool is_paused = !held_.empty() || phase_ == Phase::verifying;
  const auto now = static_cast<std::uint64_t>(now_ns);
  if (!is_paused && link_.is_silent(now, hub_.config.silence_ms * base::kNsPerMs)) return close();
  if (phase_ != Phase::open || !link_.owes_heartbeat(now, hub_.config.heartbeat_ms * base::kNsPerMs)) return;
  std::array<std::uint8_t, 8> packet;
  put(Bytes(packet).first(soup::write(packet, soup::kServerHeartbeat)));
}

void EngineLink::close() {
  if (phase_ == Phase::ended) return;
  phase_ = Phase::ended;
  hub_.audit_log.event("close", line({}));
  hub_.loop.remove(link_.fd());
  if (session_ != nullptr && session_->owner == this) session_->owner = nullptr;
  hub_.drop(*this);
}

}  // namespace hft::gateway
