// Applying a run of messages with its memory brought in beforehand.
//
// A lookup is three dependent cache misses (index entry, order, level). The index entries of the datagram after
// this one are asked for now, the orders of this one before its first message is applied; by the time they are
// needed they have arrived. Where datagrams come one by one, `next` is null and only the second wave helps.
#pragma once

#include "book/book.h"
#include "wire/mold.h"

namespace hft::book {

inline void prefetch_index(const Book& book, const mold::Packet& run) {
  mold::for_each(run, [&](std::uint64_t, Bytes message) { book.prefetch_index(message); });
}

// Apply all messages of `now`; `took(sequence, message, result)` is called behind each.
template <class Took>
void apply_run(Book& book, const mold::Packet& now, const mold::Packet* next, Took&& took) {
  if (next != nullptr) prefetch_index(book, *next);
  mold::for_each(now, [&](std::uint64_t, Bytes message) { book.prefetch_order(message); });
  mold::for_each(now, [&](std::uint64_t sequence, Bytes message) { took(sequence, message, book.apply(message)); });
}

}  // namespace hft::book
