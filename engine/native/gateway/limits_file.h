// The gateway's part of the signed limits file, read strictly: a limit that is missing is not "no limit".
#pragma once

#include <algorithm>
#include <optional>

#include "base/digest.h"
#include "gateway/json.h"
#include "gateway/limits.h"

namespace hft::gateway {

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
                base::digest_of(text)};
  for (const auto& symbol : *symbols) {
    if (!symbol.is_string()) return std::nullopt;
    limits.symbols.push_back(symbol.get<std::string>());
  }
  std::sort(limits.symbols.begin(), limits.symbols.end());
  return limits;
}

}  // namespace hft::gateway
