// Why the gateway refuses: a closed set, each reason with its code on the wire and its sentence for a person.
//
// Every decision of the gateway returns one of these; a log line carries the code and the sentence, so that
// nobody has to guess what was meant. `Reason::ok` is the only one that lets something pass.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace hft::gateway {

enum class Reason : std::uint8_t {
  ok,
  protocol,
  contract_version,
  slot_unknown,
  egress_unknown,
  ticket_missing,
  ticket_malformed,
  ticket_signature,
  ticket_nonce,
  ticket_slot,
  ticket_late,
  hello_late,
  no_place,
  strangers,
  not_approved,
  not_holder,
  production_ticket,
  test_only,
  epoch_not_fenced,
  epoch_not_durable,
  epoch_taken,
  epoch_owned,
  stale_epoch,
  claim_twice,
  claim_missing,
  login_account,
  login_session,
  superseded,
  shadow_egress,
  latched,
  order_old,
  urn_not_rising,
  urn_space,
  clordid_epoch,
  malformed,
  type_unknown,
  replaces_unknown,
  limits_missing,
  limits_expired,
  limits_older,
  limits_signature,
  limit_orders_per_s,
  limit_quantity,
  limit_notional,
  limit_symbol,
  log_unwritable,
  venue_down,
  response_unknown,
  fence_signature,
  fence_malformed,
  scope_unknown,
  operator_missing,
  latch_unnamed,
  latch_unknown,
  epoch_source,
  epoch_moved,
  account_unknown,
  count_,
};

struct ReasonText {
  Reason reason;
  std::string_view code;
  std::string_view sentence;
};

// In the order of the enumeration; the test holds it to that.
inline constexpr std::array<ReasonText, static_cast<std::size_t>(Reason::count_)> kReasons{{
    {Reason::ok, "ok", "passes"},
    {Reason::protocol, "protocol", "the frame does not belong here at this point of the conversation"},
    {Reason::contract_version, "contract_version", "the engine speaks another major version of the contract"},
    {Reason::slot_unknown, "slot_unknown", "no account of this gateway is open to that slot"},
    {Reason::egress_unknown, "egress_unknown", "egress must be live, shadow or test"},
    {Reason::ticket_missing, "ticket_missing", "only a test gateway admits an engine without a ticket"},
    {Reason::ticket_malformed, "ticket_malformed", "the ticket lacks a field or carries one of a wrong type"},
    {Reason::ticket_signature, "ticket_signature", "no allowed signer of that host signed these bytes"},
    {Reason::ticket_nonce, "ticket_nonce", "the ticket was made for another connection"},
    {Reason::ticket_slot, "ticket_slot", "the ticket names another slot than the HELLO"},
    {Reason::ticket_late, "ticket_late", "the ticket could not be checked in time; connect again"},
    {Reason::hello_late, "hello_late", "no HELLO came in time"},
    {Reason::no_place, "no_place", "other connections have taken the places there are"},
    {Reason::strangers, "strangers", "so many refusals of connections that were never admitted are not logged"},
    {Reason::not_approved, "not_approved", "artifact, config and limits together are not in the approved set"},
    {Reason::not_holder, "not_holder", "the fence names another holder for this epoch"},
    {Reason::production_ticket, "production_ticket", "a test or drill gateway refuses production tickets"},
    {Reason::test_only, "test_only", "a test gateway admits egress test only, and no other gateway does"},
    {Reason::epoch_not_fenced, "epoch_not_fenced", "no fence has announced that epoch here"},
    {Reason::epoch_not_durable, "epoch_not_durable", "the fence could not be written to disk, so it does not hold"},
    {Reason::epoch_taken, "epoch_taken", "that epoch belongs to another holder or approved set"},
    {Reason::epoch_owned, "epoch_owned", "another process claimed that epoch; a new fence is needed"},
    {Reason::stale_epoch, "stale_epoch", "a higher epoch has been seen; this engine no longer trades"},
    {Reason::claim_twice, "claim_twice", "a connection claims one epoch, once"},
    {Reason::claim_missing, "claim_missing", "nothing flows before a claim was granted"},
    {Reason::login_account, "login_account", "no account with that name and password is open to the slot"},
    {Reason::login_session, "login_session", "the session or sequence asked for is not available"},
    {Reason::superseded, "superseded", "a newer connection took over this account's session"},
    {Reason::shadow_egress, "shadow_egress", "a shadow engine sends nothing to the venue"},
    {Reason::latched, "latched", "the kill latch is set for this scope; cancels still pass"},
    {Reason::order_old, "order_old", "the order waited for longer than order_age_max_ms; cancels still pass"},
    {Reason::urn_not_rising, "urn_not_rising", "user reference numbers must rise"},
    {Reason::urn_space, "urn_space", "user reference number 0 and the last one are not usable"},
    {Reason::clordid_epoch, "clordid_epoch", "the client order id does not begin with the claimed epoch"},
    {Reason::malformed, "malformed", "the message is not a well-formed OUCH message"},
    {Reason::type_unknown, "type_unknown", "the venue profile has no such inbound message"},
    {Reason::replaces_unknown, "replaces_unknown", "the order to replace is not open here, so no limit can judge it"},
    {Reason::limits_missing, "limits_missing", "no limits are loaded"},
    {Reason::limits_expired, "limits_expired", "the limits file has expired"},
    {Reason::limits_older, "limits_older", "the limits file does not rise above the highest serial seen"},
    {Reason::limits_signature, "limits_signature", "no allowed signer signed the limits file"},
    {Reason::limit_orders_per_s, "limit.orders_per_s", "more new orders within one second than the limit"},
    {Reason::limit_quantity, "limit.quantity", "the order is larger than the limit"},
    {Reason::limit_notional, "limit.notional", "quantity times price is above the limit"},
    {Reason::limit_symbol, "limit.symbol", "the symbol is not in the list"},
    {Reason::log_unwritable, "log_unwritable", "the message log cannot be written; unlogged orders do not leave"},
    {Reason::venue_down, "venue_down", "the venue session is not ready"},
    {Reason::response_unknown, "response_unknown", "the venue said what this gateway cannot account for; look there"},
    {Reason::fence_signature, "fence_signature", "the epoch authority did not sign this fence"},
    {Reason::fence_malformed, "fence_malformed", "a fence needs epoch, holder and approved set"},
    {Reason::scope_unknown, "scope_unknown", "no such account or strategy here; a site latch stops everything"},
    {Reason::operator_missing, "operator_missing", "an unlatch needs a named operator and a reason"},
    {Reason::latch_unnamed, "latch_unnamed", "an unlatch names the numbers of what it clears in `entries`"},
    {Reason::latch_unknown, "latch_unknown", "no latch of one of these numbers is set; nothing was cleared"},
    {Reason::epoch_source, "epoch_source", "the epoch source could not be read or is not signed"},
    {Reason::epoch_moved, "epoch_moved", "another epoch holds here than the one that the fence was decided on"},
    {Reason::account_unknown, "account_unknown", "no account of that name here"},
}};

constexpr const ReasonText& text_of(Reason reason) { return kReasons[static_cast<std::size_t>(reason)]; }
constexpr std::string_view code_of(Reason reason) { return text_of(reason).code; }

}  // namespace hft::gateway
