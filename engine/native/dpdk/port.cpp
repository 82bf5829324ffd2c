// See port.h. Set-up first, then what the hot thread does for each frame.
#include "dpdk/port.h"

#include <rte_errno.h>
#include <rte_prefetch.h>

#include "base/clock.h"
#include "dpdk/environment.h"
#include "dpdk/stamp.h"

namespace hft::dpdk {
namespace {

constexpr std::uint16_t kReportDescriptors = 64;
constexpr int kFramesACall = 256;  // of junk, before the hot loop gets its turn

Judged judged(std::uint64_t flags, std::uint64_t mask, std::uint64_t good, std::uint64_t bad) {
  if ((flags & mask) == good) return Judged::good;
  return (flags & mask) == bad ? Judged::bad : Judged::unknown;
}

}  // namespace

Port::Port(const LineWish& wish, const Options& options) : wanted_{wish.group, wish.port} {
  find(wish.device);
  rte_eth_dev_info info{};
  if (const int error = rte_eth_dev_info_get(port_, &info); error != 0) fail(name_, error);
  configure(info, options);
  set_up_queues(info, options);
  rte_ether_addr mac{};
  if (const int error = rte_eth_macaddr_get(port_, &mac); error != 0) fail(name_ + ": MAC address", error);
  Mac own{};
  std::copy_n(static_cast<const std::uint8_t*>(mac.addr_bytes), own.size(), own.begin());
  membership_ = std::make_unique<Membership>(own, wish.address, wish.group);
  if (const int error = rte_eth_dev_start(port_); error != 0) fail(name_ + ": start", error);
  const char* filter = let_group_in();
  description_ = std::string(info.driver_name) + " " + name_ + ", filter " + filter + ", receive stamps " +
                 (device_stamps_ ? "of the device where believable" : "by the clock at the burst");
}

// The group is left while the device still runs, so that a switch stops sending at once.
Port::~Port() {
  if (membership_) send(membership_->leave(base::monotonic_ns()));
  rte_pktmbuf_free_bulk(burst_.data(), got_);
  rte_eth_dev_stop(port_);
  rte_eth_dev_close(port_);
  rte_mempool_free(pool_);
}

void Port::find(const Device& device) {
  name_ = device.pci.empty() ? device.vdev.substr(0, device.vdev.find(',')) : device.pci;
  if (rte_eth_dev_get_port_by_name(name_.c_str(), &port_) == 0) return;
  throw std::runtime_error("dpdk: " + name_ + " is no port: is it bound to vfio-pci, and its driver in this build?");
}

void Port::configure(const rte_eth_dev_info& info, const Options&) {
  rte_eth_conf conf{};
  constexpr std::uint64_t wanted =
      RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM | RTE_ETH_RX_OFFLOAD_TIMESTAMP;
  conf.rxmode.offloads = info.rx_offload_capa & wanted;
  // One queue each way; the sending one is for IGMP.
  if (const int error = rte_eth_dev_configure(port_, 1, 1, &conf); error != 0) fail(name_ + ": configure", error);
  device_stamps_ = (conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_TIMESTAMP) != 0 &&
                   rte_mbuf_dyn_rx_timestamp_register(&stamp_offset_, &stamp_flag_) == 0;
}

void Port::set_up_queues(const rte_eth_dev_info& info, const Options& options) {
  std::uint16_t receive = options.descriptors;
  std::uint16_t reports = kReportDescriptors;
  rte_eth_dev_adjust_nb_rx_tx_desc(port_, &receive, &reports);
  const int socket = rte_eth_dev_socket_id(port_);
  // Twice the ring: the device's half, and what a burst, a virtual device and the reports hold.
  const unsigned frames = 2U * receive + 2U * reports + kBurst;
  pool_ = rte_pktmbuf_pool_create(("hft-" + std::to_string(port_)).c_str(), frames, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
                                  socket);
  if (pool_ == nullptr)
    fail(name_ + ": " + std::to_string(frames) + " buffers on node " + std::to_string(socket), rte_errno);
  int error = rte_eth_rx_queue_setup(port_, 0, receive, static_cast<unsigned>(socket), nullptr, pool_);
  if (error != 0) fail(name_ + ": receive queue", error);
  rte_eth_txconf queue = info.default_txconf;
  error = rte_eth_tx_queue_setup(port_, 0, reports, static_cast<unsigned>(socket), &queue);
  if (error != 0) fail(name_ + ": queue for reports", error);
}

// The narrowest filter the device has; what it lets through beyond the group is foreign to frame.h.
const char* Port::let_group_in() {
  std::array<rte_ether_addr, 2> wanted{};
  const std::array<Mac, 2> macs{multicast_mac(wanted_.group), multicast_mac(kAllHosts)};
  for (std::size_t i = 0; i < macs.size(); ++i) {
    std::copy(macs[i].begin(), macs[i].end(), static_cast<std::uint8_t*>(wanted[i].addr_bytes));
  }
  if (rte_eth_dev_set_mc_addr_list(port_, wanted.data(), wanted.size()) == 0) return "by address";
  if (rte_eth_allmulticast_enable(port_) == 0) return "all multicast";
  if (rte_eth_promiscuous_enable(port_) == 0) return "none (promiscuous)";
  return "unknown";
}

std::optional<feed::Datagram> Port::receive() {
  for (int looked = 0; looked < kFramesACall; ++looked) {
    if (taken_ == got_ && !refill()) return std::nullopt;
    const rte_mbuf& frame = *burst_[taken_++];
    if (taken_ < got_) rte_prefetch0(rte_pktmbuf_mtod(burst_[taken_], void*));
    if (auto datagram = look_at(frame)) return datagram;
  }
  return std::nullopt;
}

// The buffers of a burst live until the next one is asked for, so the datagram last given out is still whole.
bool Port::refill() {
  rte_pktmbuf_free_bulk(burst_.data(), got_);
  taken_ = 0;
  got_ = rte_eth_rx_burst(port_, 0, burst_.data(), kBurst);
  if (got_ == 0) return false;
  burst_utc_ns_ = static_cast<std::int64_t>(base::realtime_ns());
  return true;
}

std::optional<feed::Datagram> Port::look_at(const rte_mbuf& frame) {
  ++counted_.frames;
  // A frame of several buffers is longer than any MTU this port was set up for.
  const Bytes bytes(rte_pktmbuf_mtod(&frame, const std::uint8_t*), frame.nb_segs == 1 ? frame.data_len : 0);
  const Judged ip =
      judged(frame.ol_flags, RTE_MBUF_F_RX_IP_CKSUM_MASK, RTE_MBUF_F_RX_IP_CKSUM_GOOD, RTE_MBUF_F_RX_IP_CKSUM_BAD);
  const Judged udp =
      judged(frame.ol_flags, RTE_MBUF_F_RX_L4_CKSUM_MASK, RTE_MBUF_F_RX_L4_CKSUM_GOOD, RTE_MBUF_F_RX_L4_CKSUM_BAD);
  const bool was_tagged = (frame.ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0;
  const Parsed parsed = was_tagged ? Parsed{Frame::foreign, {}} : parse(bytes, wanted_, ip, udp);
  switch (parsed.what) {
    case Frame::data: {
      ++counted_.data;
      const auto source = static_cast<std::uint32_t>(load_be<4>(bytes.data() + kEthernetBytes + 12));
      return feed::Datagram{parsed.payload, stamp_of(frame), source};
    }
    case Frame::igmp: {
      ++counted_.igmp;
      membership_->heard(parsed.payload, base::monotonic_ns());
      break;
    }
    case Frame::foreign: ++counted_.foreign; break;
    case Frame::fragment: ++counted_.fragments; break;
    case Frame::malformed: ++counted_.malformed; break;
    case Frame::bad_checksum: ++counted_.bad_checksum; break;
  }
  return std::nullopt;
}

std::int64_t Port::stamp_of(const rte_mbuf& frame) {
  if (!device_stamps_ || (frame.ol_flags & stamp_flag_) == 0) return burst_utc_ns_;
  const std::uint64_t device_ns = *RTE_MBUF_DYNFIELD(&frame, stamp_offset_, const rte_mbuf_timestamp_t*);
  if (!believable(device_ns, burst_utc_ns_)) return burst_utc_ns_;
  ++counted_.device_stamps;
  return static_cast<std::int64_t>(device_ns);
}

void Port::tick(std::uint64_t now_ns) {
  if (join_again_.load(std::memory_order_relaxed)) {
    join_again_.store(false, std::memory_order_relaxed);
    membership_->join(now_ns);
  }
  if (const auto report = membership_->due(now_ns)) counted_.reports += send(*report) ? 1 : 0;
}

bool Port::send(const ReportFrame& report) {
  rte_mbuf* frame = rte_pktmbuf_alloc(pool_);
  if (frame == nullptr) return false;
  char* room = rte_pktmbuf_append(frame, static_cast<std::uint16_t>(report.size()));
  std::copy(report.begin(), report.end(), room);
  if (rte_eth_tx_burst(port_, 0, &frame, 1) == 1) return true;
  rte_pktmbuf_free(frame);
  return false;
}

Counters Port::counters() const {
  Counters all = counted_;
  all.missed = missed_.load(std::memory_order_relaxed);
  all.errors = errors_.load(std::memory_order_relaxed);
  all.no_mbuf = no_mbuf_.load(std::memory_order_relaxed);
  all.link_up = link_up_.load(std::memory_order_relaxed);
  return all;
}

void Port::look_after() {
  rte_eth_stats stats{};
  if (rte_eth_stats_get(port_, &stats) == 0) {
    missed_.store(stats.imissed, std::memory_order_relaxed);
    errors_.store(stats.ierrors, std::memory_order_relaxed);
    no_mbuf_.store(stats.rx_nombuf, std::memory_order_relaxed);
  }
  rte_eth_link link{};
  if (rte_eth_link_get_nowait(port_, &link) != 0) return;
  const bool up = link.link_status == RTE_ETH_LINK_UP;
  // What was reported while the link was down, nobody heard.
  if (up && !link_up_.load(std::memory_order_relaxed)) join_again_.store(true, std::memory_order_relaxed);
  link_up_.store(up, std::memory_order_relaxed);
}

}  // namespace hft::dpdk
