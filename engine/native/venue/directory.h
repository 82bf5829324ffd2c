// Who and what the venue knows: symbols with their ITCH locates, firms by their four letters.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "venue/order.h"
#include "wire/bytes.h"

namespace hft::venue {

class Directory {
 public:
  // Locate 0 is "not about one symbol" in ITCH, so `first_locate` is at least 1.
  Directory(std::vector<std::string> symbols, std::vector<std::string> firms, std::uint16_t first_locate)
      : symbols_(std::move(symbols)), firms_(std::move(firms)), first_locate_(first_locate) {
    for (std::size_t i = 0; i < symbols_.size(); ++i) index_.emplace(symbols_[i], static_cast<Symbol>(i));
  }

  [[nodiscard]] Symbol size() const { return static_cast<Symbol>(symbols_.size()); }
  [[nodiscard]] std::string_view name(Symbol symbol) const { return symbols_[symbol]; }
  [[nodiscard]] std::uint16_t locate(Symbol symbol) const { return static_cast<std::uint16_t>(first_locate_ + symbol); }
  [[nodiscard]] std::optional<Symbol> find(std::string_view padded) const {
    const auto found = index_.find(std::string(trimmed(padded)));
    return found == index_.end() ? std::nullopt : std::optional(found->second);
  }
  [[nodiscard]] std::string_view firm(FirmId id) const {
    return id < firms_.size() ? std::string_view(firms_[id]) : std::string_view("HOUS");
  }
  [[nodiscard]] std::optional<FirmId> find_firm(std::string_view padded) const {
    for (std::size_t i = 0; i < firms_.size(); ++i) {
      if (firms_[i] == trimmed(padded)) return static_cast<FirmId>(i);
    }
    return std::nullopt;
  }

 private:
  std::vector<std::string> symbols_;
  std::vector<std::string> firms_;
  std::unordered_map<std::string, Symbol> index_;
  std::uint16_t first_locate_;
};

// Symbols of a synthetic day: S0000, S0001, ... in base 10, at most 8 letters.
inline std::vector<std::string> synthetic_symbols(std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string digits = std::to_string(i);
    std::string name(digits.size() < 4 ? 5 - digits.size() : 1, '0');
    name[0] = 'S';
    names.push_back(name.append(digits));
  }
  return names;
}

}  // namespace hft::venue
