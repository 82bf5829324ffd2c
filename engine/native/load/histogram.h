// Counts of nanoseconds in log-linear buckets, laid out as HdrHistogram lays them out for 3 significant digits:
// 2,048 equal sub-buckets, then 1,024 more for each doubling, so no bucket is wider than 0.1 % of its value.
//
// The layout is HdrHistogram's on purpose (lowest discernible value 1): load_report.py can hand the counts to
// that library without moving one of them. Recording is one index and one increment; nothing allocates.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace hft::load {

class Histogram {
 public:
  static constexpr std::uint64_t kHighestNs = 3'600'000'000'000;  // an hour: more is counted as an hour

  Histogram() : counts_(index_of(kHighestNs) + 1) {}

  void record(std::uint64_t value_ns) {
    ++counts_[index_of(std::min(value_ns, kHighestNs))];
    max_ns_ = std::max(max_ns_, value_ns);
    ++total_;
  }

  [[nodiscard]] static std::size_t index_of(std::uint64_t value) {
    const int bucket =
        std::max(0, static_cast<int>(std::bit_width(value)) - kSubBits);  // doublings beyond the first span
    const std::uint64_t sub = value >> bucket;
    return bucket == 0 ? sub : static_cast<std::size_t>(bucket) * kHalf + sub;
  }

  // The smallest value that is counted at this index.
  [[nodiscard]] static std::uint64_t lowest_at(std::size_t index) {
    if (index < 2 * kHalf) return index;
    const std::size_t bucket = index / kHalf - 1;
    return static_cast<std::uint64_t>(index - bucket * kHalf) << bucket;
  }

  // The value below or at which `share` of all recorded lie: the top of the bucket that gets there.
  [[nodiscard]] std::uint64_t at_share(double share) const {
    const auto wanted = static_cast<std::uint64_t>(std::max(1.0, share * static_cast<double>(total_) + 0.5));
    std::uint64_t seen = 0;
    for (std::size_t index = 0; index < counts_.size(); ++index) {
      seen += counts_[index];
      if (seen >= wanted) return std::min(lowest_at(index + 1) - 1, max_ns_);
    }
    return max_ns_;
  }

  [[nodiscard]] const std::vector<std::uint64_t>& counts() const { return counts_; }
  [[nodiscard]] std::uint64_t total() const { return total_; }
  [[nodiscard]] std::uint64_t max_ns() const { return max_ns_; }

 private:
  static constexpr int kSubBits = 11;  // 2^11 >= 2 * 10^3 significant values
  static constexpr std::size_t kHalf = 1U << (kSubBits - 1);

  std::vector<std::uint64_t> counts_;
  std::uint64_t total_ = 0;
  std::uint64_t max_ns_ = 0;
};

}  // namespace hft::load
