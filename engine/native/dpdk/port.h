// One poll-mode port: its device, its queue, and the membership of its group.
#pragma once

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>

#include <atomic>
#include <memory>

#include "dpdk/frame.h"
#include "dpdk/igmp.h"
#include "dpdk/receiver.h"

namespace hft::dpdk {

class Port {
 public:
  // Configures, starts and joins. Throws std::runtime_error.
  Port(const LineWish& wish, const Options& options);
  ~Port();
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  std::optional<feed::Datagram> receive();
  void tick(std::uint64_t now_ns);
  [[nodiscard]] Counters counters() const;
  void look_after();
  [[nodiscard]] const std::string& describe() const { return description_; }

 private:
  static constexpr std::uint16_t kBurst = 32;

  void find(const Device& device);
  void configure(const rte_eth_dev_info& info, const Options& options);
  void set_up_queues(const rte_eth_dev_info& info, const Options& options);
  const char* let_group_in();
  bool refill();
  std::optional<feed::Datagram> look_at(const rte_mbuf& frame);
  std::int64_t stamp_of(const rte_mbuf& frame);
  bool send(const ReportFrame& report);

  Wanted wanted_;
  std::uint16_t port_ = 0;
  std::string name_, description_;
  rte_mempool* pool_ = nullptr;
  bool device_stamps_ = false;
  int stamp_offset_ = -1;
  std::uint64_t stamp_flag_ = 0;
  std::array<rte_mbuf*, kBurst> burst_{};
  std::uint16_t taken_ = 0, got_ = 0;
  std::int64_t burst_utc_ns_ = 0;
  std::unique_ptr<Membership> membership_;
  Counters counted_;  // of the hot thread
  // Written by the thread that looks after the device.
  std::atomic<std::uint64_t> missed_{0}, errors_{0}, no_mbuf_{0};
  std::atomic<bool> link_up_{false}, join_again_{true};
};

}  // namespace hft::dpdk
