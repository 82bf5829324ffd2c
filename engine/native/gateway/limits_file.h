// The gateway's part of the signed limits file, read strictly: a limit that is missing is not "no limit".
#pragma once

#include <algorithm>
#include <optional>

#include "base/digest.h"
#include "gateway/json.h"
#include "gateway/limits.h"

namespace hft::gateway {

// Each of these reads one key into what it has when the key is absent; false: it is there and wrong.
inline bool read_letters(const Json& part, const char* key, std::string& letters) {
  if (!part.contains(key)) return true;
  if (!part[key].is_array() || part[key].empty()) return false;
  letters.clear();
  for (const auto& letter : part[key]) {
    if (!letter.is_string() || letter.get<std::string>().size() != 1) return false;
    letters += letter.get<std::string>();
  }
  return true;
}

inline bool read_ticks(const Json& part, VenueRules& rules) {
  if (!part.contains("ticks")) return true;
  if (!part["ticks"].is_array() || part["ticks"].empty()) return false;
  rules.ticks_e4.clear();
  for (const auto& tick : part["ticks"]) {
    const auto from = tick.is_object() ? number_at(tick, "from_price_e4") : std::nullopt;
    const auto every = tick.is_object() ? number_at(tick, "tick_e4") : std::nullopt;
    if (!from || !every || *every == 0 || (!rules.ticks_e4.empty() && *from <= rules.ticks_e4.back().first))
      return false;
    rules.ticks_e4.emplace_back(*from, *every);
  }
  return rules.ticks_e4.front().first == 0;
}

inline bool read_shares(const Json& part, const char* key, bool may_be_negative, SharesOfAccounts& all) {
  if (!part.contains(key)) return true;
  if (!part[key].is_object()) return false;
  for (const auto& [account, symbols] : part[key].items()) {
    if (!symbols.is_object()) return false;
    for (const auto& [symbol, shares] : symbols.items()) {
      constexpr std::int64_t kSharesMost = 1'000'000'000'000;
      if (!shares.is_number_integer() || shares > kSharesMost || shares < (may_be_negative ? -kSharesMost : 0))
        return false;
      all[account][symbol] = shares.get<std::int64_t>();
    }
  }
  return true;
}

inline bool read_rules(const Json& part, VenueRules& rules) {
  if (part.contains("halted")) {
    if (!part["halted"].is_array()) return false;
    for (const auto& symbol : part["halted"]) {
      if (!symbol.is_string()) return false;
      rules.halted.push_back(symbol.get<std::string>());
    }
    std::sort(rules.halted.begin(), rules.halted.end());
  }
  return read_letters(part, "times_in_force", rules.times_in_force) && read_letters(part, "displays", rules.displays) &&
         read_letters(part, "capacities", rules.capacities) && read_letters(part, "cross_types", rules.cross_types) &&
         read_ticks(part, rules) && read_shares(part, "positions_at_open", true, rules.positions_at_open) &&
         read_shares(part, "locates", false, rules.locates);
}

// A key that nobody knows is a rule that nobody holds.
inline bool knows_all(const Json& part) {
  constexpr std::string_view kKnown[] = {"orders_per_s_max",
                                         "order_quantity_max_shares",
                                         "order_notional_max_e4",
                                         "symbols",
                                         "times_in_force",
                                         "displays",
                                         "capacities",
                                         "cross_types",
                                         "ticks",
                                         "halted",
                                         "positions_at_open",
                                         "locates"};
  for (const auto& [key, value] : part.items())
    if (std::find(std::begin(kKnown), std::end(kKnown), key) == std::end(kKnown)) return false;
  return true;
}

inline std::optional<Limits> limits_from(const std::string& text) {
  const auto object = parse_object(text);
  if (!object || !object->contains("gateway") || !(*object)["gateway"].is_object()) return std::nullopt;
  const auto& part = (*object)["gateway"];
  const auto serial = number_at(*object, "serial");
  const auto not_after = number_at(*object, "not_after_utc_ns");
  const auto rate = number_at(part, "orders_per_s_max");
  const auto quantity = number_at(part, "order_quantity_max_shares");
  const auto notional = number_at(part, "order_notional_max_e4");
  const auto symbols = part.find("symbols");
  if (!serial || !not_after || !rate || !quantity || !notional) return std::nullopt;
  if (symbols == part.end() || !symbols->is_array() || *rate > 1'000'000 || *quantity > UINT32_MAX) return std::nullopt;
  Limits limits{*serial,
                static_cast<std::int64_t>(*not_after),
                static_cast<std::uint32_t>(*rate),
                static_cast<std::uint32_t>(*quantity),
                *notional,
                {},
                base::digest_of(text),
                {}};
  if (!knows_all(part) || !read_rules(part, limits.rules)) return std::nullopt;
  for (const auto& symbol : *symbols) {
    if (!symbol.is_string()) return std::nullopt;
    limits.symbols.push_back(symbol.get<std::string>());
  }
  std::sort(limits.symbols.begin(), limits.symbols.end());
  return limits;
}

}  // namespace hft::gateway
