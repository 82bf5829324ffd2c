// What the venue's matching core speaks: orders in, events out. Plain values, no wire format, no clock.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace hft::venue {

using OrderRef = std::uint64_t;  // the venue's day-unique order reference number
using Price = std::uint32_t;     // four implied decimals, as ITCH and OUCH 5.0 carry it
using Quantity = std::uint32_t;
using Symbol = std::uint16_t;     // ITCH stock locate
using AccountId = std::uint16_t;  // index of the venue's account list; kHouseAccount is the synthetic flow
using FirmId = std::uint16_t;     // index of the venue's firm list

inline constexpr AccountId kHouseAccount = 0xFFFF;
inline constexpr FirmId kHouseFirm = 0xFFFF;
// OUCH 5.0 (2 May 2023), 1.2 and 2.1: at most $199,999.9900 and fewer than 1,000,000 shares.
inline constexpr Price kPriceMax = 1'999'999'900;
inline constexpr Quantity kQuantityMax = 999'999;

enum class Side : std::uint8_t { buy, sell };

// What happens when an order would trade with one of its own firm. OUCH calls it self match prevention.
enum class SelfTrade : std::uint8_t { allow, cancel_newest, cancel_oldest };

struct NewOrder {
  AccountId account = kHouseAccount;
  FirmId firm = kHouseFirm;
  std::uint32_t urn = 0;  // the owner's user reference number; the core only carries it
  Symbol symbol = 0;
  Side side = Side::buy;
  Quantity quantity = 0;
  Price price = 0;
  bool immediate = false;     // IOC: what does not trade at once is canceled
  bool attributable = false;  // published with the firm's name
};

struct Replacement {
  std::uint32_t urn = 0;
  Quantity total = 0;  // liable for the whole chain, executions so far included (OUCH 5.0, 2.2)
  Price price = 0;
  bool immediate = false;
  bool attributable = false;
};

enum class What : std::uint8_t {
  // for the order's owner
  accepted,
  replaced,      // other = previous reference, other_urn = previous number
  executed,      // maker says which end of the trade
  canceled,      // quantity taken off, reason; the rest may live on
  self_matched,  // canceled by self match prevention; other_quantity = what would have traded
  modified,
  // for everybody: each one is one ITCH message
  book_add,
  book_execute,
  book_reduce,
  book_delete,
  book_replace,  // other = previous reference; never changes side or symbol
};

struct Event {
  What what = What::accepted;
  Side side = Side::buy;
  bool maker = false;
  bool attributable = false;
  bool immediate = false;
  char reason = ' ';  // OUCH 5.0 appendix C
  AccountId account = kHouseAccount;
  FirmId firm = kHouseFirm;
  Symbol symbol = 0;
  std::uint32_t urn = 0;
  std::uint32_t other_urn = 0;
  OrderRef ref = 0;
  OrderRef other = 0;
  std::uint64_t match = 0;
  Quantity quantity = 0;
  Quantity other_quantity = 0;
  Price price = 0;
};

using Events = std::vector<Event>;

enum class Verdict : std::uint8_t {
  done,
  not_live,  // no such order any more: a late or repeated request
  invalid_symbol,
  invalid_quantity,
  invalid_price,
  not_allowed,  // an increase where only a decrease may be
};

constexpr std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::done: return "done";
    case Verdict::not_live: return "not_live";
    case Verdict::invalid_symbol: return "invalid_symbol";
    case Verdict::invalid_quantity: return "invalid_quantity";
    case Verdict::invalid_price: return "invalid_price";
    case Verdict::not_allowed: return "not_allowed";
  }
  return "unknown";
}

}  // namespace hft::venue
