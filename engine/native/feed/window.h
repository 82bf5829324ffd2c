// The reorder window: whole datagrams that came too early, kept until what is missing before them arrives.
//
// A fixed number of slots of fixed size, taken once; nothing is allocated later. When it is full a datagram is
// dropped, which costs a re-request but never correctness.
#pragma once

#include <limits>
#include <vector>

#include "wire/mold.h"

namespace hft::feed {

class Window {
 public:
  enum class Kept : std::uint8_t { kept, already, full };

  Window(std::size_t slots, std::size_t datagram_bytes_max)
      : slot_bytes_(datagram_bytes_max), slots_(slots), bytes_(slots * datagram_bytes_max) {}

  Kept keep(const mold::Packet& packet) {
    Slot* free = nullptr;
    for (auto& slot : slots_) {
      if (slot.used && slot.first == packet.sequence && slot.count >= packet.count) return Kept::already;
      if (!slot.used && free == nullptr) free = &slot;
    }
    if (free == nullptr || packet.blocks.size() > slot_bytes_) return Kept::full;
    *free = {true, packet.sequence, packet.count, packet.blocks.size()};
    std::copy(packet.blocks.begin(), packet.blocks.end(), memory(*free));
    ++used_;
    return Kept::kept;
  }

  // The kept datagram that holds message `sequence`, trimmed to start with it; it leaves the window. The bytes
  // stay valid until the next `keep`.
  bool take(std::uint64_t sequence, const mold::Session& session, mold::Packet& out) {
    if (used_ == 0) return false;
    for (auto& slot : slots_) {
      if (!slot.used || slot.first > sequence) continue;
      slot.used = false;
      --used_;
      if (slot.first + slot.count <= sequence) continue;  // overtaken by another line
      mold::Packet whole;
      whole.why = Reject::none;
      whole.session = session;
      whole.sequence = slot.first;
      whole.count = slot.count;
      whole.blocks = Bytes{memory(slot), slot.length};
      out = mold::without_front(whole, static_cast<std::uint16_t>(sequence - slot.first));
      return true;
    }
    return false;
  }

  // The lowest sequence kept; the largest number there is when nothing is kept.
  std::uint64_t first() const {
    auto lowest = std::numeric_limits<std::uint64_t>::max();
    for (const auto& slot : slots_) {
      if (slot.used) lowest = std::min(lowest, slot.first);
    }
    return lowest;
  }

  // Forgets what reaches beyond this number: nobody claims it any more.
  void forget_beyond(std::uint64_t end) {
    for (auto& slot : slots_) {
      if (!slot.used || slot.first + slot.count <= end) continue;
      slot.used = false;
      --used_;
    }
  }

  std::size_t used() const { return used_; }

  void clear() {
    for (auto& slot : slots_) slot.used = false;
    used_ = 0;
  }

 private:
  struct Slot {
    bool used = false;
    std::uint64_t first = 0;
    std::uint16_t count = 0;
    std::size_t length = 0;
  };

  std::uint8_t* memory(const Slot& slot) {
    return bytes_.data() + static_cast<std::size_t>(&slot - slots_.data()) * slot_bytes_;
  }

  std::size_t slot_bytes_;
  std::vector<Slot> slots_;
  std::vector<std::uint8_t> bytes_;
  std::size_t used_ = 0;
};

}  // namespace hft::feed
