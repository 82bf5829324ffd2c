// The reorder window: whole datagrams that came too early, kept until what is missing before them arrives.
//
// A fixed number of slots of fixed size, taken once; nothing is allocated later. When it is full a datagram is
// dropped, which costs a re-request but never correctness. What is kept stands in order of its first message: one that
// comes behind all others, as nearly all do, costs the same however many wait.
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "wire/mold.h"

namespace hft::feed {

class Window {
 public:
  enum class Kept : std::uint8_t { kept, already, full };

  Window(std::size_t slots, std::size_t datagram_bytes_max)
      : slot_bytes_(datagram_bytes_max), entries_(2 * slots), free_(slots), bytes_(slots * datagram_bytes_max) {
    clear();
  }

  Kept keep(const mold::Packet& packet) {
    const std::uint64_t end = packet.sequence + packet.count;
    const auto place = std::upper_bound(entries_.begin() + head_, entries_.begin() + tail_, packet.sequence,
                                        [](std::uint64_t first, const Entry& entry) { return first < entry.first; });
    if (place != entries_.begin() + head_ && std::prev(place)->end >= end) return Kept::already;
    if (used() == free_.size() || packet.blocks.size() > slot_bytes_) return Kept::full;
    const std::size_t slot = free_[used()];
    std::copy(packet.blocks.begin(), packet.blocks.end(), memory(slot));
    insert(place - entries_.begin(), {packet.sequence, end, slot, packet.blocks.size()});
    return Kept::kept;
  }

  // The kept datagram that holds message `sequence`, trimmed to start with it; it leaves the window. The bytes
  // stay valid until the next `keep`.
  bool take(std::uint64_t sequence, const mold::Session& session, mold::Packet& out) {
    while (head_ < tail_ && entry(head_).first <= sequence) {
      const Entry found = entry(head_++);
      free_[used()] = found.slot;
      if (found.end <= sequence) continue;  // overtaken by another line
      mold::Packet whole;
      whole.why = Reject::none;
      whole.session = session;
      whole.sequence = found.first;
      whole.count = static_cast<std::uint16_t>(found.end - found.first);
      whole.blocks = Bytes{memory(found.slot), found.length};
      out = mold::without_front(whole, static_cast<std::uint16_t>(sequence - found.first));
      return true;
    }
    return false;
  }

  // The lowest sequence kept; the largest number there is when nothing is kept.
  std::uint64_t first() const {
    return head_ == tail_ ? std::numeric_limits<std::uint64_t>::max() : entry(head_).first;
  }

  // Calls `visit(first, end)` for each run between these numbers that nothing kept covers, until it says false.
  template <class Visit>
  void holes(std::uint64_t from, std::uint64_t to, Visit&& visit) const {
    for (auto at = head_; at < tail_ && from < to; ++at) {
      const Entry& kept = entry(at);
      if (kept.first > from && !visit(from, std::min(kept.first, to))) return;
      from = std::max(from, kept.end);
    }
    if (from < to) visit(from, to);
  }

  // Forgets what reaches beyond this number: nobody claims it any more.
  void forget_beyond(std::uint64_t end) {
    auto kept = head_;
    for (auto at = head_; at < tail_; ++at) {
      if (entry(at).end <= end) {
        entry(kept++) = entry(at);
        continue;
      }
      forgotten_.push_back(entry(at).slot);
    }
    tail_ = kept;
    for (std::size_t i = 0; i < forgotten_.size(); ++i) free_[used() + i] = forgotten_[i];
    forgotten_.clear();
  }

  std::size_t used() const { return static_cast<std::size_t>(tail_ - head_); }

  void clear() {
    head_ = tail_ = 0;
    for (std::size_t i = 0; i < free_.size(); ++i) free_[i] = i;
    forgotten_.reserve(free_.size());
  }

 private:
  using Place = std::ptrdiff_t;
  struct Entry {
    std::uint64_t first = 0, end = 0;
    std::size_t slot = 0, length = 0;
  };

  Entry& entry(Place at) { return entries_[static_cast<std::size_t>(at)]; }
  const Entry& entry(Place at) const { return entries_[static_cast<std::size_t>(at)]; }

  // Moves whichever side is shorter and has room: twice as many places as slots, so one has.
  void insert(Place place, const Entry& added) {
    const auto begin = entries_.begin();
    if (tail_ == std::ssize(entries_) && place - head_ > tail_ - place) {
      std::move(begin + head_, begin + tail_, begin);
      place -= head_;
      tail_ -= head_;
      head_ = 0;
    }
    const bool to_front = head_ > 0 && (place - head_ < tail_ - place || tail_ == std::ssize(entries_));
    if (to_front) {
      std::move(begin + head_, begin + place, begin + head_ - 1);
      --head_;
      entry(place - 1) = added;
    } else {
      std::move_backward(begin + place, begin + tail_, begin + tail_ + 1);
      ++tail_;
      entry(place) = added;
    }
  }

  std::uint8_t* memory(std::size_t slot) { return bytes_.data() + slot * slot_bytes_; }

  std::size_t slot_bytes_;
  std::vector<Entry> entries_;  // [head_, tail_) in use, by first message
  Place head_ = 0, tail_ = 0;
  std::vector<std::size_t> free_;       // from `used()` on: slots that nothing is in
  std::vector<std::size_t> forgotten_;  // of one call
  std::vector<std::uint8_t> bytes_;
};

}  // namespace hft::feed
