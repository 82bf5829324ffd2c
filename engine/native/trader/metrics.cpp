// Layout of the page: 4 KiB header, directory of 80-byte rows, values from 16 KiB on.
#include "trader/metrics.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "base/files.h"

namespace hft::trader {
namespace {

constexpr std::size_t kDirectory = 4096;
constexpr std::size_t kValues = 16384;
constexpr std::size_t kMetrics = static_cast<std::size_t>(Metric::count_);
constexpr std::size_t kHistograms = static_cast<std::size_t>(Histogram::count_);
constexpr std::size_t kPorts = kPortMetrics * kPortLines;
constexpr std::size_t kRowCount = kMetrics + kHistograms + kPorts;
constexpr std::size_t kPortValues = kValues + 8 * (kMetrics + kHistograms * kBuckets);
constexpr std::size_t kPageBytes = kPortValues + 8 * kPorts;

enum Type : std::uint32_t { kCounter = 1, kGauge = 2, kBucketRow = 3 };

struct Row {
  const char* name;
  Type type;
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

struct Entry {
  char name[48];
  std::uint32_t type;
  char unit[12];
  std::uint64_t offset;
  std::uint32_t writer;
  std::uint32_t count;
};
static_assert(sizeof(Entry) == 80);

std::uint64_t own_start_time() {
  const std::string stat = base::read_file("/proc/self/stat").value_or("");
  // Field 22; the second field, the name, may hold spaces but ends at the last parenthesis (proc(5)).
  std::size_t at = stat.rfind(')');
  for (int field = 2; field < 22 && at != std::string::npos; ++field) at = stat.find(' ', at + 1);
  return at == std::string::npos ? 0 : std::stoull(stat.substr(at + 1));
}

template <class T>
void put(char* page, std::size_t offset, const T& value) {
  std::memcpy(page + offset, &value, sizeof value);
}

}  // namespace

MetricsPage::MetricsPage(const std::string& path) {
  // Aside, then renamed: who has the page of the run before mapped keeps it whole (a cut file is a SIGBUS), and who
  // opens the name finds a whole page.
  const std::string aside = path + ".new";
  unlink(aside.c_str());
  const int fd = open(aside.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), aside);
  const int error = posix_fallocate(fd, 0, kPageBytes);
  void* page =
      error == 0 ? mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0) : MAP_FAILED;
  close(fd);
  if (page == MAP_FAILED) throw std::system_error(error != 0 ? error : errno, std::generic_category(), path);
  page_ = static_cast<char*>(page);
  write_header();
  write_directory();
  // Whoever reads the magic finds everything else in place.
  std::uint32_t magic = 0;
  std::memcpy(&magic, "HFTM", sizeof magic);
  std::atomic_ref(*reinterpret_cast<std::uint32_t*>(page_)).store(magic, std::memory_order_release);
  if (rename(aside.c_str(), path.c_str()) != 0) {
    const int why = errno;
    munmap(page_, kPageBytes);
    throw std::system_error(why, std::generic_category(), path);
  }
}

MetricsPage::~MetricsPage() { munmap(page_, kPageBytes); }

void MetricsPage::write_header() {
  std::string boot_id = base::read_file("/proc/sys/kernel/random/boot_id").value_or("");
  boot_id.resize(36);
  put(page_, 4, std::uint32_t{1});
  std::memcpy(page_ + 8, boot_id.data(), 36);
  put(page_, 44, static_cast<std::uint32_t>(getpid()));
  put(page_, 48, static_cast<std::uint32_t>(kRowCount));
  put(page_, 56, own_start_time());
}

void MetricsPage::write_directory() {
  const auto row = [this](std::size_t at, const char* name, Type type, const char* unit, std::size_t offset,
                          std::size_t count) {
    Entry entry{};
    std::strncpy(entry.name, name, sizeof entry.name - 1);
    std::strncpy(entry.unit, unit, sizeof entry.unit - 1);
    entry.type = type;
    entry.offset = offset;
    entry.count = static_cast<std::uint32_t>(count);
    put(page_, kDirectory + at * sizeof entry, entry);
  };
  for (std::size_t i = 0; i < kMetrics; ++i) row(i, kRows[i].name, kRows[i].type, "1", kValues + 8 * i, 1);
  for (std::size_t i = 0; i < kHistograms; ++i) {
    row(kMetrics + i, kHistogramNames[i], kBucketRow, "ns", kValues + 8 * (kMetrics + i * kBuckets), kBuckets);
  }
  for (std::size_t i = 0; i < kPorts; ++i) {
    const Row& of = kPortRows[i % kPortMetrics];
    const std::string name = std::string(i < kPortMetrics ? "engine_dpdk_a_" : "engine_dpdk_b_") + of.name;
    row(kMetrics + kHistograms + i, name.c_str(), of.type, "1", kPortValues + 8 * i, 1);
  }
}

void MetricsPage::set_writer(std::uint32_t thread_id) {
  for (std::size_t i = 0; i < kRowCount; ++i) {
    put(page_, kDirectory + i * sizeof(Entry) + offsetof(Entry, writer), thread_id);
  }
}

void MetricsPage::heartbeat(std::uint64_t now_ns) {
  reinterpret_cast<Cell*>(page_ + 64)->store(now_ns, std::memory_order_relaxed);
}

MetricsPage::Cell& MetricsPage::cell(Metric metric) const {
  return reinterpret_cast<Cell*>(page_ + kValues)[static_cast<std::size_t>(metric)];
}

MetricsPage::Cell* MetricsPage::buckets(Histogram histogram) const {
  return reinterpret_cast<Cell*>(page_ + kValues) + kMetrics + static_cast<std::size_t>(histogram) * kBuckets;
}

MetricsPage::Cell* MetricsPage::port_cells() const { return reinterpret_cast<Cell*>(page_ + kPortValues); }

}  // namespace hft::trader
