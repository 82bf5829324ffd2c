// Why an order is rejected: the codes of OUCH 5.0, appendix D, that this venue uses.
#pragma once

#include <cstdint>
#include <string_view>

#include "venue/order.h"

namespace hft::venue::reason {

inline constexpr std::uint16_t none = 0;
inline constexpr std::uint16_t destination_closed = 0x0002;
inline constexpr std::uint16_t invalid_display = 0x0003;
inline constexpr std::uint16_t halted = 0x0007;
inline constexpr std::uint16_t invalid_side = 0x0009;
inline constexpr std::uint16_t firm_not_authorized = 0x000C;
inline constexpr std::uint16_t other = 0x000F;
inline constexpr std::uint16_t invalid_quantity = 0x0013;
inline constexpr std::uint16_t invalid_cross_order = 0x0014;
inline constexpr std::uint16_t invalid_symbol = 0x0017;
inline constexpr std::uint16_t invalid_price = 0x001D;

constexpr std::uint16_t of(Verdict verdict) {
  switch (verdict) {
    case Verdict::invalid_symbol: return invalid_symbol;
    case Verdict::invalid_quantity: return invalid_quantity;
    case Verdict::invalid_price: return invalid_price;
    default: return other;
  }
}

// The code as the log spells it.
constexpr std::string_view name_of(std::uint16_t code) {
  switch (code) {
    case destination_closed: return "destination_closed";
    case invalid_display: return "invalid_display";
    case halted: return "halted";
    case invalid_side: return "invalid_side";
    case firm_not_authorized: return "firm_not_authorized";
    case invalid_quantity: return "invalid_quantity";
    case invalid_cross_order: return "invalid_cross_order";
    case invalid_symbol: return "invalid_symbol";
    case invalid_price: return "invalid_price";
    default: return "other";
  }
}

}  // namespace hft::venue::reason
