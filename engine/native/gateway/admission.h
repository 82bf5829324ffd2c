// Who may connect: HELLO and ticket against what this gateway is. Pure; the signature is checked outside.
//
// A ticket says which process on which host is speaking and what its executable, release, configuration and
// limits hash to. It is bound to one connection by the gateway's nonce. It proves nothing against root on the
// engine's host, who can sign what he likes with the host's key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/epoch.h"
#include "gateway/reason.h"

namespace hft::gateway {

inline constexpr std::string_view CONTRACT_VERSION = "1.0.0";

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
};

inline bool is_same_major(std::string_view theirs, std::string_view ours) {
  const auto dot = ours.find('.');
  return theirs.size() > dot && theirs.substr(0, dot + 1) == ours.substr(0, dot + 1);
}

inline Reason check_ticket(const Hello& hello, std::string_view nonce) {
  if (!hello.has_ticket) return Reason::ticket_missing;
  if (!hello.ticket) return Reason::ticket_malformed;
  if (!hello.is_signed) return Reason::ticket_signature;
  if (hello.ticket->nonce != nonce) return Reason::ticket_nonce;
  return hello.ticket->slot == hello.slot ? Reason::ok : Reason::ticket_slot;
}

// HOUSE admits HELLO on the connection with NONCE (hex)? SLOT_KNOWN: an account is open to its slot.
inline Admitted admit(const House& house, const Hello& hello, std::string_view nonce, bool slot_known) {
  auto refused = [](Reason reason) { return Admitted{reason, Egress::test, {}, {}}; };
  if (!is_same_major(hello.contract, CONTRACT_VERSION)) return refused(Reason::contract_version);
  const auto egress = egress_named(hello.egress);
  if (!egress) return refused(Reason::egress_unknown);
  if (!slot_known) return refused(Reason::slot_unknown);
  if (hello.has_ticket && (house.is_test || house.is_drill_build)) return refused(Reason::production_ticket);
  if (house.is_test != (*egress == Egress::test)) return refused(Reason::test_only);
  if (house.is_test) return {Reason::ok, *egress, hello.slot, {}};
  const auto reason = check_ticket(hello, nonce);
  if (reason != Reason::ok) return refused(reason);
  return {Reason::ok, *egress, hello.ticket->host + "/" + hello.ticket->slot, hello.ticket->runs};
}

}  // namespace hft::gateway
