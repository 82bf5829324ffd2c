// A seeded market: commands of many unnamed participants, driven through the matching core, so that what is
// published has real price-time priority, real executions and never a crossed book.
//
// A mix names what participants do and which orders they take away. Weights are per thousand:
//   burst          the mix of 1,000 messages of Nasdaq's open of 30 December 2019 (adds 560, replaces 225,
//                  deletes 167, executions 28, partial cancels 6, the rest left out); recent orders die first
//   recent-delete  adds and deletes nearly balance, four of five deletes hit one of the last 4,096 orders
//   uniform-delete the same weights, any live order may die: the worst case for a cache
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "venue/matching.h"

namespace hft::venue {

struct Mix {
  std::string_view name;
  std::uint32_t add, remove, replace, take, reduce;  // weights
  double recent;                                     // share of removals and replacements that hit a recent order
};

inline constexpr std::array<Mix, 3> kMixes{{{"burst", 568, 169, 228, 28, 6, 0.9},
                                            {"recent-delete", 455, 440, 60, 30, 15, 0.8},
                                            {"uniform-delete", 455, 440, 60, 30, 15, 0.0}}};

constexpr std::optional<Mix> find_mix(std::string_view name) {
  for (const Mix& mix : kMixes) {
    if (mix.name == name) return mix;
  }
  return std::nullopt;
}

class Synthetic {
 public:
  // `live_target`: the book is filled to this many orders first, then held near it.
  Synthetic(Matching& core, const Mix& mix, std::size_t live_target, std::uint64_t seed);

  // One command; appends at least one event unless the drawn order died meanwhile.
  void step(Events& events);
  [[nodiscard]] bool filled() const { return filled_; }

 private:
  Symbol pick_symbol();
  Price middle(Symbol symbol) const;
  Price passive_price(Symbol symbol, Side side);
  Quantity pick_quantity() { return static_cast<Quantity>(100 * (1 + random_.below(10))); }
  OrderRef pick_order();
  void add(Events& events);
  void take(Events& events);
  void replace(Events& events);
  void compact();

  Matching& core_;
  Mix mix_;
  std::size_t live_target_;
  std::uint64_t seed_;
  Random random_;
  std::vector<OrderRef> refs_;  // in order of arrival, dead ones among them
  bool filled_ = false;
};

}  // namespace hft::venue
