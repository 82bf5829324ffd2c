// One run of the generator: market data out on its schedule, orders in, latency from the intended time.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/net.h"
#include "load/histogram.h"
#include "load/idle.h"
#include "load/machine.h"
#include "load/schedule.h"
#include "load/stimulus.h"
#include "load/venue_end.h"

namespace hft::load {

struct LoadPlan {
  std::string label = "run";
  std::vector<base::Endpoint> lines;
  std::string interface = "127.0.0.1";
  VenueEndPlan venue_end;
  StimulusPlan stimulus;
  std::uint64_t triggers = 10'000;
  std::uint64_t triggers_per_s = 1'000;
  std::uint64_t noise_messages_per_s = 0;
  std::uint64_t warmup = 500;     // first triggers that are sent and answered but not counted
  std::uint64_t rest_ms = 0;      // without triggers, between the warm-up and what counts
  bool wait_go = false;           // begin only when a line arrives on standard input
  std::uint64_t settle_ms = 300;  // between login, opening and the first trigger
  std::uint64_t grace_ms = 500;   // for the last answers; over when all are in
  std::uint64_t login_timeout_s = 30;
  Idle idle = Idle::yield;
  int cpu = -1;
  std::string peers_file;  // pids that belong to the run; read when measuring begins
};

struct LoadResult {
  Histogram latency;  // order in, minus intended time of its trigger
  Histogram backlog;  // how late each trigger left
  std::uint64_t matched = 0, unmatched = 0, repeated = 0, missing = 0;
  std::uint64_t datagrams = 0, messages = 0, bytes = 0, largest_bytes = 0, send_failed = 0;
  std::uint64_t next_sequence = 0;  // of the feed, behind everything sent
  std::uint64_t rerequests = 0, orders = 0, answered = 0, other_messages = 0;
  std::uint64_t duration_ns = 0;
  std::int64_t drops = -1;
  double others_cpu = 0;
  Switches switches;
  bool peer_lost = false;
};

class Loader {
 public:
  // `on_warm` is called when the warm-up is sent, at the beginning of the rest.
  explicit Loader(const LoadPlan& plan, std::function<void()> on_warm = {});
  LoadResult run(const volatile int* stop);  // throws std::runtime_error when nobody logs in
  [[nodiscard]] std::uint16_t order_port() const { return venue_end_.port(); }
  [[nodiscard]] std::uint16_t retransmit_port() const { return base::port_of(retransmit_); }

 private:
  void on_order(const Arrival& arrival);
  void await_login(const volatile int* stop);
  void await_answers(const volatile int* stop);
  bool may_begin();
  void send_opening(const volatile int* stop);
  void wait_until(std::uint64_t at_ns, const volatile int* stop);
  void send(Bytes datagram);
  void send_due(const Due& due, std::uint64_t now_ns);
  void count_rerequests();
  void finish(const volatile int* stop);

  LoadPlan plan_;
  std::function<void()> on_warm_;
  Stimulus stimulus_;
  VenueEnd venue_end_;
  Schedule schedule_;
  std::vector<base::Fd> senders_;
  base::Fd retransmit_;
  std::vector<bool> answered_;
  std::uint64_t unanswered_;
  std::array<std::uint8_t, mold::kDatagramBytesMax> buffer_{};
  Waiter waiter_;
  LoadResult result_;
  std::uint64_t start_ns_ = 0;
  std::uint64_t heartbeat_ns_ = 0;
  bool told_to_go_ = false;
};

std::string to_json(const LoadPlan& plan, const LoadResult& result);

}  // namespace hft::load
