// Order state: every order that may be open at the venue, found by user reference number, listed oldest first.
//
// Slots are a ring over the reference number; a slot is taken again once its order is closed, so nothing is
// allocated after the start. An order counts as open from the moment it is journaled until the venue (or the
// gateway, or the last gate) said that it is not; that is the worst case that the risk checks need.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

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
  explicit OrderTable(std::uint32_t capacity) : mask_(capacity - 1), slots_(capacity) {}

  // nullptr when the slot is still held by an open order.
  Order* open(std::uint32_t urn) {
    Order& slot = slots_[urn & mask_];
    if (slot.open() || urn == 0) return nullptr;
    slot = Order{};
    slot.urn = urn;
    slot.status = Order::Status::unanswered;
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

  void close(Order& order) {
    if (!order.open()) return;
    (order.older != 0 ? at(order.older).newer : oldest_) = order.newer;
    (order.newer != 0 ? at(order.newer).older : newest_) = order.older;
    order.status = Order::Status::closed;
    --count_;
  }

  [[nodiscard]] bool can_open(std::uint32_t urn) const { return urn != 0 && !slots_[urn & mask_].open(); }
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
  Order& at(std::uint32_t urn) { return slots_[urn & mask_]; }

  std::uint32_t mask_;
  std::vector<Order> slots_;
  std::uint32_t oldest_ = 0, newest_ = 0;
  std::uint32_t count_ = 0;
};

}  // namespace hft::core
