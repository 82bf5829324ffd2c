// The venue without its sockets: OUCH bytes of an account in; OUCH bytes for accounts, ITCH bytes for everybody
// and log lines out. Time comes in as an argument; nothing here reads a clock or draws a random number.
//
// Declared, where the text of OUCH 5.0 leaves it open:
//   - a user reference number not above the last one processed is ignored (the text says "lower"; an equal one
//     is a repetition too). Accepted and rejected ones count as processed, an ignored replacement does not;
//   - only visible and attributable limit orders of the continuous market, Day or IOC; options other than the
//     account's own firm and the purely informative ones are refused;
//   - a disabled account or firm may still cancel; its enters and replaces are rejected, 0x000C;
//   - Mass Cancel, Disable and Enable (profile ouch5-later, seen against no venue) act on the whole firm and
//     only for a session of that firm, and consume their number; Mass Cancel is answered after its cancels;
//   - canceled on disconnect carries reason Z, canceled by the venue's operator reason S.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "venue/directory.h"
#include "venue/log.h"
#include "venue/matching.h"
#include "venue/publisher.h"
#include "wire/ouch_codec.h"

namespace hft::venue {

struct AccountConfig {
  std::string user;
  std::string password;
  std::string firm;
  bool cancel_on_disconnect = true;
};

// Where everything goes that the exchange says.
class Outlet {
 public:
  virtual ~Outlet() = default;
  virtual void to_account(AccountId account, Bytes message) = 0;
  virtual void to_feed(Bytes message) = 0;
  virtual void to_log(const LogEntry& entry) = 0;
};

struct AccountState {
  AccountConfig config;
  FirmId firm = 0;
  bool enabled = true;
  std::uint32_t last_urn = 0;
  std::uint64_t accepted = 0, rejected = 0, ignored = 0, malformed = 0;
};

class Exchange {
 public:
  Exchange(const Directory& directory, std::vector<AccountConfig> accounts, ouch::Profile profile, SelfTrade self_trade,
           ReferenceSource references, Outlet& outlet);

  void set_time(std::uint64_t now_ns) { now_ns_ = now_ns; }
  void start_of_day();
  void end_of_day();
  void receive(AccountId account, Bytes message);
  void disconnected(AccountId account);
  // A command of the synthetic flow already applied to the core: publish what it did.
  void settle(Events& events);

  void set_enabled(AccountId account, bool enabled);
  void set_paused(bool paused) { paused_ = paused; }
  std::size_t mass_cancel(std::optional<AccountId> account, std::optional<FirmId> firm, std::optional<Symbol> symbol,
                          char reason);

  [[nodiscard]] Matching& core() { return core_; }
  [[nodiscard]] const Matching& core() const { return core_; }
  [[nodiscard]] const Directory& directory() const { return directory_; }
  [[nodiscard]] const std::vector<AccountState>& accounts() const { return accounts_; }
  [[nodiscard]] std::optional<AccountId> find_account(std::string_view user) const;
  [[nodiscard]] bool firm_enabled(FirmId firm) const { return firms_enabled_[firm]; }
  [[nodiscard]] bool paused() const { return paused_; }
  [[nodiscard]] bool closed() const { return closed_; }
  [[nodiscard]] ouch::Profile profile() const { return profile_; }
  [[nodiscard]] std::size_t open_orders(AccountId account) const;

 private:
  // What the core does not carry but the owner's messages echo.
  struct Details {
    char side = 'B';
    char time_in_force = '0';
    char display = 'Y';
    char capacity = 'P';
    char sweep = 'N';
    std::string clordid;
  };

  void enter(AccountId id, const ouch::Message& message);
  void replace(AccountId id, const ouch::Message& message);
  void cancel(AccountId id, View<ouch::CancelOrder> request);
  void modify(AccountId id, View<ouch::ModifyOrder> request);
  void query(AccountId id);
  void mass_cancel_request(AccountId id, View<ouch::MassCancel> request);
  void switch_entry(AccountId id, std::uint32_t urn, std::string_view firm, bool enable);

  [[nodiscard]] std::uint16_t why_not_now(const AccountState& account) const;
  [[nodiscard]] std::uint16_t why_not(const AccountState& account, const ouch::Message& message) const;
  [[nodiscard]] OrderRef live_order(AccountId id, std::uint32_t urn) const;
  bool take_urn(AccountId id, char type, std::uint32_t urn, std::string_view clordid);
  void verdict(std::string_view event, AccountId id, LogEntry entry);
  void reject(AccountId id, char type, std::uint32_t urn, std::uint16_t reason, std::string_view clordid,
              LogEntry entry = {});

  void tell(const Event& event);
  void tell_accepted(const Event& event, const Details& details);
  void tell_replaced(const Event& event, const Details& details);
  void tell_gone(const Event& event, const Details& details);
  void tell_executed(const Event& event, const Details& details);
  void outcome(std::string_view name, const Event& event, const Details& details);
  void forget(AccountId account, std::uint32_t urn, OrderRef ref);
  template <class Message>
  [[nodiscard]] ouch::Encoder<Message> say() {
    ouch::Encoder<Message> encoder(buffer_, profile_);
    encoder.set(ouch::timestamp, now_ns_ % kDayNs);
    return encoder;
  }
  [[nodiscard]] static std::uint64_t owned(AccountId account, std::uint32_t urn) {
    return static_cast<std::uint64_t>(account) << 32 | urn;
  }

  const Directory& directory_;
  std::vector<AccountState> accounts_;
  std::vector<bool> firms_enabled_;
  ouch::Profile profile_;
  Matching core_;
  Publisher publisher_;
  Outlet& outlet_;
  std::unordered_map<std::uint64_t, OrderRef> by_urn_;
  std::unordered_map<OrderRef, Details> details_;
  std::array<std::uint8_t, ouch::kMessageBytesMax> buffer_{};
  Events events_;
  std::uint64_t now_ns_ = 0;
  bool paused_ = false;
  bool closed_ = false;
};

}  // namespace hft::venue
