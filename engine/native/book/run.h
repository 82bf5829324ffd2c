// Applying a run of messages with its memory brought in beforehand (book/prefetch.h).
//
// The index entries and symbols of the datagram after this one are asked for now; where datagrams come one by one,
// `next` is null, and whoever has only this one begins with its own (prefetch_index).
#pragma once

#include "book/prefetch.h"
#include "wire/mold.h"

namespace hft::book {

// What needs nothing but the message itself.
inline void prefetch_index(const Book& book, const mold::Packet& run) {
  mold::for_each(run, [&](std::uint64_t, Bytes message) {
    if (itch::check(message) != Reject::none || !itch::names_an_order(static_cast<char>(message[0]))) return;
    book.prefetch_symbol(itch::locate.load(message.data()));
    book.prefetch_entry(itch::order_reference.load(message.data()));
    if (static_cast<char>(message[0]) != itch::OrderReplace::type) return;
    book.prefetch_entry(itch::OrderReplace::new_reference.load(message.data()));
  });
}

// As many messages of a datagram as the waves take at once.
class Stretch {
 public:
  explicit Stretch(Book& book) : book_(book), prefetch_(book) {}

  bool full() const { return prefetch_.full(); }

  void take(Bytes message) {
    messages_[prefetch_.size()] = {message.data(), message.size()};
    if (itch::check(message) != Reject::none) return prefetch_.skip();
    const std::uint8_t* at = message.data();
    switch (static_cast<char>(message[0])) {
      case itch::AddOrder::type:
      case itch::AddOrderMpid::type:
        return prefetch_.add(itch::locate.load(at), itch::AddOrder::side.load(at) == itch::kBuy ? Side::bid : Side::ask,
                             itch::AddOrder::price.load(at));
      case itch::OrderReplace::type:
        return prefetch_.replace(itch::order_reference.load(at), itch::locate.load(at),
                                 itch::OrderReplace::price.load(at));
      default:
        return itch::names_an_order(static_cast<char>(message[0])) ? prefetch_.name(itch::order_reference.load(at))
                                                                   : prefetch_.skip();
    }
  }

  // Apply what was taken, the first of it with this sequence number, and begin anew; how much it was.
  template <class Took>
  std::size_t apply(std::uint64_t sequence, Took& took) {
    prefetch_.roll();
    const std::size_t count = prefetch_.size();
    for (std::size_t i = 0; i < count; ++i) {
      const Bytes message(messages_[i].data, messages_[i].size);
      took(sequence + i, message, book_.apply(message, prefetch_[i]));
    }
    prefetch_.clear();
    return count;
  }

 private:
  // Bytes without a constructor: a short run shall not pay for places it does not fill.
  struct Place {
    const std::uint8_t* data;
    std::size_t size;
  };

  Book& book_;
  Prefetch prefetch_;
  std::array<Place, Prefetch::kMessagesMax> messages_;
};

// Apply all messages of `now`; `took(sequence, message, result)` is called behind each.
template <class Took>
void apply_run(Book& book, const mold::Packet& now, const mold::Packet* next, Took&& took) {
  if (next != nullptr) prefetch_index(book, *next);
  Stretch stretch(book);
  std::uint64_t applied = now.sequence;
  mold::for_each(now, [&](std::uint64_t, Bytes message) {
    stretch.take(message);
    if (stretch.full()) applied += stretch.apply(applied, took);
  });
  stretch.apply(applied, took);
}

}  // namespace hft::book
