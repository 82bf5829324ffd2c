// The memory that a run of messages will touch, asked for in waves.
//
// What a message touches is a chain of cache misses: index entry, order, level, neighbours in the queue; or ladder,
// level, last order. Taken one message at a time they add up; taken in waves over the run, each wave finds what the
// one before asked for. What a wave finds it keeps: the next wave reads no message again, and the book gets it as a
// hint. A wave goes over one kind of message at a time, since branches on a mixed run are mispredicted.
#pragma once

#include "book/book.h"

namespace hft::book {

class Prefetch {
 public:
  static constexpr std::size_t kMessagesMax = 64;

  explicit Prefetch(const Book& book) : book_(book) {}

  // First wave, message by message; each is an add, a replace, one that only names an order, or one of no concern.
  void add(std::uint16_t locate, Side side, std::uint32_t price) {
    book_.prefetch_ladder(locate, side);
    entering_[entering_count_++] = {count_, locate, side, price, kNone};
    hints_[count_++] = {};
  }
  void replace(std::uint64_t reference, std::uint16_t locate, std::uint32_t price) {
    book_.prefetch_ladder(locate, Side::bid);
    book_.prefetch_ladder(locate, Side::ask);
    entering_[entering_count_++] = {count_, locate, Side::bid, price, kNone};
    name(reference);
  }
  void name(std::uint64_t reference) {
    naming_[naming_count_++] = count_;
    hints_[count_++] = {book_.prefetch_order(reference), 0};
  }
  void skip() { hints_[count_++] = {}; }

  // The waves behind it.
  void roll() {
    for (std::size_t i = 0; i < naming_count_; ++i) book_.prefetch_neighbours(hints_[naming_[i]].order);
    for (std::size_t i = 0; i < entering_count_; ++i) prefetch_level(entering_[i]);
    for (std::size_t i = 0; i < naming_count_; ++i) book_.prefetch_rung(hints_[naming_[i]].order);
    for (std::size_t i = 0; i < entering_count_; ++i) book_.prefetch_last(entering_[i].level);
  }

  bool full() const { return count_ == kMessagesMax; }
  std::size_t size() const { return count_; }
  Hint operator[](std::size_t message) const { return hints_[message]; }
  void clear() { count_ = naming_count_ = entering_count_ = 0; }

 private:
  struct Entering {
    std::uint32_t message;
    std::uint16_t locate;
    Side side;
    std::uint32_t price;
    Slot level;
  };

  void prefetch_level(Entering& entering) {
    Hint& hint = hints_[entering.message];
    // A replacement is on the side of the order it replaces.
    const Side side = hint.order == kNone ? entering.side : book_.side_at(hint.order);
    const Book::Near near = book_.prefetch_level(entering.locate, side, entering.price);
    hint.rung = near.rung;
    entering.level = near.level;
  }

  const Book& book_;
  std::uint32_t count_ = 0;
  std::uint32_t naming_count_ = 0;
  std::uint32_t entering_count_ = 0;
  std::array<Hint, kMessagesMax> hints_;
  std::array<std::uint32_t, kMessagesMax> naming_;
  std::array<Entering, kMessagesMax> entering_;
};

}  // namespace hft::book
