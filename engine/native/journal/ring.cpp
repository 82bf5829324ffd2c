// Mapping and adoption of the ring; the append path itself is short and has no system call.
#include "journal/ring.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace hft {
namespace {

constexpr std::uint64_t kRingMagic = 0x474E495254464821ULL;
constexpr std::uint64_t kHeaderBytes = 4096;

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

void* map(void* at, std::uint64_t size, int fd, std::uint64_t offset, int extra) {
  void* got = mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE | extra, fd, static_cast<off_t>(offset));
  if (got == MAP_FAILED) fail("journal ring: mmap");
  return got;
}

}  // namespace

Ring::Ring(int fd, std::uint64_t capacity) : fd_(fd), capacity_(capacity) {
  shared_ = static_cast<RingShared*>(map(nullptr, kHeaderBytes, fd, 0, 0));
  void* hole = mmap(nullptr, 2 * capacity, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (hole == MAP_FAILED) fail("journal ring: mmap");
  data_ = static_cast<std::byte*>(hole);
  map(data_, capacity, fd, kHeaderBytes, MAP_FIXED);
  map(data_ + capacity, capacity, fd, kHeaderBytes, MAP_FIXED);
}

Ring::Ring(Ring&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      capacity_(other.capacity_),
      shared_(std::exchange(other.shared_, nullptr)),
      data_(std::exchange(other.data_, nullptr)) {}

Ring::~Ring() {
  if (data_ != nullptr) munmap(data_, 2 * capacity_);
  if (shared_ != nullptr) munmap(shared_, kHeaderBytes);
  if (fd_ >= 0) close(fd_);
}

Ring Ring::create(std::uint64_t capacity, std::uint64_t first_offset) {
  if (capacity < 4096 || (capacity & (capacity - 1)) != 0) {
    errno = EINVAL;
    fail("journal ring: the size must be a power of two, at least 4096");
  }
  const int fd = memfd_create("hft-journal-ring", MFD_CLOEXEC);
  if (fd < 0) fail("journal ring: memfd_create");
  if (ftruncate(fd, static_cast<off_t>(kHeaderBytes + capacity)) != 0) fail("journal ring: ftruncate");
  Ring ring(fd, capacity);
  ring.shared_->magic = kRingMagic;
  ring.shared_->capacity = capacity;
  ring.shared_->first_offset = first_offset;
  ring.shared_->appended.store(first_offset);
  ring.shared_->written.store(first_offset);
  ring.shared_->durable.store(first_offset);
  return ring;
}

Ring Ring::adopt(int fd) {
  struct stat seen{};
  if (fstat(fd, &seen) != 0) fail("journal ring: fstat");
  const auto capacity = static_cast<std::uint64_t>(seen.st_size) - kHeaderBytes;
  if (seen.st_size <= static_cast<off_t>(kHeaderBytes) || (capacity & (capacity - 1)) != 0) {
    errno = EINVAL;
    fail("journal ring: the handed descriptor has not a ring's size");
  }
  Ring ring(fd, capacity);
  if (ring.shared_->magic != kRingMagic || ring.shared_->capacity != capacity) {
    errno = EINVAL;
    fail("journal ring: the handed descriptor is no ring");
  }
  ring.shared_->broken_errno.store(0);
  return ring;
}

std::byte* Ring::reserve(std::uint32_t length) {
  const std::uint64_t head = shared_->appended.load(std::memory_order_relaxed);
  const std::uint64_t used = head - shared_->written.load(std::memory_order_acquire);
  if (used + record_bytes(length) > capacity_) return nullptr;
  return data_ + (head & (capacity_ - 1)) + sizeof(RecordHeader);
}

std::uint64_t Ring::commit(Kind kind, std::uint32_t flags, std::uint32_t length, const Stamp& stamp) {
  const std::uint64_t head = shared_->appended.load(std::memory_order_relaxed);
  std::byte* out = data_ + (head & (capacity_ - 1));
  frame_record(out, kind, flags, length, stamp);
  const std::uint64_t behind = head + record_bytes(length);
  shared_->appended.store(behind, std::memory_order_release);
  return behind;
}

std::uint64_t Ring::append(Kind kind, std::span<const std::byte> payload, const Stamp& stamp) {
  const auto length = static_cast<std::uint32_t>(payload.size());
  std::byte* out = reserve(length);
  if (out == nullptr) return 0;
  if (length > 0) std::memcpy(out, payload.data(), length);
  return commit(kind, length, stamp);
}

}  // namespace hft
