// The best price of our own open orders, for each symbol and side; found at once, however many are open.
//
// One heap for each symbol and side, best price on top, its nodes in an array by the order's slot: nothing is
// allocated once the symbols are known. They are randomized meldable heaps (A. Gambin and A. Malinowski, "Randomized
// Meldable Priority Queues", SOFSEM 1998): any node leaves by merging its two children, a coin for each step of a
// merge keeps the expected depth logarithmic. The coins come from a counter, so every run is the same.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "core/types.h"

namespace hft::core {

class OwnPrices {
 public:
  explicit OwnPrices(std::uint32_t slots) : nodes_(slots) {}

  // Room for so many symbols; `insert` makes room for one that comes later.
  void reserve(std::size_t symbols) {
    if (roots_.size() < 2 * symbols) roots_.resize(2 * symbols, kNone);
  }

  // The order in this slot; it must not be in yet.
  void insert(std::uint32_t slot, SymbolId symbol, char side, std::uint64_t price_e4) {
    reserve(std::size_t{symbol} + 1);
    const std::size_t heap = heap_of(symbol, side);
    nodes_[slot] = {.key = key_of(side, price_e4), .heap = static_cast<std::uint32_t>(heap)};
    set_root(heap, merge(roots_[heap], slot));
  }

  // Nothing happens when it is not in.
  void remove(std::uint32_t slot) {
    Node& node = nodes_[slot];
    if (node.heap == kNone) return;
    const std::uint32_t rest = merge(node.left, node.right);
    if (node.parent == kNone) set_root(node.heap, rest);
    else {
      Node& parent = nodes_[node.parent];
      (parent.left == slot ? parent.left : parent.right) = rest;
      if (rest != kNone) nodes_[rest].parent = node.parent;
    }
    node = Node{};
  }

  // The highest of our buys, the lowest of our sells; nothing when none is open.
  [[nodiscard]] std::optional<std::uint64_t> best(SymbolId symbol, char side) const {
    const std::size_t heap = heap_of(symbol, side);
    if (heap >= roots_.size() || roots_[heap] == kNone) return std::nullopt;
    const std::uint64_t key = nodes_[roots_[heap]].key;
    return side == 'B' ? ~key : key;
  }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  struct Node {
    std::uint64_t key = 0;  // the least is the best
    std::uint32_t heap = kNone;
    std::uint32_t parent = kNone, left = kNone, right = kNone;
  };

  static std::size_t heap_of(SymbolId symbol, char side) { return 2 * std::size_t{symbol} + (side == 'B' ? 0 : 1); }
  static std::uint64_t key_of(char side, std::uint64_t price_e4) { return side == 'B' ? ~price_e4 : price_e4; }

  void set_root(std::size_t heap, std::uint32_t root) {
    roots_[heap] = root;
    if (root != kNone) nodes_[root].parent = kNone;
  }

  // splitmix64 (S. Vigna): one bit of it is coin enough.
  bool coin() {
    std::uint64_t mixed = (coins_ += 0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    return (mixed >> 40 & 1) != 0;
  }

  std::uint32_t merge(std::uint32_t one, std::uint32_t other) {
    if (one == kNone) return other;
    if (other == kNone) return one;
    if (nodes_[other].key < nodes_[one].key) std::swap(one, other);
    std::uint32_t& child = coin() ? nodes_[one].left : nodes_[one].right;
    child = merge(child, other);
    nodes_[child].parent = one;
    return one;
  }

  std::vector<Node> nodes_;
  std::vector<std::uint32_t> roots_;
  std::uint64_t coins_ = 0;
};

}  // namespace hft::core
