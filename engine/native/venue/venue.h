// The venue program's one loop: sockets around the exchange, the feed and the source.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "base/fd.h"
#include "venue/config.h"
#include "venue/feed.h"
#include "venue/source.h"

namespace hft::venue {

class Admin;

struct LineCounts {
  std::string name;
  std::uint64_t datagrams = 0;  // offered to the line, before faults
  std::uint64_t sent = 0;       // what the kernel took
  std::uint64_t failed = 0;
  std::uint64_t lost = 0, duplicated = 0, reordered = 0;  // injected
};

class Venue : public Outlet {
 public:
  explicit Venue(const Config& config);
  ~Venue() override;

  // Until `*stop` says so: 1 = end the session, answer what is asked, leave. Returns the exit code.
  int run(const volatile int* stop);
  [[nodiscard]] std::string ready_line() const;

  void to_account(AccountId account, Bytes message) override { orders_->append(account, message); }
  void to_feed(Bytes message) override;
  void to_log(const LogEntry& entry) override { log_.write(entry, now_ns_); }

  // For the admin socket.
  void start_source();
  void pause(bool orders, bool feed);
  void resume();
  void end_session();
  [[nodiscard]] Exchange& exchange() { return exchange_; }
  [[nodiscard]] OrderServer& orders() { return *orders_; }
  [[nodiscard]] const Feed& feed() const { return feed_; }
  [[nodiscard]] const std::vector<LineCounts>& lines() const { return counts_; }
  [[nodiscard]] const Source* source() const { return source_.get(); }
  [[nodiscard]] bool feed_paused() const { return feed_paused_; }
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] std::uint64_t retransmit_requests() const { return requests_; }
  [[nodiscard]] std::uint64_t retransmitted() const { return retransmitted_; }
  [[nodiscard]] const Log& log() const { return log_; }
  [[nodiscard]] std::uint64_t now_ns() const { return now_ns_; }
  [[nodiscard]] const Config& config() const { return config_; }

 private:
  void add_line(const LineConfig& line);
  void report_fault(std::size_t line, Fault fault, std::uint64_t datagram, Bytes bytes);
  void answer_requests();
  void run_source();
  void run_timers();
  [[nodiscard]] std::uint64_t sleep_ns() const;
  void read_time();
  void wait_once();

  Config config_;
  Log log_;
  Directory directory_;
  Exchange exchange_;
  Feed feed_;
  base::Fd epoll_;
  base::Fd retransmit_;
  std::unique_ptr<OrderServer> orders_;
  std::unique_ptr<Admin> admin_;
  std::unique_ptr<Source> source_;
  std::vector<std::vector<base::Fd>> senders_;
  std::vector<LineCounts> counts_;
  std::vector<std::unique_ptr<Injector>> injectors_;
  std::uint64_t now_ns_ = 0;     // real time: what is logged and published
  std::uint64_t steady_ns_ = 0;  // monotonic: what schedules follow
  std::uint64_t tick_due_ns_ = 0;
  std::uint64_t heartbeat_due_ns_ = 0;
  std::uint64_t datagrams_seen_ = 0;
  std::uint64_t requests_ = 0;
  std::uint64_t retransmitted_ = 0;
  bool feed_paused_ = false;
  bool ended_ = false;
};

}  // namespace hft::venue
