// What the venue makes of each inbound message; exchange_reports.cpp says the answers.
#include "venue/exchange.h"

#include "venue/reasons.h"

namespace hft::venue {

namespace {

std::vector<AccountState> states_of(const Directory& directory, std::vector<AccountConfig> configs) {
  std::vector<AccountState> states;
  for (AccountConfig& config : configs) {
    AccountState state;
    state.firm = directory.find_firm(config.firm).value_or(kHouseFirm);
    state.config = std::move(config);
    states.push_back(std::move(state));
  }
  return states;
}

constexpr bool is_side(char side) { return side == 'B' || side == 'S' || side == 'T' || side == 'E'; }
constexpr bool is_display(char display) { return display == 'Y' || display == 'A'; }
constexpr bool is_time_in_force(char time) { return time == '0' || time == '3'; }

// OUCH 5.0, 2.4: S to E, S to T, E to T; the same side again is only a new size.
constexpr bool may_turn(char from, char to) {
  return from == to || (from == 'S' && (to == 'E' || to == 'T')) || (from == 'E' && to == 'T');
}

}  // namespace

Exchange::Exchange(const Directory& directory, std::vector<AccountConfig> accounts, ouch::Profile profile,
                   SelfTrade self_trade, ReferenceSource references, Outlet& outlet)
    : directory_(directory),
      accounts_(states_of(directory, std::move(accounts))),
      firms_enabled_(0x10000, true),
      profile_(profile),
      core_(directory.size(), self_trade, references),
      publisher_(directory),
      outlet_(outlet) {}

void Exchange::receive(AccountId id, Bytes bytes) {
  const ouch::Message message = ouch::decode_inbound(bytes, profile_);
  switch (message.why == Reject::none ? message.type : 0) {
    case ouch::EnterOrder::type: return enter(id, message);
    case ouch::ReplaceOrder::type: return replace(id, message);
    case ouch::CancelOrder::type: return cancel(id, message.as<ouch::CancelOrder>());
    case ouch::ModifyOrder::type: return modify(id, message.as<ouch::ModifyOrder>());
    case ouch::AccountQuery::type: return query(id);
    case ouch::MassCancel::type: return mass_cancel_request(id, message.as<ouch::MassCancel>());
    case ouch::DisableEntry::type: {
      const auto request = message.as<ouch::DisableEntry>();
      return switch_entry(id, request[ouch::DisableEntry::urn], request[ouch::DisableEntry::firm], false);
    }
    case ouch::EnableEntry::type: {
      const auto request = message.as<ouch::EnableEntry>();
      return switch_entry(id, request[ouch::EnableEntry::urn], request[ouch::EnableEntry::firm], true);
    }
    default: break;
  }
  ++accounts_[id].malformed;
  LogEntry entry;
  entry.type = bytes.empty() ? 0 : static_cast<char>(bytes[0]);
  entry.code = hft::to_text(message.why);
  entry.detail = as_text(bytes.first(std::min<std::size_t>(bytes.size(), 80)));
  verdict("malformed", id, entry);
}

// Refusals that hold for any new order of the account at this moment.
std::uint16_t Exchange::why_not_now(const AccountState& account) const {
  if (closed_) return reason::kDestinationClosed;
  if (!account.enabled || !firms_enabled_[account.firm]) return reason::kFirmNotAuthorized;
  return paused_ ? reason::kHalted : reason::kNone;
}

// Refusals by what the message asks for; size, price and symbol are the core's to judge.
std::uint16_t Exchange::why_not(const AccountState& account, const ouch::Message& message) const {
  using ouch::EnterOrder;
  const auto request = message.as<EnterOrder>();
  if (!is_side(request[EnterOrder::side])) return reason::kInvalidSide;
  if (!directory_.find(request[EnterOrder::symbol])) return reason::kInvalidSymbol;
  if (request[EnterOrder::price] > kPriceMax) return reason::kInvalidPrice;
  if (!is_display(request[EnterOrder::display])) return reason::kInvalidDisplay;
  if (request[EnterOrder::cross_type] != 'N') return reason::kInvalidCrossOrder;
  if (!is_time_in_force(request[EnterOrder::time_in_force])) return reason::kOther;
  std::uint16_t why = reason::kNone;
  ouch::for_each_option(message.options, [&](const ouch::Option& option) {
    if (option.tag == ouch::kFirm) {
      const auto firm = trimmed(as_text(option.value));
      if (!firm.empty() && firm != account.config.firm) why = reason::kFirmNotAuthorized;
    } else if (option.tag != ouch::kCustomerType && option.tag != ouch::kGroupId &&
               option.tag != ouch::kSharesLocated) {
      why = reason::kOther;
    }
  });
  return why;
}

bool Exchange::take_urn(AccountId id, char type, std::uint32_t urn, std::string_view clordid) {
  AccountState& account = accounts_[id];
  if (urn > account.last_urn) {
    account.last_urn = urn;
    return true;
  }
  ++account.ignored;
  LogEntry entry;
  entry.type = type;
  entry.urn = urn;
  entry.clordid = clordid;
  entry.code = "urn_not_rising";
  verdict("ignored", id, entry);
  return false;
}

OrderRef Exchange::live_order(AccountId id, std::uint32_t urn) const {
  const auto found = by_urn_.find(owned(id, urn));
  return found == by_urn_.end() ? 0 : found->second;
}

void Exchange::enter(AccountId id, const ouch::Message& message) {
  using ouch::EnterOrder;
  const auto request = message.as<EnterOrder>();
  const std::string_view clordid = request[EnterOrder::clordid];
  const std::uint32_t urn = request[EnterOrder::urn];
  if (!take_urn(id, EnterOrder::type, urn, clordid)) return;
  AccountState& account = accounts_[id];
  LogEntry entry;
  entry.type = EnterOrder::type;
  entry.urn = urn;
  entry.clordid = clordid;
  entry.symbol = request[EnterOrder::symbol];
  entry.side = request[EnterOrder::side];
  entry.quantity = request[EnterOrder::quantity];
  entry.price = request[EnterOrder::price];
  std::uint16_t why = why_not_now(account);
  if (why == reason::kNone) why = why_not(account, message);
  if (why != reason::kNone) return reject(id, EnterOrder::type, urn, why, clordid, entry);
  NewOrder order;
  order.account = id;
  order.firm = account.firm;
  order.urn = urn;
  order.symbol = *directory_.find(request[EnterOrder::symbol]);
  order.side = request[EnterOrder::side] == 'B' ? Side::buy : Side::sell;
  order.quantity = request[EnterOrder::quantity];
  order.price = static_cast<Price>(request[EnterOrder::price]);
  order.immediate = request[EnterOrder::time_in_force] == '3';
  order.attributable = request[EnterOrder::display] == 'A';
  OrderRef ref = 0;
  const Verdict done = core_.enter(order, events_, &ref);
  if (done != Verdict::done) return reject(id, EnterOrder::type, urn, reason::of(done), clordid, entry);
  ++account.accepted;
  details_[ref] = {request[EnterOrder::side],     request[EnterOrder::time_in_force], request[EnterOrder::display],
                   request[EnterOrder::capacity], request[EnterOrder::sweep],         std::string(clordid)};
  by_urn_[owned(id, urn)] = ref;
  entry.order_ref = ref;
  verdict("accepted", id, entry);
  settle(events_);
}

void Exchange::replace(AccountId id, const ouch::Message& message) {
  using ouch::ReplaceOrder;
  const auto request = message.as<ReplaceOrder>();
  const std::string_view clordid = request[ReplaceOrder::clordid];
  const std::uint32_t urn = request[ReplaceOrder::urn];
  AccountState& account = accounts_[id];
  LogEntry entry;
  entry.type = ReplaceOrder::type;
  entry.urn = urn;
  entry.original_urn = request[ReplaceOrder::original_urn];
  entry.clordid = clordid;
  entry.quantity = request[ReplaceOrder::quantity];
  entry.price = request[ReplaceOrder::price];
  const OrderRef old = live_order(id, request[ReplaceOrder::original_urn]);
  if (old == 0 || urn <= account.last_urn) {
    ++account.ignored;
    entry.code = old == 0 ? "not_live" : "urn_not_rising";
    return verdict("ignored", id, entry);
  }
  if (const std::uint16_t why = why_not_now(account); why != reason::kNone) {
    account.last_urn = urn;
    return reject(id, ReplaceOrder::type, urn, why, clordid, entry);
  }
  const bool valid = is_display(request[ReplaceOrder::display]) && message.options.empty() &&
                     is_time_in_force(request[ReplaceOrder::time_in_force]) &&
                     request[ReplaceOrder::price] <= kPriceMax;
  Replacement replacement;
  replacement.urn = urn;
  replacement.total = request[ReplaceOrder::quantity];
  replacement.price = valid ? static_cast<Price>(request[ReplaceOrder::price]) : 0;  // 0 is refused by the core
  replacement.immediate = request[ReplaceOrder::time_in_force] == '3';
  replacement.attributable = request[ReplaceOrder::display] == 'A';
  Details details = details_.at(old);
  OrderRef ref = 0;
  const Verdict done = core_.replace(old, replacement, events_, &ref);
  if (done != Verdict::done) {  // OUCH 5.0, 2.2, case 2: the old order goes, the number may be used again
    ++account.rejected;
    entry.code = name_of(done);
    verdict("rejected", id, entry);
    return settle(events_);
  }
  ++account.accepted;
  account.last_urn = urn;
  details.time_in_force = request[ReplaceOrder::time_in_force];
  details.display = request[ReplaceOrder::display];
  details.sweep = request[ReplaceOrder::sweep];
  details.clordid = std::string(clordid);
  details_[ref] = std::move(details);
  by_urn_[owned(id, urn)] = ref;
  entry.order_ref = ref;
  verdict("accepted", id, entry);
  settle(events_);
}

void Exchange::cancel(AccountId id, View<ouch::CancelOrder> request) {
  LogEntry entry;
  entry.type = ouch::CancelOrder::type;
  entry.urn = request[ouch::CancelOrder::urn];
  entry.quantity = request[ouch::CancelOrder::quantity];
  const OrderRef ref = live_order(id, request[ouch::CancelOrder::urn]);
  const Verdict done = core_.limit(ref, request[ouch::CancelOrder::quantity], 'U', events_);
  entry.order_ref = ref;
  const bool taken = done == Verdict::done;
  if (!taken) entry.code = name_of(done);  // superfluous cancels are silently ignored (OUCH 5.0, 2.3)
  ++(taken ? accounts_[id].accepted : accounts_[id].ignored);
  verdict(taken ? "accepted" : "ignored", id, entry);
  settle(events_);
}

void Exchange::modify(AccountId id, View<ouch::ModifyOrder> request) {
  LogEntry entry;
  entry.type = ouch::ModifyOrder::type;
  entry.urn = request[ouch::ModifyOrder::urn];
  entry.side = request[ouch::ModifyOrder::side];
  entry.quantity = request[ouch::ModifyOrder::quantity];
  const OrderRef ref = live_order(id, request[ouch::ModifyOrder::urn]);
  Verdict done = Verdict::not_live;
  if (ref != 0) {
    Details& details = details_.at(ref);
    const bool turns = may_turn(details.side, entry.side);
    done = turns ? core_.modify(ref, request[ouch::ModifyOrder::quantity], events_) : Verdict::not_allowed;
    if (done == Verdict::done) details.side = entry.side;
  }
  entry.order_ref = ref;
  const bool taken = done == Verdict::done;
  if (!taken) entry.code = name_of(done);
  ++(taken ? accounts_[id].accepted : accounts_[id].ignored);
  verdict(taken ? "accepted" : "ignored", id, entry);
  settle(events_);
}

}  // namespace hft::venue
