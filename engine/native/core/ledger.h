// Positions, working quantities and realised profit, per symbol and in all; integers, nothing is ever rounded away.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/types.h"

namespace hft::core {

struct Holding {
  std::string symbol;
  std::int64_t position = 0;
  std::int64_t cost_e4 = 0;  // signed cost of the open position
  std::uint64_t working_buy = 0, working_sell = 0;
};

class Ledger {
 public:
  // The number of a symbol; made on first sight.
  SymbolId id_of(std::string_view symbol) {
    const auto found = ids_.find(std::string(symbol));
    if (found != ids_.end()) return found->second;
    const auto id = static_cast<SymbolId>(holdings_.size());
    ids_.emplace(symbol, id);
    holdings_.push_back(Holding{.symbol = std::string(symbol)});
    return id;
  }
  [[nodiscard]] SymbolId find(std::string_view symbol) const {
    const auto found = ids_.find(std::string(symbol));
    return found == ids_.end() ? kNoSymbol : found->second;
  }

  [[nodiscard]] const Holding& of(SymbolId id) const { return holdings_[id]; }
  [[nodiscard]] const std::vector<Holding>& all() const { return holdings_; }
  [[nodiscard]] std::uint64_t gross_e4() const { return gross_e4_; }
  [[nodiscard]] std::int64_t realised_e4() const { return realised_e4_; }

  void work(SymbolId id, char side, std::uint32_t quantity, std::uint64_t price_e4) {
    working(id, side) += quantity;
    gross_e4_ += notional_e4(quantity, price_e4);
  }
  void unwork(SymbolId id, char side, std::uint32_t quantity, std::uint64_t price_e4) {
    working(id, side) -= quantity;
    gross_e4_ -= notional_e4(quantity, price_e4);
  }

  // An execution: what closes a position realises its share of the cost, what opens adds to it.
  void fill(SymbolId id, char side, std::uint32_t quantity, std::uint64_t price_e4) {
    Holding& held = holdings_[id];
    const std::int64_t sign = side == 'B' ? 1 : -1;
    std::int64_t rest = quantity;
    if (held.position * sign < 0) {
      const std::int64_t closing = std::min<std::int64_t>(rest, held.position < 0 ? -held.position : held.position);
      const auto share = static_cast<std::int64_t>(static_cast<__int128>(held.cost_e4) * closing /
                                                   (held.position < 0 ? -held.position : held.position));
      realised_e4_ -= share + sign * closing * static_cast<std::int64_t>(price_e4);
      held.cost_e4 -= share;
      held.position += sign * closing;
      rest -= closing;
    }
    held.position += sign * rest;
    held.cost_e4 += sign * rest * static_cast<std::int64_t>(price_e4);
  }

  void new_day() { realised_e4_ = 0; }

  // Symbol to position, flat ones left out.
  [[nodiscard]] std::map<std::string, std::int64_t> positions() const {
    std::map<std::string, std::int64_t> open;
    for (const Holding& held : holdings_) {
      if (held.position != 0) open.emplace(held.symbol, held.position);
    }
    return open;
  }

 private:
  std::uint64_t& working(SymbolId id, char side) {
    return side == 'B' ? holdings_[id].working_buy : holdings_[id].working_sell;
  }

  std::unordered_map<std::string, SymbolId> ids_;
  std::vector<Holding> holdings_;
  std::uint64_t gross_e4_ = 0;
  std::int64_t realised_e4_ = 0;
};

}  // namespace hft::core
