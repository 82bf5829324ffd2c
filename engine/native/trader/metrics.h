// The metrics page (engine/contract/metrics.py): one mapped file, single-writer relaxed 64-bit stores.
#pragma once

#include <bit>
#include <cstdint>
#include <string>

#include "base/page_file.h"

namespace hft::trader {

enum class Metric : std::uint8_t {
  state,
  epoch,
  latched,
  turns,
  input_seq,
  durable_seq,
  feed_messages,
  feed_gaps,
  orders_sent,
  cancels_sent,
  executions,
  risk_refused,
  open_orders,
  feed_rejected,
  feed_requests,
  feed_lost,
  egress_dropped,
  journal_stalls,
  resent,
  gateway_refused,
  responses_unknown,
  responses_bad,
  feed_strays,
  count_,
};
enum class Histogram : std::uint8_t { user_span, decision, count_ };

// Of a line on a DPDK port (dpdk/receiver.h), in the order of metrics.cpp's names; zero of any other line.
constexpr std::size_t kPortMetrics = 13;
constexpr std::size_t kPortLines = 2;

constexpr std::size_t kBuckets = 128 * 40;

// Log-linear: 128 to the power of two (0.8 % wide); a value below 128 is its own bucket.
constexpr std::size_t bucket_of(std::uint64_t value) {
  const int exponent = value < 128 ? 0 : static_cast<int>(std::bit_width(value)) - 8;
  const std::uint64_t bucket = 128ULL * static_cast<std::uint64_t>(exponent) + (value >> exponent);
  return bucket < kBuckets ? static_cast<std::size_t>(bucket) : kBuckets - 1;
}

class MetricsPage {
 public:
  // Creates and maps the file. Throws std::system_error.
  explicit MetricsPage(const std::string& path);

  void set(Metric metric, std::uint64_t value) { cell(metric).store(value, std::memory_order_relaxed); }
  void add(Metric metric, std::uint64_t more) { set(metric, get(metric) + more); }
  [[nodiscard]] std::uint64_t get(Metric metric) const { return cell(metric).load(std::memory_order_relaxed); }
  void set_port(std::size_t line, std::size_t metric, std::uint64_t value) {
    port_cells()[line * kPortMetrics + metric].store(value, std::memory_order_relaxed);
  }
  void record(Histogram histogram, std::uint64_t value) {
    auto& bucket = buckets(histogram)[bucket_of(value)];
    bucket.store(bucket.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  void heartbeat(std::uint64_t now_ns) { file_.heartbeat(now_ns); }
  // The hot thread says who writes, once it runs.
  void set_writer(std::uint32_t thread_id) { file_.set_writer(thread_id); }
  [[nodiscard]] std::uint64_t count(Histogram histogram, std::size_t bucket) const {
    return buckets(histogram)[bucket].load(std::memory_order_relaxed);
  }

 private:
  using Cell = base::PageFile::Cell;
  [[nodiscard]] Cell& cell(Metric metric) const;
  [[nodiscard]] Cell* buckets(Histogram histogram) const;
  [[nodiscard]] Cell* port_cells() const;

  base::PageFile file_;
};

}  // namespace hft::trader
