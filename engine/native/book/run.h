// Applying a run of messages with its memory brought in beforehand.
//
// What a message touches is a chain of cache misses: index entry, order, level, neighbours in the queue. Taken one
// message at a time they add up; taken in waves over the datagram, each wave finds what the one before asked for.
// The index entries of the datagram after this one are asked for now; where datagrams come one by one, `next` is
// null, and whoever has only this one begins with its own index entries.
#pragma once

#include "book/book.h"
#include "wire/mold.h"

namespace hft::book {

inline void prefetch_index(const Book& book, const mold::Packet& run) {
  mold::for_each(run, [&](std::uint64_t, Bytes message) { book.prefetch_index(message); });
}

// The waves behind the index entries.
inline void prefetch_orders(const Book& book, const mold::Packet& run) {
  mold::for_each(run, [&](std::uint64_t, Bytes message) { book.prefetch_order(message); });
  mold::for_each(run, [&](std::uint64_t, Bytes message) { book.prefetch_level(message); });
  mold::for_each(run, [&](std::uint64_t, Bytes message) { book.prefetch_last(message); });
}

// Apply all messages of `now`; `took(sequence, message, result)` is called behind each.
template <class Took>
void apply_run(Book& book, const mold::Packet& now, const mold::Packet* next, Took&& took) {
  if (next != nullptr) prefetch_index(book, *next);
  prefetch_orders(book, now);
  mold::for_each(now, [&](std::uint64_t sequence, Bytes message) { took(sequence, message, book.apply(message)); });
}

}  // namespace hft::book
