// Order state: every order that may be open at the venue, found by user reference number, listed oldest first.
//
// Slots are a ring over the reference number; a slot is taken again once its order is closed, so nothing is
// allocated after the start, and a number whose slot an old order still holds is passed over. An order counts as open
// from the moment it is journaled until the venue (or the gateway, or the last gate) said that it is not; that is the
// worst case that the risk checks need.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <vector>

#include "core/own_prices.h"
#include "core/types.h"

namespace hft::core {

constexpr std::size_t kOuchBytesMax = 64;

struct Order {
  enum class Status : std::uint8_t { closed, unanswered, live };

  std::uint32_t urn = 0;
  SymbolId symbol = kNoSymbol;
  Status status = Status::closed;
  char side = 'B';
  bool cancel_sent = false;
  bool resent = false;  // may have reached the venue before, whatever becomes of the copy that waits
  std::uint32_t leaves = 0;
  std::uint64_t price_e4 = 0;
  std::uint64_t sent_ns = 0;
  std::uint64_t cancel_ns = 0;
  std::uint32_t older = 0, newer = 0;  // open orders as a list of reference numbers; 0 ends it
  std::uint32_t bytes_length = 0;
  std::array<std::byte, kOuchBytesMax> bytes{};  // the message as journaled, to send again after a reconnect

  [[nodiscard]] bool open() const { return status != Status::closed; }
};

class OrderTable {
 public:
  // A power of two, at least 64.
  explicit OrderTable(std::uint32_t capacity)
      : mask_(capacity - 1), slots_(capacity), taken_(capacity / 64), prices_(capacity) {}

  void reserve(std::size_t symbols) { prices_.reserve(symbols); }

  // nullptr when the slot is still held by an open order.
  Order* open(std::uint32_t urn) {
    Order& slot = slots_[urn & mask_];
    if (slot.open() || urn == 0) return nullptr;
    slot = Order{};
    slot.urn = urn;
    slot.status = Order::Status::unanswered;
    taken_[(urn & mask_) / 64] |= bit(urn);
    slot.older = newest_;
    if (newest_ != 0) at(newest_).newer = urn;
    if (oldest_ == 0) oldest_ = urn;
    newest_ = urn;
    ++count_;
    return &slot;
  }

  Order* find(std::uint32_t urn) {
    Order& slot = slots_[urn & mask_];
    return slot.open() && slot.urn == urn ? &slot : nullptr;
  }

  // Its symbol, side and price are known now, or its price is another: it counts for `best`.
  void price(const Order& order) {
    prices_.remove(order.urn & mask_);
    prices_.insert(order.urn & mask_, order.symbol, order.side, order.price_e4);
  }
  // The best price of our own orders in this symbol on this side (B, or anything that sells).
  [[nodiscard]] std::optional<std::uint64_t> best(SymbolId symbol, char side) const {
    return prices_.best(symbol, side);
  }

  void close(Order& order) {
    if (!order.open()) return;
    prices_.remove(order.urn & mask_);
    (order.older != 0 ? at(order.older).newer : oldest_) = order.newer;
    (order.newer != 0 ? at(order.newer).older : newest_) = order.older;
    order.status = Order::Status::closed;
    taken_[(order.urn & mask_) / 64] &= ~bit(order.urn);
    --count_;
  }

  // The first number from `urn` on whose slot is free; 0 when none is.
  [[nodiscard]] std::uint32_t free_from(std::uint32_t urn) const {
    for (std::uint32_t ahead = 0; ahead <= mask_ + 64;) {
      const std::uint32_t at = (urn + ahead) & mask_;
      const std::uint64_t free = ~taken_[at / 64] >> at % 64;
      if (free != 0) return urn + ahead + static_cast<std::uint32_t>(std::countr_zero(free));
      ahead += 64 - at % 64;
    }
    return 0;
  }
  [[nodiscard]] std::uint32_t count() const { return count_; }

  // Oldest first; `visit` may close the order it is given and nothing else.
  template <class Visit>
  void for_each(Visit&& visit) {
    for (std::uint32_t urn = oldest_; urn != 0;) {
      Order& order = at(urn);
      urn = order.newer;
      visit(order);
    }
  }
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (std::uint32_t urn = oldest_; urn != 0; urn = slots_[urn & mask_].newer) visit(slots_[urn & mask_]);
  }

 private:
  static std::uint64_t bit(std::uint32_t urn) { return 1ULL << urn % 64; }
  Order& at(std::uint32_t urn) { return slots_[urn & mask_]; }

  std::uint32_t mask_;
  std::vector<Order> slots_;
  std::vector<std::uint64_t> taken_;  // a bit for each slot
  OwnPrices prices_;
  std::uint32_t oldest_ = 0, newest_ = 0;
  std::uint32_t count_ = 0;
};

}  // namespace hft::core
