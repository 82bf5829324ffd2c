// The deterministic core: records in, records out. It reads no clock, no randomness and no socket.
//
// Everything that can change a decision is a journal record with one input number and a time inside. `apply` takes
// inputs and decides; what it decides goes to the Sink as records (intents before they are sent). `adopt` is for a
// process that starts again, or one that follows: it takes inputs *and* the recorded decisions and decides nothing.
// Both leave the same state behind, because every change of order state is made by the same `commit_*` functions.
#pragma once

#include <map>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/digest.h"
#include "core/ledger.h"
#include "core/market.h"
#include "core/orders.h"
#include "core/risk.h"
#include "core/states.h"
#include "core/strategy.h"
#include "core/types.h"
#include "core/windows.h"
#include "journal/record.h"

namespace hft::core {

class Sink {
 public:
  virtual ~Sink() = default;
  virtual void emit(Kind kind, std::span<const std::byte> payload, const Stamp& stamp) = 0;
};

struct FeedHealth {
  bool heard = false;
  bool gapped = false;
  bool ended = false;  // the publisher said so: nothing that stands in the book can be traded
  bool lost = false;   // messages that will never come: the book is wrong until a new session
  std::uint64_t heard_ns = 0;
  std::uint64_t gap_since_ns = 0;  // of the gap or the end, whichever came first
  std::uint64_t next_sequence = 0;
};

// What a kill or a drain has managed so far.
struct Cleanup {
  std::uint64_t number = 0;  // of this run, rising
  std::uint32_t open_before = 0;
  std::uint32_t cancels_sent = 0;  // decided; how many left, the event loop knows
  std::uint32_t cancels_acked = 0;
  std::uint32_t fills_since = 0;
};

struct Counters {
  std::uint64_t orders_sent = 0, cancels_sent = 0, executions = 0, refused = 0, resent = 0;
  std::uint64_t responses_bad = 0, responses_unknown = 0, feed_gaps = 0, gateway_refused = 0;
};

inline book::Limits book_limits_of(const CoreConfig& config) {
  return {.orders_max = config.book_orders_max, .levels_max = config.book_levels_max, .locates = 65536};
}

class Core {
 public:
  explicit Core(Sink& sink, const book::Limits& book_limits = {},
                std::pmr::memory_resource* memory = std::pmr::get_default_resource());

  // One input, or the start record of a run. False: the record is not one that this core can have written.
  bool apply(const RecordView& record);
  bool adopt(const RecordView& record);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] std::uint64_t epoch() const { return epoch_; }
  [[nodiscard]] std::uint64_t highest_epoch() const { return highest_epoch_; }
  [[nodiscard]] std::uint64_t pending_epoch() const { return pending_epoch_; }
  [[nodiscard]] const Answer& answer() const { return answer_; }        // of the last command
  [[nodiscard]] const Answer& promotion() const { return promotion_; }  // why the last one failed
  [[nodiscard]] const Latch& latch() const { return latch_; }
  [[nodiscard]] const Limits* limits() const { return limits_ ? &*limits_ : nullptr; }
  [[nodiscard]] const Ledger& ledger() const { return ledger_; }
  [[nodiscard]] const OrderTable& orders() const { return orders_; }
  [[nodiscard]] const Market& market() const { return market_; }
  [[nodiscard]] const FeedHealth& feed() const { return feed_; }
  [[nodiscard]] const Counters& counters() const { return counters_; }
  [[nodiscard]] const Cleanup& cleanup() const { return cleanup_; }
  [[nodiscard]] const CoreConfig& config() const { return config_; }
  // Orders that were too old to be sent again, and never left before: whoever owns the way out says so (Kind::egress),
  // which closes them.
  [[nodiscard]] std::vector<std::uint32_t> take_aged() { return std::exchange(aged_, {}); }
  // Logged in, and everything unanswered from before went out again.
  [[nodiscard]] bool link_ready() const { return link_up_ && resent_; }
  [[nodiscard]] bool is_open(std::uint32_t urn) { return orders_.find(urn) != nullptr; }
  [[nodiscard]] bool drained_in_time() const { return drained_in_time_; }
  [[nodiscard]] const std::string& session() const { return session_; }
  [[nodiscard]] std::uint64_t next_response() const { return responses_ + 1; }
  [[nodiscard]] std::uint32_t next_urn() const { return next_urn_; }
  [[nodiscard]] std::string last_clordid() const;
  [[nodiscard]] std::uint64_t input_seq() const { return stamp_.input_seq; }
  [[nodiscard]] std::uint64_t executions_since_resume() const { return executions_since_resume_; }
  [[nodiscard]] bool feed_fresh() const;
  [[nodiscard]] std::string state_digest() const;
  [[nodiscard]] std::string decision_digest() const { return decisions_.text(); }

 private:
  bool dispatch(const RecordView& record);
  void roll_day();
  void note_time();
  [[nodiscard]] std::uint64_t order_age_max_ns() const { return config_.order_age_max_ms * 1'000'000; }
  void settle();
  void settle_feed();
  void settle_promotion();
  void settle_drain();
  bool move(Trigger trigger);
  void emit(Kind kind, std::span<const std::byte> payload);
  void fold(Kind kind, std::span<const std::byte> payload);

  bool on_start(std::span<const std::byte> json);
  bool on_market(Bytes datagram);
  bool on_limits(std::span<const std::byte> json);
  bool on_tick();
  bool on_feed(const FeedEvent& event);
  bool on_command(const Command& command);
  bool on_link(const LinkEvent& event);
  bool on_response(Bytes message);
  bool on_egress_drop(std::uint32_t urn, bool is_cancel);

  void promote(const Command& command);
  void kill(const Command& command);
  void unkill(const Command& command);
  void drain();
  void force();
  void resume(const Command& command);
  void demote(Trigger trigger);
  void refuse_command(std::string_view code, std::string_view detail);
  void link_came_up(const LinkEvent& event);
  void link_refused(const LinkEvent& event);
  void resend_unanswered();
  [[nodiscard]] bool replay_is_over() const;

  [[nodiscard]] RiskView risk_view(SymbolId symbol) const;
  [[nodiscard]] std::string_view why_not(const OrderRequest& order) const;
  std::string_view request(const OrderRequest& order);
  void send_enter(const OrderRequest& order);
  void send_cancel(Order& order);
  void cancel_all();
  void retry_cancels(std::uint64_t after_ns);
  void refuse(const OrderRequest& order, std::string_view symbol, std::string_view code);
  bool commit_enter(std::span<const std::byte> message);
  bool commit_cancel(std::span<const std::byte> message);
  void close(Order& order);
  void reduce(Order& order, std::uint32_t quantity);
  struct Event;
  void doubt();
  template <class M>
  Order* adopt_foreign(View<M> view);
  void on_accepted(View<ouch::Accepted> accepted);
  void on_replaced(View<ouch::Replaced> replaced);
  void on_modified(View<ouch::Modified> modified);
  void on_price(std::uint32_t urn, std::uint64_t price_e4);
  void on_executed(View<ouch::Executed> executed);
  void on_gone(std::uint32_t urn, std::uint32_t quantity);
  void run_strategy(SymbolId symbol);

  Sink& sink_;
  bool adopting_ = false;
  Stamp stamp_{};

  // Lasting: survives a restart through the journal.
  Latch latch_;
  std::uint64_t highest_epoch_ = 0;
  std::optional<Limits> limits_;
  std::vector<bool> allowed_;  // the limits' symbols by number, so that no order searches a list
  Ledger ledger_;
  OrderTable orders_;
  RateWindow rate_;
  RecentOrders recent_;
  std::string session_;
  std::uint64_t responses_ = 0;
  std::uint32_t next_urn_ = 1;
  std::uint64_t clordid_sequence_ = 0;
  std::uint64_t executions_since_resume_ = 0;
  bool doubted_ = false;  // a response was not understood, or of nothing known: until a person resumes, or a new day
  std::int64_t day_ = 0;
  std::uint64_t last_sent_ns_ = 0;
  RollingDigest decisions_;
  Counters counters_;

  // Of this run only: a start record resets it.
  CoreConfig config_;
  State state_ = State::init;
  std::uint64_t epoch_ = 0;
  std::uint64_t pending_epoch_ = 0;
  std::uint64_t pending_since_ns_ = 0;
  Answer answer_, promotion_;
  FeedHealth feed_;
  Market market_;
  Strategy strategy_;
  Cleanup cleanup_;
  std::uint64_t last_ns_ = 0;  // of the input before
  std::int64_t last_utc_ns_ = 0;
  std::uint64_t thawed_ns_ = 0;  // when this process last went on after it had stood still; 0: it never did
  bool link_up_ = false;
  bool replayed_ = false;  // the gateway said where its replay ends, and all of it is here
  bool resent_ = true;
  bool journal_broken_ = false;
  std::vector<std::uint32_t> aged_;
  std::uint64_t drain_since_ns_ = 0;
  bool drained_in_time_ = false;
  std::uint32_t venue_next_urn_ = 1;
  std::optional<std::map<std::string, std::int64_t>> drop_copy_;
};

}  // namespace hft::core
