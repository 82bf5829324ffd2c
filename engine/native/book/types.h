// What the L3 book is made of: orders, price levels, their pools, and the words for what a message did.
#pragma once

#include <memory_resource>
#include <vector>

#include "wire/bytes.h"

namespace hft::book {

enum class Side : std::uint8_t { bid, ask };

// Ask for the cache line of `at`. A function that does nothing but __builtin_prefetch has no effect in GCC's eyes
// (seen with 12.2), which then leaves out the call to it; an empty volatile asm is an effect.
inline void prefetch(const void* at) {
  __builtin_prefetch(at);
  asm volatile("");
}

// Slot 0 of every pool means "none".
using Slot = std::uint32_t;
inline constexpr Slot kNone = 0;

// 32 bytes: two to a cache line, none across two. `ahead` and `behind` are the neighbours in time priority on the
// same level; an order that is gone has no level.
struct alignas(32) Order {
  std::uint64_t reference = 0;
  std::uint32_t price = 0;
  std::uint32_t shares = 0;
  Slot ahead = kNone;
  Slot behind = kNone;
  Slot level = kNone;
  std::uint16_t locate = 0;
  Side side = Side::bid;
};
static_assert(sizeof(Order) == 32);

// The last order's reference stands here too: an order that comes needs it, and need not wait for that order.
struct alignas(32) Level {
  std::uint64_t shares = 0;
  std::uint32_t price = 0;
  std::uint32_t orders = 0;
  Slot first = kNone;  // highest priority
  Slot last = kNone;
  std::uint64_t last_reference = 0;
};
static_assert(sizeof(Level) == 32);

// One step of a side's ladder. The key rises towards the best price on both sides, so the best is at the back.
struct Rung {
  std::uint32_t key;
  Slot level;
};

constexpr std::uint32_t key_of(Side side, std::uint32_t price) { return side == Side::bid ? price : ~price; }

// Both ladders of a symbol in one cache line.
struct alignas(64) Symbol {
  explicit Symbol(std::pmr::memory_resource* memory) : ladders{Ladder(memory), Ladder(memory)} {}
  using Ladder = std::pmr::vector<Rung>;
  std::array<Ladder, 2> ladders;
};

// What nearly every message asks of a symbol, kept apart from the ladders so that all symbols' fit into a cache.
struct Head {
  std::array<Slot, 2> best{};  // levels; kNone: the side is empty
  std::array<char, 8> stock{};
};

// What was found out about a message beforehand (book/prefetch.h). The book checks a hint before it acts on it: one
// that is wrong, or `{}`, costs time and nothing else.
struct Hint {
  Slot order;          // where the order that the message names may be
  std::uint32_t rung;  // where in its ladder the price that the message enters may be
};

struct Top {
  std::uint32_t price = 0;  // 4 decimals
  std::uint64_t shares = 0;
  std::uint32_t orders = 0;  // 0: the side is empty
  bool operator==(const Top&) const = default;
};

struct Bbo {
  Top bid;
  Top ask;
};

// What one message did to the books.
enum class Applied : std::uint8_t {
  changed,
  irrelevant,           // a type that moves no displayed order
  malformed,            // the decoder took no message out of the bytes
  bad_field,            // a side that is neither buy nor sell
  zero_shares,          // an order or a reduction of nothing
  duplicate_reference,  // add or replace with a reference that is live
  unknown_reference,    // acts on an order never seen or gone; normal when joining mid-day
  capacity,             // the pools are full: from here on the book is wrong
  count_,
};

struct Result {
  Applied what;
  bool top_changed = false;  // best price, its shares or its order count on the side that was touched
  std::uint16_t locate = 0;
};

struct Counters {
  std::array<std::uint64_t, static_cast<std::size_t>(Applied::count_)> applied{};
  std::uint64_t locate_mismatch = 0;  // a message whose locate is not its order's; the order's counts
  std::uint64_t excess_shares = 0;    // took more than the order had; the order is gone

  std::uint64_t of(Applied what) const { return applied[static_cast<std::size_t>(what)]; }
};

struct Limits {
  std::size_t orders_max = std::size_t{1} << 21;
  std::size_t levels_max = std::size_t{1} << 20;
  std::size_t locates = 65536;
};

// Objects of one kind in one block taken at the start; freed ones are handed out again, the last one first,
// because it is still in the cache.
template <class Item>
class Pool {
 public:
  Pool(std::size_t items_max, std::pmr::memory_resource* memory) : items_(memory), free_(memory) {
    items_.reserve(items_max + 1);
    free_.reserve(items_max);
    items_.emplace_back();
  }

  Slot take() {
    if (!free_.empty()) {
      const Slot slot = free_.back();
      free_.pop_back();
      return slot;
    }
    if (items_.size() == items_.capacity()) return kNone;
    items_.emplace_back();
    return static_cast<Slot>(items_.size() - 1);
  }

  void give_back(Slot slot) { free_.push_back(slot); }
  // All of them at once; the memory stays.
  void clear() {
    items_.erase(items_.begin() + 1, items_.end());
    free_.clear();
  }
  bool full() const { return free_.empty() && items_.size() == items_.capacity(); }
  std::size_t used() const { return items_.size() - 1 - free_.size(); }
  Item& operator[](Slot slot) { return items_[slot]; }
  const Item& operator[](Slot slot) const { return items_[slot]; }

 private:
  std::pmr::vector<Item> items_;
  std::pmr::vector<Slot> free_;
};

}  // namespace hft::book
