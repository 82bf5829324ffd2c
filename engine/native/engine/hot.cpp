// The turns of the hot loop: see hot.h. Commands and the gateway session are in hot_control.cpp.
#include "engine/hot.h"

#include <immintrin.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include "core/documents.h"
#include "core/replay.h"
#include "engine/host.h"

namespace hft::engine {
namespace {

constexpr std::uint64_t kTickEvery_ns = 10'000'000;
constexpr std::uint64_t kHeartbeatEvery_ns = 500'000'000;  // SoupBinTCP asks for one a second
constexpr int kDatagramsATurn = 32;
constexpr std::uint64_t kTurnsALook = 64;  // at the re-request line while nothing is missing: late answers go
constexpr std::uint64_t kSpinTurns = 200;  // of the backoff strategy, before it sleeps

feed::Config arbiter_config() {
  // A hole is asked for again for ten seconds; declared lost, the book is wrong until a new session.
  return {.session = std::nullopt, .requests_max = 200};
}

}  // namespace

Hot::Hot(const HotParts& parts, std::uint64_t last_input_seq, const book::Limits& book,
         std::pmr::memory_resource* memory)
    : parts_(parts),
      recorder_(parts.ring, *this, last_input_seq),
      core_(recorder_, book, memory),
      arbiter_(arbiter_config()) {}

void Hot::begin(const std::string& start_record, const core::Latch& latch, const std::string& limits) {
  input(Kind::start, start_record);
  if (latch.set) {
    g_egress_block.store(true);
    input(Kind::admin, core::kill_record(latch.scope, latch.id, latch.reason));
  }
  input(Kind::limits, limits);
  follow_core();
}

void Hot::start() {
  thread_ = std::thread([this] {
    settle_thread("hft-hot", parts_.config.cpus_of("hot"));
    parts_.metrics.set_writer(static_cast<std::uint32_t>(gettid()));
    parts_.feed.enter_thread();
    loop();
  });
}

void Hot::join() {
  if (thread_.joinable()) thread_.join();
}

void Hot::loop() {
  while (core_.state() != core::State::stopped && !give_up_.load(std::memory_order_relaxed)) {
    now_ns_ = monotonic_ns();
    const bool worked = turn();
    publish();
    if (worked) empty_turns_ = 0;
    else rest();
  }
  // Whoever still waits for an answer gets it.
  for (Request* waiting : {promoting_, killing_}) {
    if (waiting != nullptr) answer(*waiting);
  }
  take_requests();
  session_.send(soup::kLogoutRequest, {});
  session_.close();
  publish();
  stopped_.store(true, std::memory_order_release);
}

bool Hot::turn() {
  bool worked = receive_feeds();
  after_feed();
  worked |= receive_gateway();
  worked |= take_connected();
  worked |= take_requests();
  worked |= run_egress();
  tick();
  follow_core();
  return worked;
}

bool Hot::receive_feeds() {
  bool worked = receive_feed(feed::Line::a);
  worked |= receive_feed(feed::Line::b);
  // Answers come only to what was asked; a spinning turn is shorter by the system call that finds none.
  const bool look = gapped_ || parts_.config.idle != Idle::spin || ++turns_ % kTurnsALook == 0;
  if (look) worked |= receive_feed(feed::Line::rerequest);
  return worked;
}

bool Hot::receive_feed(feed::Line line) {
  int taken = 0;
  for (; taken < kDatagramsATurn; ++taken) {
    const auto datagram = parts_.feed.receive(line);
    if (!datagram) break;
    now_ns_ = monotonic_ns();
    origin_ = {now_ns_, datagram->received_utc_ns};
    arbiter_.on_datagram(line, datagram->bytes, now_ns_, *this);
    // What this datagram led to leaves before the next one is read.
    run_egress();
    origin_ = {};
    if (now_ns_ - last_feed_input_ns_ > parts_.config.core.feed_stale_ms * 250'000) {
      const core::FeedEvent heard{core::FeedEvent::heard, arbiter_.expected(), 0};
      input(Kind::feed, bytes_of(heard));
      last_feed_input_ns_ = now_ns_;
    }
  }
  return taken > 0;
}

void Hot::after_feed() {
  if (const auto request = arbiter_.poll(now_ns_, *this)) parts_.feed.request(*request);
  const bool gapped = arbiter_.phase() == feed::Phase::gapped;
  if (gapped == gapped_) return;
  gapped_ = gapped;
  const core::FeedEvent event{gapped ? core::FeedEvent::gap_open : core::FeedEvent::gap_closed, arbiter_.expected(), 0};
  input(Kind::feed, bytes_of(event));
}

// A run of messages in order. A whole datagram is journaled as received; a trimmed one gets its own header.
void Hot::deliver(const mold::Packet& run) {
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
  recorder_.input_by_reference(core_, bytes_of(ref), bytes, now_ns_, utc_ns());
}

void Hot::lost(std::uint64_t first, std::uint64_t count) {
  const core::FeedEvent event{core::FeedEvent::lost, first + count, count};
  input(Kind::feed, bytes_of(event));
  parts_.metrics.add(Metric::feed_lost, count);
}

void Hot::session(const mold::Session&) {
  const core::FeedEvent event{core::FeedEvent::session, arbiter_.expected(), 0};
  input(Kind::feed, bytes_of(event));
  last_feed_input_ns_ = now_ns_;
}

void Hot::end_of_session() {
  const core::FeedEvent event{core::FeedEvent::ended, arbiter_.expected(), 0};
  input(Kind::feed, bytes_of(event));
}

void Hot::input(Kind kind, std::span<const std::byte> payload) {
  recorder_.input(core_, kind, payload, now_ns_ != 0 ? now_ns_ : monotonic_ns(), utc_ns());
}

void Hot::intent(std::span<const std::byte> message, std::uint64_t journal_offset) {
  if (core_.config().egress == core::Egress::shadow) return;
  egress_.push(message, journal_offset, origin_);
}

// The persister is behind by a whole ring. The kill flag still works: it is looked at before every send.
void Hot::ring_full() {
  parts_.metrics.add(Metric::journal_stalls, 1);
  sched_yield();
}

bool Hot::run_egress() {
  bool worked = false;
  while (!egress_.empty() && (session_.is_open() || core_.epoch() == 0)) {
    const auto& waiting = egress_.front();
    const bool recorded = parts_.gate.open(waiting.journal_offset);
    if (!recorded && !journal_is_broken()) break;
    if (let_out(waiting, recorded)) {
      if (!send_out(waiting)) return lost_session(), true;
    } else {
      drop(waiting);
    }
    egress_.pop();
    worked = true;
  }
  if (!session_.flush()) lost_session();
  return worked;
}

// Decision: return of recv to call of send. User span: the kernel's receive stamp to return of send.
bool Hot::send_out(const EgressQueue::Waiting& waiting) {
  const Origin& from = waiting.origin;
  const std::uint64_t call_ns = monotonic_ns();
  if (!session_.send(soup::kUnsequenced, Bytes(waiting.message).first(waiting.length))) return false;
  const std::int64_t span_ns = from.received_utc_ns != 0 ? utc_ns() - from.received_utc_ns : 0;
  session_.set_sent_ns(now_ns_);
  if (from.begin_ns != 0) parts_.metrics.record(Histogram::decision, call_ns - from.begin_ns);
  if (span_ns > 0) parts_.metrics.record(Histogram::user_span, static_cast<std::uint64_t>(span_ns));
  parts_.metrics.add(waiting.message[0] == 'O' ? Metric::orders_sent : Metric::cancels_sent, 1);
  return true;
}

bool Hot::journal_is_broken() const { return parts_.ring.shared().broken_errno.load(std::memory_order_relaxed) != 0; }

// The last gate: cancels pass while this process holds its epoch, orders only while nothing blocks them. A broken
// journal records nothing any more: its cancels must not wait for it, a kill on a full disk would cancel nothing.
bool Hot::let_out(const EgressQueue::Waiting& waiting, bool recorded) {
  if (core_.epoch() == 0 || !session_.is_open()) return false;
  if (waiting.message[0] == 'X') return true;
  return recorded && !g_egress_block.load(std::memory_order_acquire) && core::may_trade(core_.state());
}

void Hot::drop(const EgressQueue::Waiting& waiting) {
  const std::array<std::uint32_t, 2> record{ouch::CancelOrder::urn.load(waiting.message.data()),
                                            waiting.message[0] == 'X' ? 1U : 0U};
  input(Kind::egress, bytes_of(record));
  parts_.metrics.add(Metric::egress_dropped, 1);
}

void Hot::tick() {
  parts_.feed.tick(now_ns_);
  if (now_ns_ - last_tick_ns_ >= kTickEvery_ns) {
    last_tick_ns_ = now_ns_;
    publish_ports();
    input(Kind::tick, bytes_of(now_ns_));
    if (!broken_told_ && journal_is_broken()) {
      broken_told_ = true;
      input(Kind::admin, R"({"uid":0,"request":{"verb":"journal_broken"}})");
    }
  }
  if (session_.is_open() && now_ns_ - session_.sent_ns() >= kHeartbeatEvery_ns) {
    if (!session_.send(soup::kClientHeartbeat, {})) lost_session();
    session_.set_sent_ns(now_ns_);
  }
}

void Hot::publish() {
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
}

void Hot::publish_ports() {
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
void Hot::rest() {
  ++empty_turns_;
  if (parts_.config.idle == Idle::spin) return _mm_pause();
  if (parts_.config.idle == Idle::yield || empty_turns_ < kSpinTurns) {
    sched_yield();
    return;
  }
  std::array<pollfd, 5> fds{};
  nfds_t count = 0;
  for (const feed::Line line : {feed::Line::a, feed::Line::b, feed::Line::rerequest}) {
    fds[count++] = {parts_.feed.fd(line), POLLIN, 0};
  }
  fds[count++] = {session_.fd(), POLLIN, 0};
  fds[count++] = {parts_.wake_fd, POLLIN, 0};
  // A poll-mode port wakes nobody.
  const timespec limit{0, egress_.empty() && !parts_.feed.is_polled() ? 1'000'000 : 50'000};
  if (ppoll(fds.data(), count, &limit, nullptr) > 0 && (fds[4].revents & POLLIN) != 0) {
    std::uint64_t rung = 0;
    static_cast<void>(!read(parts_.wake_fd, &rung, sizeof rung));
  }
}

}  // namespace hft::engine
