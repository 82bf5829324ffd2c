// The ring between the hot thread and the persister: a memfd mapped twice in a row, so no record ever wraps.
//
// A memfd lives as long as any process holds it: handed to the service manager's descriptor store it survives the
// death of the engine (not of the host), and the next process adopts it. One writer (the hot thread) moves
// `appended`; one reader (the persister) moves `written` and `durable`. Offsets count bytes of chained records since
// the first record of the journal and never restart.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "journal/record.h"

namespace hft {

struct RingShared {
  std::uint64_t magic;
  std::uint64_t capacity;
  std::uint64_t first_offset;  // offset of the first byte this ring ever held
  alignas(64) std::atomic<std::uint64_t> appended;
  alignas(64) std::atomic<std::uint64_t> written;
  std::atomic<std::uint64_t> durable;
  std::atomic<std::uint64_t> durable_input_seq;
  std::atomic<std::uint32_t> broken_errno;  // the persister gave up for this reason
};

class Ring {
 public:
  // `capacity` is a power of two and a multiple of the page size. Throws std::system_error.
  static Ring create(std::uint64_t capacity, std::uint64_t first_offset = 0);
  static Ring adopt(int fd);
  Ring(Ring&& other) noexcept;
  Ring& operator=(Ring&&) = delete;
  Ring(const Ring&) = delete;
  ~Ring();

  // Space for one record of this payload length, or nullptr while the ring is full.
  std::byte* reserve(std::uint32_t length);
  // Frames what was reserved; returns the offset behind it, which is what the gate compares.
  std::uint64_t commit(Kind kind, std::uint32_t length, const Stamp& stamp) {
    return commit(kind, flags_of(kind), length, stamp);
  }
  std::uint64_t commit(Kind kind, std::uint32_t flags, std::uint32_t length, const Stamp& stamp);
  // reserve + copy + commit; 0 when full.
  std::uint64_t append(Kind kind, std::span<const std::byte> payload, const Stamp& stamp);

  [[nodiscard]] const std::byte* at(std::uint64_t offset) const { return data_ + (offset & (capacity_ - 1)); }
  [[nodiscard]] RingShared& shared() const { return *shared_; }
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] std::uint64_t capacity() const { return capacity_; }

 private:
  Ring(int fd, std::uint64_t capacity);

  int fd_;
  std::uint64_t capacity_;
  RingShared* shared_ = nullptr;
  std::byte* data_ = nullptr;
};

}  // namespace hft
