// A mailbox between two threads: one puts, one takes, nobody waits. Items are moved; a full box says so.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <utility>

namespace hft::trader {

template <class Item, std::size_t Places = 256>
class Mailbox {
 public:
  bool put(Item item) {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    if (head - tail_.load(std::memory_order_acquire) == Places) return false;
    items_[head % Places] = std::move(item);
    head_.store(head + 1, std::memory_order_release);
    return true;
  }
  bool take(Item& item) {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail == head_.load(std::memory_order_acquire)) return false;
    item = std::move(items_[tail % Places]);
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

 private:
  std::array<Item, Places> items_{};
  alignas(64) std::atomic<std::size_t> head_{0};
  alignas(64) std::atomic<std::size_t> tail_{0};
};

}  // namespace hft::trader
