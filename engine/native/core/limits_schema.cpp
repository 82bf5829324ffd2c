// See limits_schema.h.
#include "core/limits_schema.h"

#include <algorithm>
#include <array>
#include <utility>

namespace hft::core {
namespace {

constexpr std::uint64_t kNumberMax = INT64_MAX;

bool is_symbol(std::string_view symbol) {
  constexpr std::string_view known = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.";
  return !symbol.empty() && symbol.size() <= 8 && symbol.find_first_not_of(known) == std::string_view::npos;
}

}  // namespace

std::string limits_fault(const Limits& limits) {
  using Field = std::pair<const char*, std::uint64_t>;
  const std::array<Field, 7> from_one{Field{"serial", limits.serial},
                                      {"order_quantity_max", limits.order_quantity_max},
                                      {"order_notional_max_e4", limits.order_notional_max_e4},
                                      {"gross_notional_max_e4", limits.gross_notional_max_e4},
                                      {"messages_per_second_max", limits.messages_per_second_max},
                                      {"open_orders_max", limits.open_orders_max},
                                      {"repeated_executions_max", limits.repeated_executions_max}};
  for (const auto& [name, value] : from_one) {
    if (value == 0) return std::string("field ") + name + " is 0, and 1 is the least";
  }
  const std::array<Field, 6> bounded{Field{"order_notional_max_e4", limits.order_notional_max_e4},
                                     {"gross_notional_max_e4", limits.gross_notional_max_e4},
                                     {"position_max", limits.position_max},
                                     {"duplicate_window_ms", limits.duplicate_window_ms},
                                     {"daily_loss_max_e4", limits.daily_loss_max_e4},
                                     {"repeated_executions_max", limits.repeated_executions_max}};
  for (const auto& [name, value] : bounded) {
    if (value > kNumberMax) return std::string("field ") + name + " is above 2^63 - 1";
  }
  if (limits.messages_per_second_max > kMessagesPerSecondMax) {
    return "field messages_per_second_max is above " + std::to_string(kMessagesPerSecondMax);
  }
  if (orders_in_window(limits) > kOrdersInWindowMax) {
    return "field duplicate_window_ms: at messages_per_second_max more than " + std::to_string(kOrdersInWindowMax) +
           " orders leave within it";
  }
  if (!std::all_of(limits.symbols.begin(), limits.symbols.end(), is_symbol)) {
    return "field symbols holds one that is not 1 to 8 of A-Z, 0-9 and .";
  }
  return {};
}

}  // namespace hft::core
