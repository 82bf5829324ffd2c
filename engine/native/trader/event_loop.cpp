// The turns of the hot loop: see event_loop.h. Commands and the gateway session are in event_loop_control.cpp.
#include "trader/event_loop.h"

#include <immintrin.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "core/documents.h"
#include "core/replay.h"
#include "trader/host.h"

namespace hft::trader {
namespace {

constexpr std::uint64_t kTickEveryNs = 10'000'000;
constexpr std::uint64_t kHeartbeatEveryNs = 500'000'000;  // SoupBinTCP asks for one a second
constexpr int kDatagramsATurn = 32;
constexpr std::uint64_t kTurnsALook = 64;  // at the re-request line while nothing is missing: late answers go
constexpr std::uint64_t kKillStallNs = 50'000'000;
constexpr std::uint64_t kSpinTurns = 200;  // of the backoff strategy, before it sleeps

feed::Config arbiter_config(const EngineConfig& config) {
  // A hole is asked for again for four seconds; declared lost, the book is wrong until a new session.
  feed::Config arbiter{.requests_max = 200};
  if (!config.feed_session.empty()) arbiter.session = mold::make_session(config.feed_session);
  return arbiter;
}

}  // namespace

EventLoop::EventLoop(const EventLoopParts& parts, std::uint64_t last_input_seq, const book::Limits& book,
                     std::pmr::memory_resource* memory)
    : parts_(parts),
      recorder_(parts.ring, *this, last_input_seq),
      core_(recorder_, book, memory),
      arbiter_(arbiter_config(parts.config)) {}

void EventLoop::begin(const std::string& start_record, const core::Latch& latch, const std::string& limits) {
  input(Kind::start, start_record);
  if (latch.set) {
    g_egress_block.store(true);
    input(Kind::admin, core::kill_record(latch, 0));
  }
  input(Kind::limits, limits);
  follow_core();
}

void EventLoop::start() {
  thread_ = std::thread([this] {
    base::settle_thread("hft-hot", parts_.config.cpus_of("hot"));
    parts_.metrics.set_writer(static_cast<std::uint32_t>(gettid()));
    parts_.feed.enter_thread();
    loop();
  });
}

void EventLoop::join() {
  if (thread_.joinable()) thread_.join();
}

void EventLoop::loop() {
  while (core_.state() != core::State::stopped && !give_up_.load(std::memory_order_relaxed)) {
    now_ns_ = base::monotonic_ns();
    const bool worked = poll_once();
    publish();
    if (worked) empty_turns_ = 0;
    else idle();
  }
  // Whoever still waits for an answer gets it.
  for (Request* waiting : {promoting_, killing_}) {
    if (waiting != nullptr) answer(*waiting);
  }
  take_requests();
  static_cast<void>(session_.send(soup::kLogoutRequest, {}, now_ns_));
  session_.close();
  link_.close();
  publish();
  stopped_.store(true, std::memory_order_release);
}

bool EventLoop::poll_once() {
  bool worked = receive_feeds();
  after_feed();
  worked |= receive_gateway();
  worked |= receive_link();
  worked |= take_connected();
  worked |= take_kill_signal();
  worked |= take_requests();
  worked |= run_egress();
  tick();
  follow_core();
  return worked;
}

bool EventLoop::receive_feeds() {
  bool worked = receive_feed(feed::Line::a);
  worked |= receive_feed(feed::Line::b);
  // Answers come only to what was asked; a spinning turn is shorter by the system call that finds none.
  const bool look = gapped_ || parts_.config.idle != Idle::spin || ++turns_ % kTurnsALook == 0;
  if (look) worked |= receive_feed(feed::Line::rerequest);
  return worked;
}

bool EventLoop::receive_feed(feed::Line line) {
  int taken = 0;
  for (; taken < kDatagramsATurn; ++taken) {
    const auto datagram = parts_.feed.receive(line);
    if (!datagram) break;
    now_ns_ = base::monotonic_ns();
    origin_ = {now_ns_, datagram->received_utc_ns};
    arbiter_.on_datagram(line, datagram->bytes, now_ns_, *this);
    // What this datagram led to leaves before the next one is read.
    run_egress();
    origin_ = {};
    const bool is_current = arbiter_.current_ns() == now_ns_;
    if (is_current && now_ns_ - last_feed_input_ns_ > parts_.config.core.feed_stale_ms * 250'000) {
      const core::FeedEvent heard{core::FeedEvent::heard, arbiter_.expected(), 0};
      input(Kind::feed, bytes_of(heard));
      last_feed_input_ns_ = now_ns_;
    }
  }
  return taken > 0;
}

void EventLoop::after_feed() {
  while (const auto request = arbiter_.poll(now_ns_, *this)) parts_.feed.request(*request);
  const bool gapped = arbiter_.phase() == feed::Phase::gapped || arbiter_.contested();
  if (gapped != gapped_) set_gapped(gapped);
}

void EventLoop::set_gapped(bool gapped) {
  gapped_ = gapped;
  const core::FeedEvent event{gapped ? core::FeedEvent::gap_open : core::FeedEvent::gap_closed, arbiter_.expected(), 0};
  input(Kind::feed, bytes_of(event));
}

// A run of messages in order. A whole datagram is journaled as received; a trimmed one gets its own header.
void EventLoop::deliver(const mold::Packet& run) {
  const std::size_t length = mold::kHeaderBytes + run.blocks.size();
  mold::store_header(packet_, run.session, run.sequence, run.count);
  std::copy(run.blocks.begin(), run.blocks.end(), packet_.begin() + mold::kHeaderBytes);
  const auto bytes = std::as_bytes(std::span(packet_).first(length));
  last_feed_input_ns_ = now_ns_;
  if (!parts_.config.market_as_reference) return input(Kind::market_full, bytes);
  core::MarketRef ref{};
  std::copy(run.session.begin(), run.session.end(), ref.session);
  ref.first_sequence = run.sequence;
  ref.count = run.count;
  ref.crc32c = crc32c(0, run.blocks.data(), run.blocks.size());
  recorder_.input_by_reference(core_, bytes_of(ref), bytes, now_ns_, base::realtime_ns());
}

void EventLoop::lost(std::uint64_t first, std::uint64_t count) {
  const core::FeedEvent event{core::FeedEvent::lost, first + count, count};
  input(Kind::feed, bytes_of(event));
  parts_.metrics.add(Metric::feed_lost, count);
}

void EventLoop::session(const mold::Session&) {
  const core::FeedEvent event{core::FeedEvent::session, arbiter_.expected(), 0};
  input(Kind::feed, bytes_of(event));
  last_feed_input_ns_ = 0;  // nothing of it was heard yet
  set_gapped(true);  // the core began anew; what is not proven moves no order, and its first messages come at once
}

void EventLoop::end_of_session() {
  const core::FeedEvent event{core::FeedEvent::ended, arbiter_.expected(), 0};
  input(Kind::feed, bytes_of(event));
}

void EventLoop::session_resumed() {
  const core::FeedEvent event{core::FeedEvent::resumed, arbiter_.expected(), 0};
  input(Kind::feed, bytes_of(event));
}

void EventLoop::input(Kind kind, std::span<const std::byte> payload) {
  recorder_.input(core_, kind, payload, now_ns_ != 0 ? now_ns_ : base::monotonic_ns(), base::realtime_ns());
}

void EventLoop::intent(std::span<const std::byte> message, std::uint64_t journal_offset) {
  if (core_.config().egress == core::Egress::shadow) return;
  const bool is_cancel = std::to_integer<char>(message[0]) == 'X';
  (is_cancel ? cancels_ : orders_).push(message, journal_offset, now_ns_, origin_);
}

// The persister is behind by a whole ring. A kill does not wait for it longer than this: what it leads to goes out
// unrecorded, and orders never do again.
bool EventLoop::ring_full() {
  parts_.metrics.add(Metric::journal_stalls, 1);
  const bool is_killed = g_egress_block.load(std::memory_order_acquire);
  if (!is_killed) stalled_since_ns_ = 0;
  else if (stalled_since_ns_ == 0) stalled_since_ns_ = base::monotonic_ns();
  else if (base::monotonic_ns() - stalled_since_ns_ > kKillStallNs) return false;
  sched_yield();
  return true;
}

bool EventLoop::run_egress() {
  bool worked = false;
  const auto may_go = [this] { return session_.is_open() || core_.epoch() == 0; };
  while (!cancels_.empty() && may_go()) {
    const auto cancel = cancels_.front();
    cancels_.pop();
    worked = true;
    if (!send_cancel(cancel)) return lost_session(), true;
  }
  while (!orders_.empty() && may_go()) {
    const auto order = orders_.front();
    const bool recorded = parts_.gate.open(order.journal_offset) && !recorder_.gave_up();
    const bool aged = is_aged(order);
    if (!recorded && !aged && !journal_is_broken()) break;
    orders_.pop();
    worked = true;
    if (!let_out(recorded) || aged) drop(order);
    else if (!send_out(order)) return lost_session(), true;
  }
  if (!session_.flush(now_ns_)) lost_session();
  return worked;
}

// False when the session is lost. An order that never left needs no cancel, only one that may have left before (sent
// again after a reconnect) does.
bool EventLoop::send_cancel(const EgressQueue::Waiting& cancel) {
  const std::uint32_t urn = ouch::CancelOrder::urn.load(cancel.message.data());
  EgressQueue::Waiting order{};
  if (orders_.take(urn, order)) drop(order);
  if (core_.epoch() == 0 || !session_.is_open() || !core_.is_open(urn)) return drop(cancel), true;
  if (!send_out(cancel)) return false;
  ++cancels_left_;
  return true;
}

// Decision: return of recv to call of send. User span: the kernel's receive stamp to return of send.
bool EventLoop::send_out(const EgressQueue::Waiting& waiting) {
  const Origin& from = waiting.origin;
  const std::uint64_t call_ns = base::monotonic_ns();
  if (!session_.send(soup::kUnsequenced, Bytes(waiting.message).first(waiting.length), now_ns_)) return false;
  const std::int64_t span_ns = from.received_utc_ns != 0 ? base::realtime_ns() - from.received_utc_ns : 0;
  session_.set_sent_ns(now_ns_);
  if (from.begin_ns != 0) parts_.metrics.record(Histogram::decision, call_ns - from.begin_ns);
  if (span_ns > 0) parts_.metrics.record(Histogram::user_span, static_cast<std::uint64_t>(span_ns));
  parts_.metrics.add(waiting.message[0] == 'O' ? Metric::orders_sent : Metric::cancels_sent, 1);
  return true;
}

bool EventLoop::journal_is_broken() const {
  return recorder_.gave_up() || parts_.ring.shared().broken_errno.load(std::memory_order_relaxed) != 0;
}

// The last gate for orders: while this process holds its epoch, what leads to them is recorded, and nothing blocks.
bool EventLoop::let_out(bool recorded) const {
  if (core_.epoch() == 0 || !session_.is_open()) return false;
  return recorded && !g_egress_block.load(std::memory_order_acquire) && core::may_trade(core_.state());
}

// It waited too long, for a disk or a replica: what it was decided on is not so any more.
bool EventLoop::is_aged(const EgressQueue::Waiting& order) const {
  return now_ns_ > order.decided_ns && now_ns_ - order.decided_ns > core_.config().order_age_max_ms * 1'000'000;
}

void EventLoop::drop(const EgressQueue::Waiting& waiting) {
  const std::array<std::uint32_t, 2> record{ouch::CancelOrder::urn.load(waiting.message.data()),
                                            waiting.message[0] == 'X' ? 1U : 0U};
  input(Kind::egress, bytes_of(record));
  parts_.metrics.add(Metric::egress_dropped, 1);
}

void EventLoop::tick() {
  parts_.feed.tick(now_ns_);
  if (now_ns_ - last_tick_ns_ >= kTickEveryNs) {
    last_tick_ns_ = now_ns_;
    publish_ports();
    input(Kind::tick, bytes_of(now_ns_));
    if (!broken_told_ && journal_is_broken()) {
      broken_told_ = true;
      input(Kind::admin, R"({"uid":0,"request":{"verb":"journal_broken"}})");
    }
  }
  beat();
  if (session_.is_open() && session_.is_silent(now_ns_, parts_.config.link_silence_max_ms * 1'000'000)) lost_session();
  if (session_.is_open() && session_.owes_heartbeat(now_ns_, kHeartbeatEveryNs)) {
    if (!session_.send(soup::kClientHeartbeat, {}, now_ns_)) lost_session();
    session_.set_sent_ns(now_ns_);
  }
}

void EventLoop::publish() {
  auto& page = parts_.metrics;
  const auto& counters = core_.counters();
  page.add(Metric::turns, 1);
  page.heartbeat(now_ns_);
  page.set(Metric::state, static_cast<std::uint64_t>(core_.state()));
  page.set(Metric::epoch, core_.epoch());
  page.set(Metric::latched, core_.latch().set ? 1 : 0);
  page.set(Metric::input_seq, recorder_.last_input_seq());
  page.set(Metric::durable_seq, parts_.ring.shared().durable_input_seq.load(std::memory_order_relaxed));
  page.set(Metric::feed_messages, core_.market().messages());
  page.set(Metric::feed_gaps, arbiter_.counters().gaps);
  page.set(Metric::feed_rejected, arbiter_.counters().of(feed::Outcome::rejected));
  page.set(Metric::feed_requests, arbiter_.counters().requests);
  page.set(Metric::executions, counters.executions);
  page.set(Metric::risk_refused, counters.refused);
  page.set(Metric::open_orders, core_.orders().count());
  page.set(Metric::resent, counters.resent);
  page.set(Metric::gateway_refused, counters.gateway_refused);
  page.set(Metric::responses_unknown, counters.responses_unknown);
  page.set(Metric::responses_bad, counters.responses_bad);
  page.set(Metric::feed_strays, parts_.feed.strays());
}

void EventLoop::publish_ports() {
  if (!parts_.feed.is_polled()) return;
  for (std::size_t line = 0; line < dpdk::kLines; ++line) {
    const dpdk::Counters seen = parts_.feed.counters(line);
    const std::array<std::uint64_t, kPortMetrics> values{seen.frames,
                                                         seen.data,
                                                         seen.foreign,
                                                         seen.malformed,
                                                         seen.bad_checksum,
                                                         seen.fragments,
                                                         seen.igmp,
                                                         seen.reports,
                                                         seen.device_stamps,
                                                         seen.missed,
                                                         seen.errors,
                                                         seen.no_mbuf,
                                                         seen.link_up ? 1ULL : 0ULL};
    for (std::size_t i = 0; i < values.size(); ++i) parts_.metrics.set_port(line, i, values[i]);
  }
}

// Nothing to do: burn, give way, or sleep until something arrives or a millisecond is over.
void EventLoop::idle() {
  ++empty_turns_;
  if (parts_.config.idle == Idle::spin) return _mm_pause();
  if (parts_.config.idle == Idle::yield || empty_turns_ < kSpinTurns) {
    sched_yield();
    return;
  }
  std::array<pollfd, 6> fds{};
  nfds_t count = 0;
  for (const feed::Line line : {feed::Line::a, feed::Line::b, feed::Line::rerequest}) {
    fds[count++] = {parts_.feed.fd(line), POLLIN, 0};
  }
  fds[count++] = {session_.fd(), POLLIN, 0};
  fds[count++] = {parts_.wake_fd, POLLIN, 0};
  fds[count++] = {link_.fd(), POLLIN, 0};
  // A poll-mode port wakes nobody.
  const timespec limit{0, orders_.empty() && cancels_.empty() && !parts_.feed.is_polled() ? 1'000'000 : 50'000};
  if (ppoll(fds.data(), count, &limit, nullptr) > 0 && (fds[4].revents & POLLIN) != 0) {
    std::uint64_t rung = 0;
    static_cast<void>(!read(parts_.wake_fd, &rung, sizeof rung));
  }
}

}  // namespace hft::trader
