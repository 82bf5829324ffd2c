// See busy_time.h.
#include "base/busy_time.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>

namespace hft::base {

std::optional<std::uint64_t> BusyTime::ns() {
  if (is_absent_) return std::nullopt;
  if (!file_) file_ = Fd(::open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC));
  std::array<char, 96> text{};
  const auto got = file_ ? ::pread(file_.get(), text.data(), text.size(), 0) : -1;
  const char* const end = text.data() + (got > 0 ? got : 0);
  std::uint64_t ran = 0;
  std::uint64_t waited = 0;
  const auto first = std::from_chars(text.data(), end, ran);
  const bool is_two = first.ec == std::errc() && first.ptr != end && *first.ptr == ' ';
  if (!is_two || std::from_chars(first.ptr + 1, end, waited).ec != std::errc()) {
    is_absent_ = true;
    return std::nullopt;
  }
  return ran + waited;
}

}  // namespace hft::base
