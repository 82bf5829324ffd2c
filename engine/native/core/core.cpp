// Dispatch, time and states of the core. Orders are in core_orders.cpp, commands and the link in core_control.cpp.
#include "core/core.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

#include "core/documents.h"

namespace hft::core {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kDayS = 86'400;
constexpr std::uint64_t kPromotionPatienceNs = 1'000'000'000;
constexpr std::uint64_t kForwardedQuietNs = 500'000'000;
constexpr std::uint64_t kCancelRetryNs = 1'000'000'000;
constexpr std::uint32_t kOrdersCapacity = 1 << 14;  // open at once; a limits file asks for far less

std::string_view text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Core::Core(Sink& sink, const book::Limits& book_limits, std::pmr::memory_resource* memory)
    : sink_(sink), orders_(kOrdersCapacity), market_(book_limits, memory) {}

bool Core::apply(const RecordView& record) {
  adopting_ = false;
  if (!dispatch(record)) return false;
  settle();
  if (config_.digest_every_inputs != 0 && stamp_.input_seq % config_.digest_every_inputs == 0) {
    const std::string both = state_digest() + decision_digest();
    sink_.emit(Kind::digest, std::as_bytes(std::span(both)), stamp_);
  }
  return true;
}

// Market data moves nothing that lasts, so a process that starts again need not have it.
bool Core::adopt(const RecordView& record) {
  adopting_ = true;
  switch (record.kind()) {
    case Kind::market_full:
    case Kind::market_ref:
    case Kind::digest: stamp_.input_seq = record.header.input_seq; return true;
    case Kind::state:
      fold(Kind::state, record.payload);
      state_ = state_after(text(record.payload)).value_or(state_);
      return true;
    case Kind::refusal:
      fold(Kind::refusal, record.payload);
      ++counters_.refused;
      return true;
    case Kind::intent: {
      stamp_ = Stamp{record.header.epoch, record.header.input_seq, record.header.monotonic_ns, record.header.utc_ns};
      fold(Kind::intent, record.payload);
      const bool enter = !record.payload.empty() && wire_bytes(record.payload)[0] == 'O';
      return enter ? commit_enter(record.payload) : commit_cancel(record.payload);
    }
    default: return dispatch(record);
  }
}

bool Core::dispatch(const RecordView& record) {
  stamp_ = Stamp{epoch_, record.header.input_seq, record.header.monotonic_ns, record.header.utc_ns};
  roll_day();
  note_time();
  FeedEvent feed{};
  std::array<std::uint32_t, 2> dropped{};
  switch (record.kind()) {
    case Kind::start: return on_start(record.payload);
    case Kind::market_full: return on_market(wire_bytes(record.payload));
    case Kind::response: return on_response(wire_bytes(record.payload));
    case Kind::tick: return on_tick();
    case Kind::limits: return on_limits(record.payload);
    case Kind::feed: return payload_as(record, feed) && on_feed(feed);
    case Kind::egress: return payload_as(record, dropped) && on_egress_drop(dropped[0], dropped[1] != 0);
    case Kind::epoch: {
      std::uint64_t epoch = 0;
      if (!payload_as(record, epoch)) return false;
      highest_epoch_ = std::max(highest_epoch_, epoch);
      return true;
    }
    case Kind::admin: {
      const auto command = parse_admin_record(text(record.payload));
      return command && on_command(*command);
    }
    case Kind::link: {
      const auto event = parse_link_record(text(record.payload));
      return event && on_link(*event);
    }
    default: return false;
  }
}

void Core::fold(Kind kind, std::span<const std::byte> payload) {
  decisions_.add(static_cast<std::uint64_t>(kind) << 48 ^ stamp_.input_seq);
  decisions_.add(payload);
}

void Core::emit(Kind kind, std::span<const std::byte> payload) {
  fold(kind, payload);
  stamp_.epoch = epoch_;
  sink_.emit(kind, payload, stamp_);
}

// False, and nothing changed, when the table has no such edge.
bool Core::move(Trigger trigger) {
  const State to = next_state(state_, trigger);
  if (to == state_) return false;
  if (adopting_) return true;  // the recorded move follows
  std::array<char, 96> json{};
  const int length = std::snprintf(json.data(), json.size(), R"({"from":"%s","to":"%s","why":"%s"})",
                                   name_of(state_).data(), name_of(to).data(), name_of(trigger).data());
  state_ = to;
  emit(Kind::state, std::as_bytes(std::span(json.data(), static_cast<std::size_t>(length))));
  return true;
}

bool Core::on_start(std::span<const std::byte> json) {
  const auto config = parse_start_record(text(json));
  if (!config) return false;
  config_ = *config;
  state_ = State::init;
  epoch_ = pending_epoch_ = 0;
  answer_ = promotion_ = Answer{};
  feed_ = FeedHealth{};
  cleanup_ = Cleanup{};
  link_up_ = replayed_ = journal_broken_ = drained_in_time_ = false;
  resent_ = true;
  last_ns_ = thawed_ns_ = 0;
  aged_.clear();
  drop_copy_.reset();
  strategy_.configure(config_.strategy);
  strategy_.forget();
  // A clock that runs backwards means that the host was started anew: the windows are long over.
  if (stamp_.monotonic_ns < last_sent_ns_) {
    rate_.clear();
    recent_.clear();
    last_sent_ns_ = 0;
  }
  return true;
}

// The daily loss begins anew with the trading day. Epochs never do; reference numbers do with the venue's session.
void Core::roll_day() {
  const std::int64_t day =
      (stamp_.utc_ns / kSecondNs - static_cast<std::int64_t>(config_.trading_day_start_utc_s)) / kDayS;
  if (day <= day_) return;
  if (day_ != 0) ledger_.new_day();
  day_ = day;
}

// There is an input in every tick. Where none came for longer than an order may be old, the process stood still, and
// what waited in its sockets is as old as that.
void Core::note_time() {
  const auto age_ns = static_cast<std::int64_t>(order_age_max_ns());
  const auto passed_ns = static_cast<std::int64_t>(stamp_.monotonic_ns - last_ns_);
  if (last_ns_ != 0 && std::max(passed_ns, stamp_.utc_ns - last_utc_ns_) > age_ns) thawed_ns_ = stamp_.monotonic_ns;
  last_ns_ = stamp_.monotonic_ns;
  last_utc_ns_ = stamp_.utc_ns;
}

bool Core::on_market(Bytes datagram) {
  const mold::Packet packet = mold::parse(datagram);
  if (packet.why != Reject::none) return false;
  feed_.heard = true;
  feed_.heard_ns = stamp_.monotonic_ns;
  feed_.next_sequence = packet.sequence + packet.count;
  std::array<SymbolId, 64> touched{};
  std::size_t count = 0;
  market_.apply(
      packet, [this](std::string_view stock) { return ledger_.find(stock); },
      [&](SymbolId symbol) {
        const auto end = touched.begin() + static_cast<std::ptrdiff_t>(count);
        if (count < touched.size() && std::find(touched.begin(), end, symbol) == end) touched[count++] = symbol;
      });
  for (std::size_t i = 0; i < count; ++i) run_strategy(touched[i]);
  return true;
}

bool Core::on_limits(std::span<const std::byte> json) {
  auto limits = parse_limits(text(json));
  if (!limits) return false;
  if (limits_ && limits->serial < limits_->serial) return true;  // an older file changes nothing
  limits_ = std::move(limits);
  allowed_.clear();
  for (const auto& symbol : limits_->symbols) {
    const SymbolId id = ledger_.id_of(symbol);
    allowed_.resize(std::max<std::size_t>(allowed_.size(), id + 1));
    allowed_[id] = true;
  }
  orders_.reserve(ledger_.all().size());
  rate_.reserve(std::min(limits_->messages_per_second_max, kMessagesPerSecondMax));
  recent_.reserve(std::min(orders_in_window(*limits_), kOrdersInWindowMax));
  market_.follow(ledger_.all().size(), [this](std::string_view stock) { return ledger_.find(stock); });
  if (state_ == State::init) move(latch_.set ? Trigger::kill : Trigger::start);
  return true;
}

bool Core::on_feed(const FeedEvent& event) {
  feed_.next_sequence = event.next_sequence;
  const bool doubted = feed_.gapped || feed_.ended;
  switch (event.what) {
    case FeedEvent::heard:
      feed_.heard = true;
      feed_.heard_ns = stamp_.monotonic_ns;
      break;
    case FeedEvent::gap_open:
      if (!doubted) feed_.gap_since_ns = stamp_.monotonic_ns;
      feed_.gapped = true;
      ++counters_.feed_gaps;
      break;
    case FeedEvent::gap_closed: feed_.gapped = false; break;
    case FeedEvent::lost: feed_.lost = true; break;
    case FeedEvent::ended:
      if (!doubted) feed_.gap_since_ns = stamp_.monotonic_ns;
      feed_.ended = true;
      break;
    case FeedEvent::resumed: feed_.ended = false; break;
    case FeedEvent::session:
      // Another day: nothing of the old book may be traded on, and nothing of the new one has been heard.
      feed_ = FeedHealth{.next_sequence = event.next_sequence};
      market_.clear();
      strategy_.forget();
      break;
    default: return false;
  }
  return true;
}

bool Core::on_tick() {
  if (adopting_) return true;
  if (link_up_ && (state_ == State::halted || state_ == State::draining)) retry_cancels(kCancelRetryNs);
  if (link_up_ && may_trade(state_) && strategy_.trades()) {
    orders_.for_each([this](Order& order) {
      const bool late = stamp_.monotonic_ns - order.sent_ns >= strategy_.order_timeout_ns();
      if (order.status == Order::Status::live && !order.cancel_sent && late) send_cancel(order);
    });
  }
  return true;
}

bool Core::feed_fresh() const {
  return feed_.heard && !feed_.gapped && !feed_.ended && !feed_.lost &&
         stamp_.monotonic_ns - feed_.heard_ns <= config_.feed_stale_ms * 1'000'000;
}

// What follows from the new state by itself, after every input.
void Core::settle() {
  settle_feed();
  settle_promotion();
  if (limits_ && state_ == State::active && daily_loss_hit(*limits_, ledger_)) move(Trigger::daily_loss);
  if (doubted_ && state_ == State::active) move(Trigger::reduce);
  if (limits_ && state_ == State::active && executions_since_resume_ >= limits_->repeated_executions_max) {
    move(Trigger::repeated_executions);
  }
  settle_drain();
}

void Core::settle_feed() {
  const std::uint64_t patience_ns = config_.feed_stale_ms * 1'000'000;
  const bool silent = !feed_.heard || stamp_.monotonic_ns - feed_.heard_ns > patience_ns;
  // An open gap or an end blocks orders at once; the state moves only when the re-request did not close it in time.
  const bool open_gap = (feed_.gapped || feed_.ended) && stamp_.monotonic_ns - feed_.gap_since_ns > patience_ns;
  if (silent || open_gap || feed_.lost) move(Trigger::feed_lost);
  else if (feed_fresh()) move(Trigger::feed_fresh);
}

bool Core::replay_is_over() const {
  bool answered = true;
  orders_.for_each([&](const Order& order) {
    const bool missing = order.status == Order::Status::unanswered && order.urn < venue_next_urn_;
    answered = answered && !missing;
  });
  // What the venue answered while we were away comes right behind the login, and the gateway says where it ends. An
  // order that the gateway has forwarded may be answered a little later; one sent twice is ignored by the venue.
  return replayed_ && (answered || stamp_.monotonic_ns - pending_since_ns_ >= kForwardedQuietNs);
}

void Core::settle_promotion() {
  if (link_up_ && !resent_ && replay_is_over()) resend_unanswered();
  if (pending_epoch_ == 0) return;
  const bool reconciled = !drop_copy_ || *drop_copy_ == ledger_.positions();
  if (link_up_ && resent_ && reconciled && state_ == State::standby && feed_fresh()) {
    pending_epoch_ = 0;
    move(Trigger::promote);
    return;
  }
  if (!link_up_ || stamp_.monotonic_ns - pending_since_ns_ <= kPromotionPatienceNs) return;
  const char* why = replayed_ ? "a second without a response, and they do not agree"
                              : "the gateway did not say where its replay ends";
  promotion_ = {feed_fresh() ? "not_reconciled" : "feed", why, 0, {}};
  pending_epoch_ = epoch_ = 0;
  link_up_ = false;
}

void Core::settle_drain() {
  if (state_ != State::draining) return;
  if (orders_.count() == 0) {
    drained_in_time_ = true;
    move(Trigger::drained);
  } else if (stamp_.monotonic_ns - drain_since_ns_ >= config_.drain_timeout_ms * 1'000'000) {
    move(Trigger::drain_timeout);
  }
}

std::string Core::state_digest() const {
  StateHash hash;
  hash.text("hft-state-1").number(static_cast<std::uint64_t>(state_)).number(epoch_).number(highest_epoch_);
  hash.number(market_.book().digest()).number(feed_.next_sequence);
  hash.number(latch_.set ? 1 : 0).text(latch_.scope).text(latch_.id);
  for (const Holding& held : ledger_.all()) {
    hash.text(held.symbol).number(static_cast<std::uint64_t>(held.position));
    hash.number(static_cast<std::uint64_t>(held.cost_e4)).number(held.working_buy).number(held.working_sell);
  }
  hash.number(static_cast<std::uint64_t>(ledger_.realised_e4())).number(ledger_.gross_e4());
  orders_.for_each([&](const Order& order) {
    hash.number(order.urn).number(static_cast<std::uint64_t>(order.status)).number(order.leaves);
    hash.number(order.price_e4).number(order.cancel_sent ? 1 : 0).text({&order.side, 1});
  });
  hash.number(next_urn_).number(clordid_sequence_).number(responses_).text(session_);
  hash.number(rate_.count()).number(executions_since_resume_).number(limits_ ? limits_->serial : 0);
  return hash.finish();
}

}  // namespace hft::core
