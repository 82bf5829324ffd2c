// How long a message stays in the gateway: a cumulative log-linear histogram, buckets at most 1/128 wide.
//
// A value lands in octave floor(log2(v)) and one of 128 equal parts of it, as HdrHistogram does; values below
// 256 ns are exact. Counters only rise, so a reader takes the difference of two readings.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace hft::gateway {

class HopHistogram {
 public:
  static constexpr unsigned kPartBits = 7;
  static constexpr std::size_t kBuckets = (64 - kPartBits) << kPartBits;

  void record(std::int64_t duration_ns) {
    const auto value = duration_ns < 0 ? 0 : static_cast<std::uint64_t>(duration_ns);
    ++counts_[index_of(value)];
    ++count_;
    if (value > max_ns_) max_ns_ = value;
  }

  std::uint64_t count() const { return count_; }
  std::uint64_t max_ns() const { return max_ns_; }
  std::uint64_t at(std::size_t index) const { return counts_[index]; }

  static constexpr std::size_t index_of(std::uint64_t value) {
    if (value < (2U << kPartBits)) return value;
    const unsigned shift = 63U - static_cast<unsigned>(std::countl_zero(value)) - kPartBits;
    return (static_cast<std::size_t>(shift) << kPartBits) + (value >> shift);
  }

  // The largest value that lands in the bucket.
  static constexpr std::uint64_t upper_ns(std::size_t index) {
    if (index < (2U << kPartBits)) return index;
    const unsigned shift = static_cast<unsigned>(index >> kPartBits) - 1;
    const std::uint64_t part = (index & ((1U << kPartBits) - 1)) + (1U << kPartBits);
    return ((part + 1) << shift) - 1;
  }

  // The value that PER_MILLION of all messages stay at or below; 0 when nothing was recorded.
  std::uint64_t quantile_ns(std::uint64_t per_million) const {
    const auto wanted = (static_cast<unsigned __int128>(count_) * per_million + 999'999) / 1'000'000;
    std::uint64_t seen = 0;
    for (std::size_t index = 0; index < kBuckets; ++index) {
      seen += counts_[index];
      if (count_ > 0 && seen >= wanted) return upper_ns(index) < max_ns_ ? upper_ns(index) : max_ns_;
    }
    return 0;
  }

 private:
  std::array<std::uint64_t, kBuckets> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ns_ = 0;
};

}  // namespace hft::gateway
