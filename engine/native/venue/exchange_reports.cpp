// What the venue says: answers to owners, the public stream, the log; and the requests that concern whole firms.
#include <algorithm>

#include "venue/exchange.h"
#include "venue/reasons.h"

namespace hft::venue {

void Exchange::verdict(std::string_view event, AccountId id, LogEntry entry) {
  entry.event = event;
  entry.session = accounts_[id].config.user;
  outlet_.to_log(entry);
}

void Exchange::reject(AccountId id, char type, std::uint32_t urn, std::uint16_t why, std::string_view clordid,
                      LogEntry entry) {
  ++accounts_[id].rejected;
  entry.type = type;
  entry.urn = urn;
  entry.code = reason::name_of(why);
  verdict("rejected", id, entry);
  auto message = say<ouch::Rejected>();
  message.set(ouch::Rejected::urn, urn).set(ouch::Rejected::reason, why).set(ouch::Rejected::clordid, clordid);
  outlet_.to_account(id, message.bytes());
}

void Exchange::settle(Events& events) {
  for (const Event& event : events) {
    if (event.what >= What::book_add) {
      outlet_.to_feed(publisher_.encode(event, now_ns_));
    } else if (event.account != kHouseAccount) {
      tell(event);
    }
  }
  for (const Event& event : events) {
    if (event.account == kHouseAccount) continue;
    if (core_.find(event.ref) == nullptr) forget(event.account, event.urn, event.ref);
    if (event.what == What::replaced) forget(event.account, event.other_urn, event.other);
  }
  events.clear();
}

void Exchange::forget(AccountId account, std::uint32_t urn, OrderRef ref) {
  if (details_.erase(ref) != 0) by_urn_.erase(owned(account, urn));
}

void Exchange::tell(const Event& event) {
  const Details& details = details_.at(event.ref);
  switch (event.what) {
    case What::accepted: return tell_accepted(event, details);
    case What::replaced: return tell_replaced(event, details);
    case What::executed: return tell_executed(event, details);
    case What::canceled:
    case What::self_matched: return tell_gone(event, details);
    case What::modified: {
      auto message = say<ouch::Modified>();
      message.set(ouch::Modified::urn, event.urn)
          .set(ouch::Modified::side, details.side)
          .set(ouch::Modified::quantity, event.quantity);
      return outlet_.to_account(event.account, message.bytes());
    }
    default: return;
  }
}

void Exchange::tell_accepted(const Event& event, const Details& details) {
  using ouch::Accepted;
  auto message = say<Accepted>();
  message.set(Accepted::urn, event.urn)
      .set(Accepted::side, details.side)
      .set(Accepted::quantity, event.quantity)
      .set(Accepted::symbol, directory_.name(event.symbol))
      .set(Accepted::price, event.price)
      .set(Accepted::time_in_force, details.time_in_force)
      .set(Accepted::display, details.display)
      .set(Accepted::order_reference, event.ref)
      .set(Accepted::capacity, details.capacity)
      .set(Accepted::sweep, details.sweep)
      .set(Accepted::cross_type, 'N')
      .set(Accepted::state, 'L')
      .set(Accepted::clordid, details.clordid);
  outlet_.to_account(event.account, message.bytes());
}

void Exchange::tell_replaced(const Event& event, const Details& details) {
  using ouch::Replaced;
  auto message = say<Replaced>();
  message.set(Replaced::original_urn, event.other_urn)
      .set(Replaced::urn, event.urn)
      .set(Replaced::side, details.side)
      .set(Replaced::quantity, event.quantity)
      .set(Replaced::symbol, directory_.name(event.symbol))
      .set(Replaced::price, event.price)
      .set(Replaced::time_in_force, details.time_in_force)
      .set(Replaced::display, details.display)
      .set(Replaced::order_reference, event.ref)
      .set(Replaced::capacity, details.capacity)
      .set(Replaced::sweep, details.sweep)
      .set(Replaced::cross_type, 'N')
      .set(Replaced::state, 'L')
      .set(Replaced::clordid, details.clordid);
  outlet_.to_account(event.account, message.bytes());
}

void Exchange::tell_gone(const Event& event, const Details& details) {
  if (event.what == What::canceled) {
    auto message = say<ouch::Canceled>();
    message.set(ouch::Canceled::urn, event.urn)
        .set(ouch::Canceled::quantity, event.quantity)
        .set(ouch::Canceled::reason, event.reason);
    outlet_.to_account(event.account, message.bytes());
    return outcome("canceled", event, details);
  }
  using ouch::AiqCanceled;
  auto message = say<AiqCanceled>();
  message.set(AiqCanceled::urn, event.urn)
      .set(AiqCanceled::decrement, event.quantity)
      .set(AiqCanceled::reason, 'Q')
      .set(AiqCanceled::prevented, event.other_quantity)
      .set(AiqCanceled::price, event.price)
      .set(AiqCanceled::liquidity, event.maker ? 'A' : 'R')
      .set(AiqCanceled::strategy, event.maker ? 'O' : 'N');  // letters of ours: the text names no values
  outlet_.to_account(event.account, message.bytes());
  outcome("self_matched", event, details);
}

void Exchange::tell_executed(const Event& event, const Details& details) {
  using ouch::Executed;
  auto message = say<Executed>();
  message.set(Executed::urn, event.urn)
      .set(Executed::quantity, event.quantity)
      .set(Executed::price, event.price)
      .set(Executed::liquidity, event.maker ? 'A' : 'R')
      .set(Executed::match, event.match);
  outlet_.to_account(event.account, message.bytes());
  outcome("executed", event, details);
}

void Exchange::outcome(std::string_view name, const Event& event, const Details& details) {
  LogEntry entry;
  entry.urn = event.urn;
  entry.clordid = details.clordid;
  entry.order_ref = event.ref;
  entry.symbol = directory_.name(event.symbol);
  entry.side = details.side;
  entry.quantity = event.quantity;
  entry.price = event.price;
  entry.match = event.match;
  const std::string_view why(&event.reason, event.reason == ' ' ? 0 : 1);
  entry.code = why;
  verdict(name, event.account, entry);
}

void Exchange::start_of_day() {
  for (const char code : {'O', 'S', 'Q'}) {  // start of messages, of system hours, of market hours
    outlet_.to_feed(publisher_.system_event(code, now_ns_));
    if (code != 'O') continue;
    for (Symbol symbol = 0; symbol < directory_.size(); ++symbol) {
      outlet_.to_feed(publisher_.stock_directory(symbol, now_ns_));
      outlet_.to_feed(publisher_.trading_action(symbol, 'T', now_ns_));
    }
  }
  for (AccountId id = 0; id < accounts_.size(); ++id) {
    auto message = say<ouch::SystemEvent>();
    message.set(ouch::SystemEvent::event_code, 'S');
    outlet_.to_account(id, message.bytes());
  }
}

void Exchange::end_of_day() {
  if (closed_) return;
  closed_ = true;
  for (const char code : {'M', 'E', 'C'}) outlet_.to_feed(publisher_.system_event(code, now_ns_));
  for (AccountId id = 0; id < accounts_.size(); ++id) {
    auto message = say<ouch::SystemEvent>();
    message.set(ouch::SystemEvent::event_code, 'E');
    outlet_.to_account(id, message.bytes());
  }
}

void Exchange::query(AccountId id) {
  LogEntry entry;
  entry.type = ouch::AccountQuery::type;
  verdict("accepted", id, entry);
  auto message = say<ouch::QueryResponse>();
  message.set(ouch::QueryResponse::next_urn, accounts_[id].last_urn + 1);
  outlet_.to_account(id, message.bytes());
}

void Exchange::disconnected(AccountId id) {
  if (accounts_[id].config.cancel_on_disconnect) mass_cancel(id, std::nullopt, std::nullopt, 'Z');
}

std::size_t Exchange::mass_cancel(std::optional<AccountId> account, std::optional<FirmId> firm,
                                  std::optional<Symbol> symbol, char why) {
  const auto picks = [&](const Order& order) {
    return order.account != kHouseAccount && (!account || order.account == *account) &&
           (!firm || order.firm == *firm) && (!symbol || order.symbol == *symbol);
  };
  const std::size_t canceled = core_.cancel_if(picks, why, events_);
  settle(events_);
  return canceled;
}

void Exchange::mass_cancel_request(AccountId id, View<ouch::MassCancel> request) {
  using ouch::MassCancel;
  const std::uint32_t urn = request[MassCancel::urn];
  if (!take_urn(id, MassCancel::type, urn, {})) return;
  LogEntry entry;
  entry.type = MassCancel::type;
  entry.urn = urn;
  entry.symbol = request[MassCancel::symbol];
  const auto firm = trimmed(request[MassCancel::firm]);
  const auto symbol = directory_.find(request[MassCancel::symbol]);
  if (!firm.empty() && firm != accounts_[id].config.firm) {
    return reject(id, MassCancel::type, urn, reason::kFirmNotAuthorized, {}, entry);
  }
  if (!symbol && !trimmed(request[MassCancel::symbol]).empty()) {
    return reject(id, MassCancel::type, urn, reason::kInvalidSymbol, {}, entry);
  }
  ++accounts_[id].accepted;
  entry.detail = accounts_[id].config.firm;
  verdict("accepted", id, entry);
  mass_cancel(std::nullopt, accounts_[id].firm, symbol, 'U');
  auto message = say<ouch::MassCancelResponse>();
  message.set(ouch::MassCancelResponse::urn, urn)
      .set(ouch::MassCancelResponse::firm, accounts_[id].config.firm)
      .set(ouch::MassCancelResponse::symbol, request[MassCancel::symbol]);
  outlet_.to_account(id, message.bytes());
}

void Exchange::switch_entry(AccountId id, std::uint32_t urn, std::string_view padded, bool enable) {
  const char type = enable ? ouch::EnableEntry::type : ouch::DisableEntry::type;
  if (!take_urn(id, type, urn, {})) return;
  const auto firm = trimmed(padded);
  if (!firm.empty() && firm != accounts_[id].config.firm) {
    return reject(id, type, urn, reason::kFirmNotAuthorized, {});
  }
  ++accounts_[id].accepted;
  firms_enabled_[accounts_[id].firm] = enable;
  LogEntry entry;
  entry.type = type;
  entry.urn = urn;
  entry.detail = accounts_[id].config.firm;
  verdict("accepted", id, entry);
  const auto answer = [&](auto message) {
    message.set(ouch::response_urn, urn).set(ouch::DisableResponse::firm, accounts_[id].config.firm);
    outlet_.to_account(id, message.bytes());
  };
  enable ? answer(say<ouch::EnableResponse>()) : answer(say<ouch::DisableResponse>());
}

void Exchange::set_enabled(AccountId id, bool enabled) { accounts_[id].enabled = enabled; }

std::optional<AccountId> Exchange::find_account(std::string_view user) const {
  const auto found = std::find_if(accounts_.begin(), accounts_.end(),
                                  [&](const AccountState& account) { return account.config.user == user; });
  if (found == accounts_.end()) return std::nullopt;
  return static_cast<AccountId>(found - accounts_.begin());
}

std::size_t Exchange::open_orders(AccountId id) const {
  return static_cast<std::size_t>(
      std::count_if(by_urn_.begin(), by_urn_.end(), [&](const auto& entry) { return entry.first >> 32 == id; }));
}

}  // namespace hft::venue
