// What the venue, or the law, would refuse: fields, prices, halts, short sales. Pure.
//
// An order that the venue turns down has shown itself already, and one that it should have turned down is a violation
// of the firm (17 CFR 240.15c3-5 asks for the check before the order leaves). Fields are closed sets: what is not named
// is refused, also a letter that the venue would take and nobody here has thought of.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/reason.h"

namespace hft::gateway {

using Shares = std::map<std::string, std::int64_t, std::less<>>;  // by symbol
using SharesOfAccounts = std::map<std::string, Shares, std::less<>>;

// The part of the limits file that says it, with what holds for a key that is absent.
struct VenueRules {
  std::string times_in_force = "03";  // day, immediate or cancel
  std::string displays = "YNA";
  std::string capacities = "APRO";
  std::string cross_types = "N";
  // From this price on, prices are multiples of that; 17 CFR 242.612 unless told otherwise.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ticks_e4 = {{0, 1}, {10'000, 100}};
  std::vector<std::string> halted;     // sorted
  SharesOfAccounts positions_at_open;  // what an account held before the day's first execution
  SharesOfAccounts locates;            // what it may sell short today

  bool is_halted(std::string_view symbol) const { return std::binary_search(halted.begin(), halted.end(), symbol); }

  static std::int64_t of(const SharesOfAccounts& all, std::string_view account, std::string_view symbol) {
    const auto shares = all.find(account);
    if (shares == all.end()) return 0;
    const auto found = shares->second.find(symbol);
    return found == shares->second.end() ? 0 : found->second;
  }
};

inline constexpr std::string_view kSides = "BSTE";  // buy, sell, sell short, sell short exempt
inline constexpr std::string_view kSweeps = "YN";
inline constexpr std::uint32_t kQuantityMost = 999'999;       // OUCH 5.0: less than one million
inline constexpr std::uint64_t kPriceMostE4 = 1'999'999'900;  // 199,999.9900

struct OrderFields {
  char side = 'B';
  char time_in_force = '0';
  char display = 'Y';
  char capacity = 'P';
  char sweep = 'N';
  char cross_type = 'N';
  std::uint32_t quantity = 0;
  std::uint64_t price_e4 = 0;
};

inline Reason judge_fields(const VenueRules& rules, const OrderFields& order) {
  const auto is_in = [](std::string_view set, char letter) { return set.find(letter) != std::string_view::npos; };
  if (!is_in(kSides, order.side)) return Reason::field_side;
  if (!is_in(rules.times_in_force, order.time_in_force)) return Reason::field_time_in_force;
  if (!is_in(rules.displays, order.display)) return Reason::field_display;
  if (!is_in(rules.capacities, order.capacity)) return Reason::field_capacity;
  if (!is_in(kSweeps, order.sweep)) return Reason::field_sweep;
  if (!is_in(rules.cross_types, order.cross_type)) return Reason::field_cross_type;
  if (order.quantity == 0 || order.quantity > kQuantityMost) return Reason::field_quantity;
  return order.price_e4 == 0 || order.price_e4 > kPriceMostE4 ? Reason::field_price : Reason::ok;
}

inline Reason judge_tick(const VenueRules& rules, std::uint64_t price_e4) {
  std::uint64_t tick = 1;
  for (const auto& [from, every] : rules.ticks_e4)
    if (price_e4 >= from) tick = every;
  return price_e4 % tick == 0 ? Reason::ok : Reason::tick;
}

// What an account has of a symbol: bought less sold today, and what works at the venue to be sold.
struct Held {
  std::int64_t position = 0;
  std::int64_t selling = 0;        // sells marked long that are open
  std::int64_t selling_short = 0;  // marked short, open
  std::int64_t sold_short = 0;     // marked short, executed today
};

// A sale is long as far as it is held (17 CFR 242.200(g)), and a short one needs a locate (242.203(b)).
inline Reason judge_sale(const VenueRules& rules, std::string_view account, std::string_view symbol, const Held& held,
                         char side, std::uint32_t quantity) {
  if (side == 'B') return Reason::ok;
  if (side == 'S') {
    const auto owned = VenueRules::of(rules.positions_at_open, account, symbol) + held.position - held.selling;
    return owned >= quantity ? Reason::ok : Reason::short_mark;
  }
  const auto located = VenueRules::of(rules.locates, account, symbol) - held.sold_short - held.selling_short;
  return located >= quantity ? Reason::ok : Reason::short_locate;
}

}  // namespace hft::gateway
