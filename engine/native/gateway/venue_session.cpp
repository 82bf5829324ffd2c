// Connecting, logging in, replaying and keeping a venue session alive.
#include "gateway/venue_session.h"

#include "gateway/engine_link.h"
#include "gateway/ouch_view.h"

namespace hft::gateway {
namespace {

constexpr std::size_t BUFFER_BYTES = 1 << 17;
constexpr std::int64_t NS_PER_MS = 1'000'000;

std::string_view as_chars(Bytes bytes) { return as_text(bytes); }

}  // namespace

VenueSession::VenueSession(Hub& hub, const AccountConfig& account_config)
    : config(account_config), hub_(hub), buffer_(BUFFER_BYTES), reader_(buffer_) {
  account.name = config.name;
  account.strategy = config.strategy;
}

std::string_view VenueSession::phase_name() const {
  constexpr std::string_view NAMES[] = {"down", "reading_epoch", "connecting", "logging_in", "replaying", "ready"};
  return NAMES[static_cast<std::size_t>(phase_)];
}

Bytes VenueSession::packets_from(std::uint64_t sequence) const {
  const auto index = sequence - first_sequence_;
  const auto begin = index == 0 ? 0 : packet_ends_[index - 1];
  return as_bytes(std::string_view(packets_).substr(begin));
}

void VenueSession::tick(std::int64_t now_ns) {
  if (phase_ == Phase::down) {
    if (!hub_.is_active || now_ns < retry_ns_) return;
    phase_ = Phase::reading_epoch;
    hub_.reread_epoch([this](bool is_read) { is_read ? connect() : lost("the epoch source was not read"); });
    return;
  }
  if (phase_ == Phase::reading_epoch) return;
  if (now_ns - received_ns_ > static_cast<std::int64_t>(hub_.config.silence_ms) * NS_PER_MS)
    return lost("the venue was silent for too long");
  const bool is_speaking = phase_ == Phase::replaying || phase_ == Phase::ready;
  if (is_speaking && now_ns - sent_ns_ >= static_cast<std::int64_t>(hub_.config.heartbeat_ms) * NS_PER_MS)
    send_own(soup::kClientHeartbeat);
}

void VenueSession::connect() {
  socket_ = connect_tcp(config.venue);
  received_ns_ = sent_ns_ = monotonic_ns();
  reader_.reset();
  unsent_.clear();
  phase_ = Phase::connecting;
  if (!socket_ || !hub_.loop.add(socket_.get(), EPOLLIN | EPOLLOUT, *this)) lost("cannot connect");
}

void VenueSession::on_events(std::uint32_t events) {
  if (!socket_) return;
  if (phase_ == Phase::connecting) {
    if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) on_connected();
    return;
  }
  if (events & EPOLLOUT) flush();
  if (socket_ && events & (EPOLLIN | EPOLLERR | EPOLLHUP)) receive();
}

void VenueSession::on_connected() {
  if (error_of(socket_.get()) != 0) return lost("the venue refused the connection");
  phase_ = Phase::logging_in;
  watch(false);
  std::array<std::uint8_t, 64> packet;
  const auto from = is_finding_head_ ? 0 : next_sequence();
  const soup::LoginRequest login{config.venue_user, config.venue_password, session_, from};
  send(Bytes(packet).first(soup::write(packet, login)));
}

void VenueSession::receive() {
  const auto space = reader_.space();
  const auto got = ::recv(socket_.get(), space.data(), space.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return lost(got == 0 ? "the venue closed the connection" : "the connection broke");
  received_ns_ = monotonic_ns();
  reader_.commit(static_cast<std::size_t>(got));
  soup::Packet packet;
  while (socket_) {
    const auto result = reader_.next(packet);
    if (result == soup::Got::need_more) return;
    if (result == soup::Got::broken) return lost("the venue's framing is broken");
    on_packet(packet, received_ns_);
  }
}

void VenueSession::on_packet(const soup::Packet& packet, std::int64_t received_ns) {
  switch (packet.type) {
    case soup::kLoginAccepted: return on_login(packet);
    case soup::kLoginRejected:
      session_.clear();  // perhaps the venue has begun another session
      return lost("the venue refused the login");
    case soup::kSequenced: return on_sequenced(packet, received_ns);
    case soup::kEndOfSession: return lost("the venue ended the session");
    default: return;
  }
}

void VenueSession::on_login(const soup::Packet& packet) {
  const auto accepted = soup::parse_login_accepted(packet.payload);
  if (!accepted || phase_ != Phase::logging_in) return lost("the login was answered with something else");
  const bool is_other_day = !session_.empty() && accepted->session != session_;
  session_ = accepted->session;
  if (is_other_day) forget_day(1);
  if (is_finding_head_) return on_head(accepted->next_sequence);
  if (accepted->next_sequence != next_sequence()) forget_day(accepted->next_sequence);
  start_replay();
}

void VenueSession::on_head(std::uint64_t head) {
  if (head < next_sequence()) forget_day(1);  // the venue knows less than we do: it lost the day
  head_ = head;
  is_finding_head_ = false;
  if (head == next_sequence()) return start_replay();
  hub_.loop.remove(socket_.get());
  connect();
}

void VenueSession::start_replay() {
  phase_ = Phase::replaying;
  std::array<std::uint8_t, 8> query;
  ouch::Encoder<ouch::AccountQuery> encoder(query, hub_.profile);
  send_own(soup::kUnsequenced, encoder.bytes());
}

void VenueSession::on_sequenced(const soup::Packet& packet, std::int64_t received_ns) {
  const Bytes framed(packet.payload.data() - soup::kFrameBytes, packet.payload.size() + soup::kFrameBytes);
  packets_.append(as_chars(framed));
  packet_ends_.push_back(packets_.size());
  const bool is_answer = apply_response(account.orders, packet.payload);
  const bool is_caught_up = is_answer && next_sequence() > head_;
  if (owner != nullptr) {
    owner->deliver(framed);
    hub_.to_engine.record(monotonic_ns() - received_ns);
  }
  if (!is_caught_up || phase_ != Phase::replaying) return;
  phase_ = Phase::ready;
  hub_.ledger.event("venue_ready", {.session = account.name, .urn = account.orders.last_urn()});
  hub_.catch_up(*this);
}

// Another trading day, or a venue that lost its history: nothing of what we knew is open.
void VenueSession::forget_day(std::uint64_t first_sequence) {
  first_sequence_ = first_sequence;
  packets_.clear();
  packet_ends_.clear();
  account.orders = Orders();
}

Sent VenueSession::send(Bytes packet) {
  if (!socket_) return Sent::broken;
  if (!unsent_.empty()) return Sent::none;
  const auto put = ::send(socket_.get(), packet.data(), packet.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (put == static_cast<ssize_t>(packet.size())) {
    sent_ns_ = monotonic_ns();
    return Sent::all;
  }
  if (put < 0 && errno != EAGAIN && errno != EINTR) {
    lost("the connection broke");
    return Sent::broken;
  }
  watch(true);
  if (put <= 0) return Sent::none;
  unsent_ = as_chars(packet.subspan(static_cast<std::size_t>(put)));  // half out: it counts as sent
  return Sent::all;
}

void VenueSession::send_own(char type, Bytes payload) {
  std::array<std::uint8_t, 128> packet;
  const auto length = soup::write(packet, type, payload);
  if (!socket_ || length == 0) return;
  const auto framed = Bytes(packet).first(length);
  if (send(framed) == Sent::none) unsent_.append(as_chars(framed));
}

bool VenueSession::cancel(const OpenOrder& order) {
  if (!is_ready()) return false;
  std::array<std::uint8_t, 16> message;
  ouch::Encoder<ouch::CancelOrder> encoder(message, hub_.profile);
  encoder.set(ouch::CancelOrder::urn, order.urn).set(ouch::CancelOrder::quantity, 0);
  send_own(soup::kUnsequenced, encoder.bytes());
  return true;
}

void VenueSession::flush() {
  if (!unsent_.empty()) {
    const auto put = ::send(socket_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put < 0 && errno != EAGAIN && errno != EINTR) return lost("the connection broke");
    if (put > 0) unsent_.erase(0, static_cast<std::size_t>(put));
    if (!unsent_.empty()) return;
  }
  sent_ns_ = monotonic_ns();
  watch(false);
  if (owner != nullptr) owner->resume();
}

void VenueSession::watch(bool is_writing) {
  hub_.loop.change(socket_.get(), is_writing ? EPOLLIN | EPOLLOUT : EPOLLIN, *this);
}

void VenueSession::logout() {
  if (is_ready()) send_own(soup::kLogoutRequest);
}

void VenueSession::lost(std::string_view why) {
  if (socket_) hub_.loop.remove(socket_.get());
  socket_.reset();
  account.orders.forget_unanswered();
  phase_ = Phase::down;
  is_finding_head_ = true;
  retry_ns_ = monotonic_ns() + static_cast<std::int64_t>(hub_.config.reconnect_ms) * NS_PER_MS;
  hub_.ledger.event("venue_down", {.session = account.name, .reason = Reason::venue_down, .detail = why});
  if (owner != nullptr) owner->end(Reason::venue_down);
}

}  // namespace hft::gateway
