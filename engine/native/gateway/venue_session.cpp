// Connecting, logging in, replaying and keeping a venue session alive.
#include "gateway/venue_session.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/net.h"
#include "gateway/engine_link.h"
#include "gateway/ouch_view.h"

namespace hft::gateway {
namespace {

// What the kernel holds for the venue no fence can call back, so it may hold little.
constexpr int kVenueSendBytes = 1 << 16;

}  // namespace

VenueSession::VenueSession(Hub& hub, const AccountConfig& account_config) : config(account_config), hub_(hub) {
  account.name = config.name;
  account.strategy = config.strategy;
}

std::string_view VenueSession::phase_name() const {
  if (phase_ == Phase::down && backoff_.is_over()) return "rejected";
  constexpr std::string_view kNames[] = {"down", "connecting", "logging_in", "replaying", "ready"};
  return kNames[static_cast<std::size_t>(phase_)];
}

void VenueSession::tick(std::int64_t now_ns) {
  if (phase_ == Phase::down) {
    if (!hub_.is_active || now_ns < retry_ns_ || backoff_.is_over()) return;
    return hub_.reread_epoch() ? connect() : lost("the epoch source was not read");
  }
  const auto now = static_cast<std::uint64_t>(now_ns);
  if (link_.is_silent(now, hub_.config.silence_ms * base::kNsPerMs)) return lost("the venue was silent for too long");
  if (is_stuck(now))
    return lost("what was sent waited for longer than order_age_max_ms; reset, so that it never arrives");
  const bool is_speaking = phase_ == Phase::replaying || phase_ == Phase::ready;
  if (is_speaking && link_.owes_heartbeat(now, hub_.config.heartbeat_ms * base::kNsPerMs))
    send_own(soup::kClientHeartbeat);
}

// Looked at every tick. Resets the connection when it is: what the kernel holds back is dropped with it.
bool VenueSession::is_stuck(std::uint64_t now_ns) {
  int queued = 0;
  if (phase_ == Phase::connecting || ::ioctl(link_.fd(), SIOCOUTQ, &queued) != 0) return false;
  const auto waiting = static_cast<std::uint64_t>(queued) + link_.unsent_bytes();
  if (!outgoing_.is_stuck(waiting, now_ns, hub_.gate.order_age_max_ns)) return false;
  const linger at_once{1, 0};  // close(2) sends a reset and keeps nothing
  ::setsockopt(link_.fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  return true;
}

void VenueSession::connect() {
  link_.open(base::start_connect_tcp(config.venue, kVenueSendBytes), base::monotonic_ns());
  outgoing_.restart();
  if (link_.is_open()) base::die_with_silent_peer(link_.socket(), static_cast<int>(hub_.config.silence_ms));
  phase_ = Phase::connecting;
  if (!link_.is_open() || !hub_.loop.add(link_.fd(), EPOLLIN | EPOLLOUT, *this)) lost("cannot connect");
}

void VenueSession::on_events(std::uint32_t events) {
  if (!link_.is_open()) return;
  if (phase_ == Phase::connecting) {
    if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) on_connected();
    return;
  }
  if (events & EPOLLOUT) flush();
  if (link_.is_open() && events & (EPOLLIN | EPOLLERR | EPOLLHUP)) receive();
}

void VenueSession::on_connected() {
  if (base::error_of(link_.socket()) != 0) return lost("the venue refused the connection");
  phase_ = Phase::logging_in;
  watch(false);
  std::array<std::uint8_t, 64> packet;
  const auto from = is_finding_head_ ? 0 : next_sequence();
  const soup::LoginRequest login{config.venue_user, config.venue_password, session_, from};
  send(Bytes(packet).first(soup::write(packet, login)));
}

void VenueSession::receive() {
  const auto io = link_.read(base::monotonic_ns());
  if (io == soup::Io::none) return;
  if (io != soup::Io::some)
    return lost(io == soup::Io::closed ? "the venue closed the connection" : "the connection broke");
  const auto received_ns = static_cast<std::int64_t>(link_.received_ns());
  soup::Packet packet;
  while (link_.is_open()) {
    const auto result = link_.next(packet);
    if (result == soup::Got::need_more) return;
    if (result == soup::Got::broken) return lost("the venue's framing is broken");
    on_packet(packet, received_ns);
  }
}

void VenueSession::on_packet(const soup::Packet& packet, std::int64_t received_ns) {
  switch (packet.type) {
    case soup::kLoginAccepted: return on_login(packet);
    case soup::kLoginRejected: return on_rejected(packet);
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

void VenueSession::on_rejected(const soup::Packet& packet) {
  session_.clear();  // perhaps the venue has begun another session
  backoff_.rejected();
  const auto why = packet.payload.empty() ? '?' : static_cast<char>(packet.payload[0]);
  lost("the venue rejected the login (" + std::string(1, why) + "), " + std::to_string(backoff_.rejections()) +
       " in a row; " +
       (backoff_.is_over() ? "no more are tried until `activate` or SIGHUP"
                           : "next in " + std::to_string(backoff_.pause_ms(hub_.config.reconnect_ms)) + " ms"));
}

void VenueSession::on_head(std::uint64_t head) {
  if (head < next_sequence()) forget_day(1);  // the venue knows less than we do: it lost the day
  head_ = head;
  is_finding_head_ = false;
  if (head == next_sequence()) return start_replay();
  hub_.loop.remove(link_.fd());
  connect();
}

void VenueSession::start_replay() {
  backoff_.accepted();
  phase_ = Phase::replaying;
  std::array<std::uint8_t, 8> query;
  ouch::Encoder<ouch::AccountQuery> encoder(query, hub_.profile);
  send_own(soup::kUnsequenced, encoder.bytes());
}

void VenueSession::on_sequenced(const soup::Packet& packet, std::int64_t received_ns) {
  const Bytes framed(packet.payload.data() - soup::kFrameBytes, packet.payload.size() + soup::kFrameBytes);
  if (!history_.append(framed))
    hub_.audit_log.event("history_lost", {.session = account.name, .detail = "the disk takes no more of the day"});
  const auto applied = apply_response(account.orders, packet.payload);
  const bool is_caught_up = applied.is_query_response && next_sequence() > head_;
  if (!applied.is_understood)
    hub_.audit_log.refuse({.session = account.name, .detail = "response " + std::to_string(next_sequence() - 1)},
                          Reason::response_unknown);
  if (owner != nullptr) {
    owner->deliver(framed);
    hub_.to_engine.record(base::monotonic_ns() - received_ns);
  }
  if (!is_caught_up || phase_ != Phase::replaying) return;
  hub_.raise_floor(account.orders.highest_epoch());
  phase_ = Phase::ready;
  hub_.takeover.restart();
  hub_.audit_log.event("venue_ready", {.session = account.name, .urn = account.orders.last_urn()});
  hub_.catch_up(*this);
}

// Another trading day, or a venue that lost its history: nothing of what we knew is open.
void VenueSession::forget_day(std::uint64_t first_sequence) {
  history_.clear(first_sequence);
  account.orders = Orders();
}

soup::Sent VenueSession::send(Bytes packet) {
  const bool is_full = link_.unsent_bytes() > 0;
  const auto sent = link_.send(packet, base::monotonic_ns());
  if (sent == soup::Sent::all) outgoing_.wrote(packet.size());
  if (sent == soup::Sent::broken && link_.is_open()) lost("the connection broke");
  else if (!is_full && (sent == soup::Sent::none || link_.unsent_bytes() > 0)) watch(true);
  return sent;
}

void VenueSession::send_own(char type, Bytes payload) {
  std::array<std::uint8_t, 128> packet;
  const auto length = soup::write(packet, type, payload);
  if (!link_.is_open() || length == 0) return;
  const auto framed = Bytes(packet).first(length);
  if (send(framed) != soup::Sent::none) return;
  link_.queue(framed);
  outgoing_.wrote(framed.size());
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
  if (!link_.flush(base::monotonic_ns())) return lost("the connection broke");
  if (link_.unsent_bytes() > 0) return;
  watch(false);
  if (owner != nullptr) owner->resume();
}

void VenueSession::watch(bool is_writing) {
  hub_.loop.change(link_.fd(), is_writing ? EPOLLIN | EPOLLOUT : EPOLLIN, *this);
}

void VenueSession::logout() {
  if (is_ready()) send_own(soup::kLogoutRequest);
}

void VenueSession::lost(std::string_view why) {
  if (link_.is_open()) hub_.loop.remove(link_.fd());
  link_.close();
  account.orders.forget_unanswered();
  phase_ = Phase::down;
  is_finding_head_ = true;
  retry_ns_ =
      base::monotonic_ns() + static_cast<std::int64_t>(backoff_.pause_ms(hub_.config.reconnect_ms) * base::kNsPerMs);
  hub_.audit_log.event("venue_down", {.session = account.name, .reason = Reason::venue_down, .detail = why});
  if (owner != nullptr) owner->end(Reason::venue_down);
}

}  // namespace hft::gateway
