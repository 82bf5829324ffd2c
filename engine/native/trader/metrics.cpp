// The rows of the page: metrics, histograms, then the counters of ports.
#include "trader/metrics.h"

#include <array>

namespace hft::trader {
namespace {

constexpr std::size_t kMetrics = static_cast<std::size_t>(Metric::count_);
constexpr std::size_t kHistograms = static_cast<std::size_t>(Histogram::count_);
constexpr std::size_t kPorts = kPortMetrics * kPortLines;

constexpr auto kCounter = base::PageType::counter;
constexpr auto kGauge = base::PageType::gauge;

struct Row {
  const char* name;
  base::PageType type;
};
constexpr std::array<Row, kMetrics> kRows{{
    {"engine_state", kGauge},
    {"engine_epoch", kGauge},
    {"engine_latched", kGauge},
    {"engine_hot_turns_total", kCounter},
    {"engine_input_seq", kCounter},
    {"engine_journal_durable_seq", kCounter},
    {"engine_feed_messages_total", kCounter},
    {"engine_feed_gaps_total", kCounter},
    {"engine_orders_sent_total", kCounter},
    {"engine_cancels_sent_total", kCounter},
    {"engine_executions_total", kCounter},
    {"engine_risk_refused_total", kCounter},
    {"engine_open_orders", kGauge},
    {"engine_feed_rejected_total", kCounter},
    {"engine_feed_requests_total", kCounter},
    {"engine_feed_lost_total", kCounter},
    {"engine_egress_dropped_total", kCounter},
    {"engine_journal_stalls_total", kCounter},
    {"engine_orders_resent_total", kCounter},
    {"engine_gateway_refused_total", kCounter},
    {"engine_responses_unknown_total", kCounter},
    {"engine_responses_bad_total", kCounter},
    {"engine_feed_strays_total", kCounter},
}};
constexpr std::array<const char*, kHistograms> kHistogramNames{"engine_user_span_ns", "engine_decision_ns"};
// Behind "engine_dpdk_a_" and "engine_dpdk_b_".
constexpr std::array<Row, kPortMetrics> kPortRows{{
    {"frames_total", kCounter},
    {"datagrams_total", kCounter},
    {"foreign_total", kCounter},
    {"malformed_total", kCounter},
    {"bad_checksum_total", kCounter},
    {"fragments_total", kCounter},
    {"igmp_total", kCounter},
    {"reports_sent_total", kCounter},
    {"device_stamps_total", kCounter},
    {"missed_total", kCounter},
    {"errors_total", kCounter},
    {"no_mbuf_total", kCounter},
    {"link_up", kGauge},
}};

std::vector<base::PageRow> rows() {
  std::vector<base::PageRow> all;
  for (const auto& row : kRows) all.push_back({row.name, row.type});
  for (const char* name : kHistogramNames) all.push_back({name, base::PageType::buckets, "ns", kBuckets});
  for (std::size_t i = 0; i < kPorts; ++i) {
    const Row& of = kPortRows[i % kPortMetrics];
    all.push_back({std::string(i < kPortMetrics ? "engine_dpdk_a_" : "engine_dpdk_b_") + of.name, of.type});
  }
  return all;
}

}  // namespace

MetricsPage::MetricsPage(const std::string& path) : file_(path, rows()) {}

MetricsPage::Cell& MetricsPage::cell(Metric metric) const { return file_.cells()[static_cast<std::size_t>(metric)]; }

MetricsPage::Cell* MetricsPage::buckets(Histogram histogram) const {
  return file_.cells() + kMetrics + static_cast<std::size_t>(histogram) * kBuckets;
}

MetricsPage::Cell* MetricsPage::port_cells() const { return file_.cells() + kMetrics + kHistograms * kBuckets; }

}  // namespace hft::trader
