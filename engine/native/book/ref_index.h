// From order reference to pool slot: open addressing with linear probing and deletion by shifting back.
//
// Venue references are 64-bit and not dense, so they are hashed. An entry keeps the upper 32 bits of the hash
// beside the slot: eight entries fill a cache line, and a wrong order is hardly ever touched. The table has at
// least twice as many places as orders, so probes stay short; it never grows.
#pragma once

#include <bit>

#include "book/types.h"
#include "wire/mix.h"

namespace hft::book {

class RefIndex {
 public:
  RefIndex(std::size_t orders_max, std::pmr::memory_resource* memory)
      : bits_(bits_for(orders_max)), mask_((std::size_t{1} << bits_) - 1), entries_(mask_ + 1, Entry{}, memory) {}

  static std::size_t bytes_for(std::size_t orders_max) { return sizeof(Entry) << bits_for(orders_max); }

  // Probes are short, yet near the end of a cache line they go on in the next.
  void prefetch(std::uint64_t reference) const {
    const std::size_t at = home(tag_of(reference));
    book::prefetch(&entries_[at]);
    book::prefetch(&entries_[(at + kProbesUsual) & mask_]);
  }

  // The slot whose order has this reference; `reference_of(slot)` tells a slot's reference.
  template <class ReferenceOf>
  Slot find(std::uint64_t reference, ReferenceOf&& reference_of) const {
    return entries_[place(reference, reference_of)].slot;
  }

  // A guess that looks at no order: good enough to prefetch by, not to act on.
  Slot guess(std::uint64_t reference) const {
    const std::uint32_t tag = tag_of(reference);
    for (std::size_t at = home(tag); entries_[at].slot != kNone; at = (at + 1) & mask_) {
      if (entries_[at].tag == tag) return entries_[at].slot;
    }
    return kNone;
  }

  // The reference must not be in the index.
  void insert(std::uint64_t reference, Slot slot) {
    const std::uint32_t tag = tag_of(reference);
    std::size_t at = home(tag);
    while (entries_[at].slot != kNone) at = (at + 1) & mask_;
    entries_[at] = {tag, slot};
  }

  void clear() { std::fill(entries_.begin(), entries_.end(), Entry{}); }

  // Take out the reference, which must be there with this slot.
  void erase(std::uint64_t reference, Slot slot) {
    std::size_t hole = home(tag_of(reference));
    while (entries_[hole].slot != slot) hole = (hole + 1) & mask_;
    for (std::size_t at = (hole + 1) & mask_; entries_[at].slot != kNone; at = (at + 1) & mask_) {
      // An entry may move back to the hole unless its home lies behind the hole.
      const std::size_t from_home = (at - home(entries_[at].tag)) & mask_;
      if (from_home < ((at - hole) & mask_)) continue;
      entries_[hole] = entries_[at];
      hole = at;
    }
    entries_[hole].slot = kNone;
  }

 private:
  struct Entry {
    std::uint32_t tag = 0;
    Slot slot = kNone;
  };

  static constexpr std::size_t kProbesUsual = 3;

  static unsigned bits_for(std::size_t orders_max) {
    return static_cast<unsigned>(std::bit_width(std::max<std::size_t>(orders_max, 8) * 2 - 1));
  }
  static std::uint32_t tag_of(std::uint64_t reference) {
    return static_cast<std::uint32_t>(mix64(reference ^ kMixA, kMixB) >> 32);
  }
  std::size_t home(std::uint32_t tag) const { return tag >> (32 - bits_); }

  // Where the reference is, or the empty place where its search ends.
  template <class ReferenceOf>
  std::size_t place(std::uint64_t reference, ReferenceOf&& reference_of) const {
    const std::uint32_t tag = tag_of(reference);
    std::size_t at = home(tag);
    while (entries_[at].slot != kNone && (entries_[at].tag != tag || reference_of(entries_[at].slot) != reference)) {
      at = (at + 1) & mask_;
    }
    return at;
  }

  unsigned bits_;
  std::size_t mask_;
  std::pmr::vector<Entry> entries_;
};

}  // namespace hft::book
