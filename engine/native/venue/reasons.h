// Why an order is rejected: the codes of OUCH 5.0, appendix D, that this venue uses.
#pragma once

#include <cstdint>
#include <string_view>

#include "venue/order.h"

namespace hft::venue::reason {

inline constexpr std::uint16_t kNone = 0;
inline constexpr std::uint16_t kDestinationClosed = 0x0002;
inline constexpr std::uint16_t kInvalidDisplay = 0x0003;
inline constexpr std::uint16_t kHalted = 0x0007;
inline constexpr std::uint16_t kInvalidSide = 0x0009;
inline constexpr std::uint16_t kFirmNotAuthorized = 0x000C;
inline constexpr std::uint16_t kOther = 0x000F;
inline constexpr std::uint16_t kInvalidQuantity = 0x0013;
inline constexpr std::uint16_t kInvalidCrossOrder = 0x0014;
inline constexpr std::uint16_t kInvalidSymbol = 0x0017;
inline constexpr std::uint16_t kInvalidPrice = 0x001D;

constexpr std::uint16_t of(Verdict verdict) {
  switch (verdict) {
    case Verdict::invalid_symbol: return kInvalidSymbol;
    case Verdict::invalid_quantity: return kInvalidQuantity;
    case Verdict::invalid_price: return kInvalidPrice;
    default: return kOther;
  }
}

// The code as the log spells it.
constexpr std::string_view name_of(std::uint16_t code) {
  switch (code) {
    case kDestinationClosed: return "destination_closed";
    case kInvalidDisplay: return "invalid_display";
    case kHalted: return "halted";
    case kInvalidSide: return "invalid_side";
    case kFirmNotAuthorized: return "firm_not_authorized";
    case kInvalidQuantity: return "invalid_quantity";
    case kInvalidCrossOrder: return "invalid_cross_order";
    case kInvalidSymbol: return "invalid_symbol";
    case kInvalidPrice: return "invalid_price";
    default: return "other";
  }
}

}  // namespace hft::venue::reason
