// One block of memory for the books: 2 MiB pages where the host has them, else plain pages with a wish for huge
// ones (MAP_HUGETLB in mmap(2), MADV_HUGEPAGE in madvise(2)). A book touches its memory at random, so with small
// pages most of its time goes into address translation.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <memory_resource>
#include <new>
#include <optional>

namespace hft::book {

class Arena {
 public:
  explicit Arena(std::size_t bytes) : bytes_((bytes + kHugePage - 1) / kHugePage * kHugePage) {
    constexpr int plain = MAP_PRIVATE | MAP_ANONYMOUS;
    block_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, plain | MAP_HUGETLB | MAP_POPULATE, -1, 0);
    huge_ = block_ != MAP_FAILED;
    if (!huge_) {
      block_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, plain, -1, 0);
      if (block_ == MAP_FAILED) throw std::bad_alloc();
      madvise(block_, bytes_, MADV_HUGEPAGE);
    }
    resource_.emplace(block_, bytes_, std::pmr::new_delete_resource());
  }
  ~Arena() {
    resource_.reset();
    munmap(block_, bytes_);
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  [[nodiscard]] std::pmr::memory_resource* resource() { return &*resource_; }
  [[nodiscard]] bool huge() const { return huge_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  static constexpr std::size_t kHugePage = 2 << 20;

  std::size_t bytes_;
  void* block_ = nullptr;
  bool huge_ = false;
  std::optional<std::pmr::monotonic_buffer_resource> resource_;
};

}  // namespace hft::book
