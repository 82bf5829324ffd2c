// The hot loop: one thread that receives market data and responses, runs the core, and sends.
//
// Order of a turn: feed lines, gateway, commands, gate and egress, time. It owns the core, the recorder and both
// ends of the gateway session; other threads reach it through mailboxes only.
#pragma once

#include <thread>

#include "core/recorder.h"
#include "engine/connector.h"
#include "engine/egress.h"
#include "engine/feed_input.h"
#include "engine/metrics.h"
#include "engine/request.h"

namespace hft::engine {

struct HotParts {
  const EngineConfig& config;
  Ring& ring;
  DurabilityGate& gate;
  FeedInput& feed;
  Connector& connector;
  MetricsPage& metrics;
  int wake_fd;  // an eventfd that ends a sleep
};

class Hot : public core::IntentQueue {
 public:
  Hot(const HotParts& parts, std::uint64_t last_input_seq, const book::Limits& book, std::pmr::memory_resource* memory);

  core::Core& core() { return core_; }
  // Before the thread runs: the start record, the latch if it is set, the limits.
  void begin(const std::string& start_record, const core::Latch& latch, const std::string& limits);
  void start();
  void join();

  bool ask(Request* request);
  // State moves in order, for whoever tells the service manager.
  bool take_move(core::State& state) { return moves_.take(state); }
  [[nodiscard]] bool stopped() const { return stopped_.load(std::memory_order_acquire); }
  void give_up() { give_up_.store(true); }

  // As a sink of arbitration (feed/arbiter.h).
  void deliver(const mold::Packet& run);
  void lost(std::uint64_t first, std::uint64_t count);
  void session(const mold::Session& name);
  void end_of_session();

  // As the recorder's queue.
  void intent(std::span<const std::byte> message, std::uint64_t journal_offset) override;
  void ring_full() override;
  void moved() override { moves_.put(core_.state()); }

 private:
  void loop();
  bool turn();
  bool receive_feed(feed::Line line);
  bool receive_feeds();
  void after_feed();
  bool receive_gateway();
  void on_packet(const soup::Packet& packet);
  bool take_connected();
  bool take_requests();
  void serve(Request& request);
  bool finish_waiting(Request& request, core::Verb verb);
  void answer(Request& request);
  bool run_egress();
  bool let_out(const EgressQueue::Waiting& waiting, bool recorded);
  [[nodiscard]] bool journal_is_broken() const;
  bool send_out(const EgressQueue::Waiting& waiting);
  void drop(const EgressQueue::Waiting& waiting);
  void follow_core();
  void lost_session();
  void tick();
  void publish();
  void publish_ports();
  void rest();
  void input(Kind kind, std::span<const std::byte> payload);
  void input(Kind kind, std::string_view text) { input(kind, std::as_bytes(std::span(text))); }
  [[nodiscard]] Snapshot snapshot() const;

  HotParts parts_;
  core::Recorder recorder_;
  core::Core core_;
  feed::Arbiter arbiter_;
  GatewaySession session_;
  EgressQueue egress_;
  Mailbox<Request*, 64> requests_;
  Mailbox<core::State, 256> moves_;
  Request* promoting_ = nullptr;
  Request* killing_ = nullptr;
  std::uint64_t now_ns_ = 0;
  std::uint64_t last_tick_ns_ = 0;
  std::uint64_t last_feed_input_ns_ = 0;
  Origin origin_;  // of the datagram in hand
  std::uint64_t turns_ = 0;
  std::uint64_t empty_turns_ = 0;
  bool gapped_ = false;
  bool connecting_ = false;
  bool broken_told_ = false;
  std::array<std::uint8_t, 65536> packet_{};
  std::atomic<bool> stopped_{false};
  std::atomic<bool> give_up_{false};
  std::thread thread_;
};

}  // namespace hft::engine
