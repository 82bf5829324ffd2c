// The hot loop: one thread that receives market data and responses, runs the core, and sends.
//
// Order of a turn: feed lines, gateway, commands, gate and egress, time. It owns the core, the recorder and both
// ends of the gateway session; other threads reach it through mailboxes only.
#pragma once

#include <thread>

#include "core/recorder.h"
#include "trader/connector.h"
#include "trader/egress.h"
#include "trader/feed_input.h"
#include "trader/metrics.h"
#include "trader/request.h"

namespace hft::trader {

struct EventLoopParts {
  const EngineConfig& config;
  Ring& ring;
  DurabilityGate& gate;
  FeedInput& feed;
  Connector& connector;
  MetricsPage& metrics;
  int wake_fd;  // an eventfd that ends a sleep
};

class EventLoop : public core::IntentQueue {
 public:
  EventLoop(const EventLoopParts& parts, std::uint64_t last_input_seq, const book::Limits& book,
            std::pmr::memory_resource* memory);

  core::Core& core() { return core_; }
  // Of the last kill or drain, with the cancels that really left.
  [[nodiscard]] core::Cleanup cleanup() const;
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
  void session_resumed();

  // As the recorder's queue.
  void intent(std::span<const std::byte> message, std::uint64_t journal_offset) override;
  bool ring_full() override;
  void moved() override { moves_.put(core_.state()); }

 private:
  void loop();
  bool poll_once();
  bool receive_feed(feed::Line line);
  bool receive_feeds();
  void after_feed();
  [[nodiscard]] bool is_aged(const EgressQueue::Waiting& order) const;
  void set_gapped(bool gapped);
  bool receive_gateway();
  void on_packet(const soup::Packet& packet);
  bool take_connected();
  bool take_link(Connected& connected);
  bool receive_link();
  void follow_link();
  void beat();
  bool take_kill_signal();
  bool take_requests();
  void serve(Request& request);
  void command(core::Verb verb, std::string_view record);
  bool finish_waiting(Request& request, core::Verb verb);
  void answer(Request& request);
  bool run_egress();
  bool send_cancel(const EgressQueue::Waiting& cancel);
  [[nodiscard]] bool let_out(bool recorded) const;
  [[nodiscard]] bool journal_is_broken() const;
  bool send_out(const EgressQueue::Waiting& waiting);
  void drop(const EgressQueue::Waiting& waiting);
  void follow_core();
  void lost_session();
  void tick();
  void publish();
  void publish_ports();
  void idle();
  void input(Kind kind, std::span<const std::byte> payload);
  void input(Kind kind, std::string_view text) { input(kind, std::as_bytes(std::span(text))); }
  [[nodiscard]] Snapshot snapshot() const;

  EventLoopParts parts_;
  core::Recorder recorder_;
  core::Core core_;
  feed::Arbiter arbiter_;
  soup::Session session_;
  soup::Session link_;   // a standby's: admitted, and has claimed nothing
  EgressQueue orders_;   // each waits for its record
  EgressQueue cancels_;  // none waits
  Mailbox<Request*, 64> requests_;
  Mailbox<core::State, 256> moves_;
  Request* promoting_ = nullptr;
  Request* killing_ = nullptr;
  std::uint64_t now_ns_ = 0;
  std::uint64_t last_tick_ns_ = 0;
  std::uint64_t stalled_since_ns_ = 0;  // a kill waits for the ring
  std::uint64_t last_feed_input_ns_ = 0;
  Origin origin_;  // of the datagram in hand
  std::uint64_t turns_ = 0;
  std::uint32_t kill_signals_ = 0;  // of signals.h, carried out
  std::uint32_t cancels_left_ = 0;  // since the last kill or drain began
  std::uint64_t empty_turns_ = 0;
  bool gapped_ = false;
  bool connecting_ = false;
  bool linking_ = false;
  std::uint64_t link_asked_ns_ = 0;
  std::uint64_t beat_every_ns_ = 0;  // as the gateway asked; 0: it did not
  std::uint64_t beat_ns_ = 0;
  bool broken_told_ = false;
  std::array<std::uint8_t, 65536> packet_{};
  std::atomic<bool> stopped_{false};
  std::atomic<bool> give_up_{false};
  std::thread thread_;
};

}  // namespace hft::trader
