// How a conversation begins: HELLO and its ticket, the claim, the login, the replay.
#include <algorithm>
#include <array>

#include "base/clock.h"
#include "base/digest.h"
#include "base/signature.h"
#include "gateway/engine_link.h"
#include "gateway/venue_session.h"

namespace hft::gateway {
namespace {

constexpr std::size_t kSlotBytesMax = 64;     // of what a stranger calls itself, in the log
constexpr std::size_t kPieceBytes = 1 << 18;  // of a replay

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
  if (!host || !slot || !nonce || !runs || !names_process || !text_at(*ticket, "signature")) return hello;
  const Json process{(*ticket)["boot_id"], (*ticket)["pid"], (*ticket)["start_time"]};
  hello.ticket = Ticket{*host, *slot, *nonce, *runs, canonical(process)};
  return hello;
}

}  // namespace

void EngineLink::on_hello(const soup::Packet& packet) {
  const auto text = link::parse_hello(packet);
  const auto object = text ? parse_object(*text) : std::nullopt;
  if (!object) return refuse_link(Reason::protocol);
  auto hello = hello_from(*object);
  slot_ = hello.slot.substr(0, kSlotBytesMax);
  phase_ = Phase::verifying;
  hello.is_signed = true;  // all that costs nothing is asked before the signature is
  if (const auto reason = look_at(hello).reason; reason != Reason::ok) return refuse_link(reason);
  if (!hello.ticket) return on_verified(std::move(hello), Verdict::good);
  auto ticket = (*object)["ticket"];
  const auto signature = text_at(ticket, "signature").value_or("");
  ticket.erase("signature");
  const base::Signed claim{hub_.config.host_signers, hello.ticket->host, "hft-ticket", canonical(ticket), signature};
  hub_.verifier.check(claim, [&hub = hub_, id = number, hello](Verdict verdict) {
    const auto found = hub.links.find(id);
    if (found != hub.links.end()) found->second->on_verified(hello, verdict);
  });
}

Admitted EngineLink::look_at(const Hello& hello) const {
  return admit(hub_.gate.house, hello, base::hex(nonce_), hub_.is_slot_known(hello.slot));
}

void EngineLink::on_verified(Hello hello, Verdict verdict) {
  if (phase_ != Phase::verifying) return;
  hello.is_signed = verdict == Verdict::good;
  const auto admitted = look_at(hello);
  if (verdict == Verdict::late) return refuse_link(Reason::ticket_late);
  if (admitted.reason != Reason::ok) return refuse_link(admitted.reason);
  if (!hub_.make_place(slot_)) return refuse_link(Reason::no_place);
  is_admitted_ = true;
  party_.process = admitted.process;
  party_.egress = admitted.egress;
  party_.holder = admitted.holder;
  party_.runs = admitted.runs;
  will_beat_ = hub_.config.beat_ms > 0 && is_since(hello.contract, kBeatsSince);
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
  hub_.claimed(party_);
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
  hub_.takeover.logged_in(*this);
  welcome_login(login->next_sequence == 0 ? session_->next_sequence() : login->next_sequence);
}

void EngineLink::welcome_login(std::uint64_t next_sequence) {
  std::array<std::uint8_t, 64> answer;
  const soup::LoginAccepted accepted{session_->session(), next_sequence};
  put(Bytes(answer).first(soup::write(answer, accepted)));
  if (party_.egress == Egress::shadow || phase_ != Phase::open) return;
  replay_ = session_->history().at(next_sequence);
  if (!replay_) return close();
  stream();
}

// One piece of the replay whenever the engine has taken the one before, so that neither memory nor the orders of
// others pay for a long day. The mark behind its end; what comes in meanwhile is part of it.
void EngineLink::stream() {
  if (!replay_ || link_.unsent_bytes() >= kPieceBytes) return;
  if (replay_->sequence < session_->next_sequence()) {
    const auto piece = session_->history().read(*replay_, kPieceBytes);
    if (piece.empty()) return close();
    put(as_bytes(piece));
  }
  if (phase_ == Phase::ended || replay_->sequence < session_->next_sequence()) return;
  replay_.reset();
  std::array<std::uint8_t, 16> mark;
  put(Bytes(mark).first(link::write_replayed(mark, session_->next_sequence())));
}

}  // namespace hft::gateway
