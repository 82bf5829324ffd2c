// Admission: who may connect, and which of its messages may go to the venue. Pure; signatures are checked outside.
//
// A ticket says which process on which host is speaking and what its executable, release, configuration and
// limits hash to. It is bound to one connection by the gateway's nonce. It proves nothing against root on the
// engine's host, who can sign what he likes with the host's key.
//
// Every message is judged at forward time, never ahead of it. The order of the questions is part of the contract:
// who you are (claim, epoch), whether you may send at all (shadow, venue), and only for what opens risk: latch,
// age, numbering, limits. Cancels stop at the first group, so a stale engine cannot cancel what its successor placed,
// and a latched one can still clean up.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/epoch.h"
#include "gateway/latch.h"
#include "gateway/limits.h"
#include "gateway/orders.h"
#include "gateway/reason.h"

namespace hft::gateway {

inline constexpr std::string_view kContractVersion = "1.2.0";

enum class Egress : std::uint8_t { live, shadow, test };

inline std::optional<Egress> egress_named(std::string_view name) {
  if (name == "live") return Egress::live;
  if (name == "shadow") return Egress::shadow;
  if (name == "test") return Egress::test;
  return std::nullopt;
}

struct Ticket {
  std::string host;
  std::string slot;
  std::string nonce;  // hex
  Approval runs;
  std::string process = {};  // boot, pid and start time: no two processes have the same
};

struct Hello {
  std::string contract;
  std::string slot;
  std::string egress;
  bool has_ticket = false;
  std::optional<Ticket> ticket;  // nothing although has_ticket: it was malformed
  bool is_signed = false;        // an allowed signer of ticket.host signed it
};

// What a gateway is: production, test, and whether the build could switch enforcement off.
struct House {
  bool is_test = false;
  bool is_drill_build = false;
};

struct Admitted {
  Reason reason = Reason::ok;
  Egress egress = Egress::test;
  std::string holder;  // HOST/SLOT, or the slot alone where no ticket says the host
  Approval runs;
  std::string process = {};  // empty where no ticket says it
};

inline bool is_same_major(std::string_view theirs, std::string_view ours) {
  const auto dot = ours.find('.');
  return theirs.size() > dot && theirs.substr(0, dot + 1) == ours.substr(0, dot + 1);
}

// Whether a contract of the same major version is of this minor one or a later one.
inline bool is_since(std::string_view theirs, unsigned minor) {
  const auto dot = theirs.find('.');
  if (dot == std::string_view::npos) return false;
  unsigned found = 0;
  const auto* const end = theirs.data() + theirs.size();
  return std::from_chars(theirs.data() + dot + 1, end, found).ec == std::errc() && found >= minor;
}
inline constexpr unsigned kBeatsSince = 2;  // clause `link.beats`

inline Reason check_ticket(const Hello& hello, std::string_view nonce) {
  if (!hello.has_ticket) return Reason::ticket_missing;
  if (!hello.ticket) return Reason::ticket_malformed;
  if (!hello.is_signed) return Reason::ticket_signature;
  if (hello.ticket->nonce != nonce) return Reason::ticket_nonce;
  return hello.ticket->slot == hello.slot ? Reason::ok : Reason::ticket_slot;
}

// HOUSE admits HELLO on the connection with NONCE (hex)? SLOT_KNOWN: an account is open to its slot.
inline Admitted admit(const House& house, const Hello& hello, std::string_view nonce, bool slot_known) {
  auto refused = [](Reason reason) { return Admitted{reason, Egress::test, {}, {}, {}}; };
  if (!is_same_major(hello.contract, kContractVersion)) return refused(Reason::contract_version);
  const auto egress = egress_named(hello.egress);
  if (!egress) return refused(Reason::egress_unknown);
  if (!slot_known) return refused(Reason::slot_unknown);
  if (hello.has_ticket && (house.is_test || house.is_drill_build)) return refused(Reason::production_ticket);
  if (house.is_test != (*egress == Egress::test)) return refused(Reason::test_only);
  if (house.is_test) return {Reason::ok, *egress, hello.slot, {}, {}};
  const auto reason = check_ticket(hello, nonce);
  if (reason != Reason::ok) return refused(reason);
  const auto& ticket = *hello.ticket;
  return {Reason::ok, *egress, ticket.host + "/" + ticket.slot, ticket.runs, ticket.process};
}

enum class Kind : std::uint8_t { enter, replace, cancel, modify, mass_cancel, disable, enable, query };

constexpr bool opens_risk(Kind kind) { return kind == Kind::enter || kind == Kind::replace || kind == Kind::enable; }

// One inbound OUCH message as far as a decision needs it.
struct Message {
  Kind kind = Kind::query;
  char type = ' ';
  std::uint32_t urn = 0;
  std::uint32_t replaces = 0;
  char side = 'B';
  std::uint32_t quantity = 0;
  std::uint64_t price_e4 = 0;
  std::string_view symbol;   // without padding
  std::string_view clordid;  // 14 characters as on the wire
  char time_in_force = '0';
  char display = 'Y';
  char capacity = 'P';
  char sweep = 'N';
  char cross_type = 'N';
};

// One engine connection after HELLO.
struct Party {
  Egress egress = Egress::test;
  std::string holder;
  Approval runs;
  bool is_claimed = false;
  std::uint64_t epoch = 0;
  std::string clordid_prefix;  // the claimed epoch as the five characters a ClOrdID begins with
  std::uint32_t last_urn = 0;  // on this connection; starts at what the venue has answered
  std::string process = {};
};

struct Moment {
  std::int64_t now_ns = 0;
  std::int64_t now_utc_ns = 0;
  bool is_venue_ready = true;
  std::uint64_t waited_ns = 0;  // at most so long lay the message in a buffer before it was looked at
};

struct Gate {
  House house;
  bool is_epoch_enforced = true;  // false only in a drill build
  bool needs_limits = true;
  std::uint64_t order_age_max_ns = UINT64_MAX;
  EpochState epoch;
  Latch latch;
  std::optional<Limits> limits;
};

// One account: its orders and its own rate window.
struct Account {
  std::string name;
  std::string strategy;
  Orders orders;
  RateWindow window;

  Origin origin(const Party& party) const { return {party.holder, strategy, name}; }
};

inline Reason judge_claim(const Gate& gate, const Party& party, std::uint64_t epoch, const Origin& origin) {
  if (party.is_claimed) return Reason::claim_twice;
  if (party.egress == Egress::shadow) return Reason::ok;
  const auto reason = gate.house.is_test ? gate.epoch.claim_unsigned(epoch)
                                         : gate.epoch.claim(epoch, party.holder, party.runs, party.process);
  const bool is_stale = reason == Reason::stale_epoch;
  // Stale before latched: who is both must hear that he is no leader any more, or he asks for ever.
  if (is_stale && gate.is_epoch_enforced) return reason;
  if (gate.latch.stops(origin)) return Reason::latched;
  return is_stale ? Reason::ok : reason;
}

inline Reason judge_urn(const Party& party, const Message& message) {
  if (message.urn == 0 || message.urn == UINT32_MAX) return Reason::urn_space;
  if (message.urn <= party.last_urn) return Reason::urn_not_rising;
  const bool has_clordid = message.kind == Kind::enter || message.kind == Kind::replace;
  const bool is_ours = message.clordid.substr(0, party.clordid_prefix.size()) == party.clordid_prefix;
  return has_clordid && !is_ours ? Reason::clordid_epoch : Reason::ok;
}

// Whether the venue would take it and the law allows it; ORIGINAL is what it replaces, if anything.
inline Reason judge_for_venue(const VenueRules& rules, const Account& account, const Message& message,
                              const OpenOrder* original) {
  const char side = message.kind == Kind::replace ? original->side : message.side;
  const std::string_view symbol = original != nullptr ? std::string_view(original->symbol) : message.symbol;
  const OrderFields fields{side,          message.time_in_force, message.display,  message.capacity,
                           message.sweep, message.cross_type,    message.quantity, message.price_e4};
  if (rules.is_halted(symbol)) return Reason::halted;
  if (const auto reason = judge_fields(rules, fields); reason != Reason::ok) return reason;
  if (const auto reason = judge_tick(rules, fields.price_e4); reason != Reason::ok) return reason;
  auto held = account.orders.held(symbol);
  if (original != nullptr && original->side == 'S') held.selling -= original->quantity;
  if (original != nullptr && (original->side == 'T' || original->side == 'E')) held.selling_short -= original->quantity;
  return judge_sale(rules, account.name, symbol, held, side, message.quantity);
}

inline Reason judge_size(const Gate& gate, const Account& account, const Message& message, const Moment& moment) {
  if (message.kind == Kind::enable) return Reason::ok;
  if (!gate.limits && !gate.needs_limits) return Reason::ok;
  OrderSize size{message.symbol, message.quantity, message.price_e4};
  const OpenOrder* original = nullptr;
  if (message.kind == Kind::replace) {
    original = account.orders.find(message.replaces);
    if (original == nullptr) return Reason::replaces_unknown;
    size.symbol = original->symbol;
  }
  const auto reason = within(gate.limits, account.window, size, moment.now_ns, moment.now_utc_ns);
  return reason == Reason::ok ? judge_for_venue(gate.limits->rules, account, message, original) : reason;
}

// A Modify leaves less of an order, or marks its sale anew. It passes a latch and a halt, because it closes.
inline Reason judge_modify(const Gate& gate, const Account& account, const Message& message) {
  if (!gate.limits) return Reason::ok;
  const auto* original = account.orders.find(message.urn);
  if (original == nullptr) return Reason::replaces_unknown;
  if (message.quantity > original->quantity) return Reason::field_quantity;
  const bool is_side = message.side == original->side || (message.side != 'B' && original->side != 'B');
  if (!is_side || kSides.find(message.side) == std::string_view::npos) return Reason::field_side;
  auto held = account.orders.held(original->symbol);
  if (original->side == 'S') held.selling -= original->quantity;
  else held.selling_short -= original->quantity;
  if (message.side == original->side) return Reason::ok;
  return judge_sale(gate.limits->rules, account.name, original->symbol, held, message.side, message.quantity);
}

inline Reason judge(const Gate& gate, const Party& party, const Account& account, const Message& message,
                    const Moment& moment) {
  if (!party.is_claimed) return Reason::claim_missing;
  if (gate.is_epoch_enforced && gate.epoch.is_stale(party.epoch)) return Reason::stale_epoch;
  if (party.egress == Egress::shadow) return Reason::shadow_egress;
  if (!moment.is_venue_ready) return Reason::venue_down;
  if (message.kind == Kind::modify) return judge_modify(gate, account, message);
  if (!opens_risk(message.kind)) return Reason::ok;
  if (gate.latch.stops(account.origin(party))) return Reason::latched;
  if (moment.waited_ns > gate.order_age_max_ns) return Reason::order_old;
  const auto numbered = judge_urn(party, message);
  return numbered == Reason::ok ? judge_size(gate, account, message, moment) : numbered;
}

// A message that passed but could not be logged: orders stay here, cancels leave all the same.
constexpr Reason judge_unlogged(Kind kind) { return opens_risk(kind) ? Reason::log_unwritable : Reason::ok; }

// What a forwarded message changes. Call it once, right after the bytes left.
inline void forwarded(Gate& gate, Party& party, Account& account, const Message& message, const Moment& moment) {
  if (message.kind == Kind::enter || message.kind == Kind::replace) {
    std::string symbol(message.symbol);
    char side = message.side;
    if (const auto* original = account.orders.find(message.replaces); original != nullptr) {
      symbol = original->symbol;
      side = original->side;
    }
    party.last_urn = message.urn;
    account.orders.sent({message.urn, message.quantity, message.price_e4, side, false, std::move(symbol),
                         std::string(message.clordid)});
    if (gate.limits) account.window.record(gate.limits->orders_per_s_max, moment.now_ns);
  } else if (message.kind == Kind::mass_cancel || message.kind == Kind::disable || message.kind == Kind::enable) {
    party.last_urn = std::max(party.last_urn, message.urn);
    account.orders.urn_used(message.urn);
  }
}

// Does this refusal also end the connection? Only a stale epoch and a broken conversation do.
constexpr bool closes(Reason reason) {
  return reason == Reason::stale_epoch || reason == Reason::protocol || reason == Reason::claim_missing ||
         reason == Reason::claim_twice || reason == Reason::malformed || reason == Reason::superseded;
}

}  // namespace hft::gateway
