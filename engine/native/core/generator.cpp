// The seeded day: see generator.h.
#include "core/generator.h"

#include <array>
#include <deque>
#include <random>
#include <vector>

#include "core/documents.h"
#include "core/recorder.h"
#include "journal/persister.h"

namespace hft::core {
namespace {

constexpr std::array<std::string_view, 4> kStocks{"AAPL", "MSFT", "NVDA", "QQQ"};
constexpr std::int64_t kUtcBeginNs = 1'700'000'000'000'000'000;
constexpr std::string_view kLimits =
    R"({"serial":1,"not_after_utc_ns":4000000000000000000,"engine":{"symbols":["AAPL","MSFT","NVDA"],)"
    R"("order_quantity_max":500,"order_notional_max_e4":100000000000,"gross_notional_max_e4":400000000000,)"
    R"("collar_bps":50,"position_max":200,"messages_per_second_max":6000,"open_orders_max":3,)"
    R"("duplicate_window_ms":2,"daily_loss_max_e4":1000000000000,"repeated_executions_max":100000000}})";

// Random market data over live orders: adds, executions, cancels, deletes, replaces.
class Feed {
 public:
  explicit Feed(std::mt19937_64& random) : random_(random) {}

  // The next message into `out`; its bytes.
  Bytes next(std::array<std::uint8_t, 64>& out) {
    if (named_ < kStocks.size()) return directory(out);
    const std::uint64_t pick = random_() % 100;
    if (live_.size() < 40 || (pick < 45 && live_.size() < 160)) return add(out);
    const std::size_t at = random_() % live_.size();
    if (pick < 80) return remove(out, at);
    return pick < 90 ? replace(out, at) : execute(out, at);
  }

 private:
  struct Live {
    std::uint64_t reference;
    std::uint16_t locate;
    char side;
  };

  std::uint32_t price(std::uint16_t locate, char side) {
    const std::uint32_t middle =
        1'000'000U * locate + static_cast<std::uint32_t>(drift_ % 16) * 10;  // never crosses: sides stay 100 away
    const auto away = static_cast<std::uint32_t>(100 + random_() % 10 * 100);
    if (random_() % 64 == 0) ++drift_;
    return side == 'B' ? middle - away : middle + away;
  }

  Bytes directory(std::array<std::uint8_t, 64>& out) {
    Writer<itch::StockDirectory> message(out.data());
    message.set(itch::StockDirectory::stock, kStocks[named_]);
    message.set(itch::locate, static_cast<std::uint16_t>(++named_));
    return message.bytes();
  }
  Bytes add(std::array<std::uint8_t, 64>& out) {
    const Live live{++reference_, static_cast<std::uint16_t>(1 + random_() % kStocks.size()),
                    random_() % 2 == 0 ? 'B' : 'S'};
    live_.push_back(live);
    using Add = itch::AddOrder;
    Writer<Add> message(out.data());
    message.set(itch::locate, live.locate).set(Add::reference, live.reference).set(Add::side, live.side);
    message.set(Add::shares, static_cast<std::uint32_t>(100 + random_() % 900));
    message.set(Add::stock, kStocks[live.locate - 1U]).set(Add::price, price(live.locate, live.side));
    return message.bytes();
  }
  void forget(std::size_t at) {
    live_[at] = live_.back();
    live_.pop_back();
  }
  Bytes remove(std::array<std::uint8_t, 64>& out, std::size_t at) {
    Writer<itch::OrderDelete> message(out.data());
    message.set(itch::locate, live_[at].locate).set(itch::OrderDelete::reference, live_[at].reference);
    forget(at);
    return message.bytes();
  }
  Bytes replace(std::array<std::uint8_t, 64>& out, std::size_t at) {
    using Replace = itch::OrderReplace;
    Writer<Replace> message(out.data());
    message.set(itch::locate, live_[at].locate).set(Replace::reference, live_[at].reference);
    live_[at].reference = ++reference_;
    message.set(Replace::new_reference, reference_).set(Replace::shares, 300U);
    message.set(Replace::price, price(live_[at].locate, live_[at].side));
    return message.bytes();
  }
  Bytes execute(std::array<std::uint8_t, 64>& out, std::size_t at) {
    Writer<itch::OrderExecuted> message(out.data());
    message.set(itch::locate, live_[at].locate).set(itch::OrderExecuted::reference, live_[at].reference);
    message.set(itch::OrderExecuted::shares, static_cast<std::uint32_t>(1 + random_() % 99));
    return message.bytes();
  }

  std::mt19937_64& random_;
  std::vector<Live> live_;
  std::uint64_t reference_ = 0, drift_ = 0;
  std::size_t named_ = 0;
};

// Plays engine and venue against each other over one ring; every answer comes a few inputs after its intent.
class Day : public IntentQueue {
 public:
  Day(const std::filesystem::path& directory, const GeneratorOptions& options)
      : options_(options),
        random_(options.seed),
        feed_(random_),
        ring_(Ring::create(1 << 22)),
        persister_(ring_, {.directory = directory, .segment_bytes = options.segment_bytes}),
        recorder_(ring_, *this, 0),
        core_(recorder_, book_limits_of(config())) {}

  Generated run() {
    begin();
    for (std::uint64_t sent = 0; sent < options_.messages;) {
      sent += market_packet(std::min<std::uint64_t>(options_.messages - sent, 1 + random_() % 12));
      answer_some();
      if (mark_due_ && random_() % 256 == 0) mark();
      if (random_() % 4 == 0) input(Kind::tick, bytes_of(now_ns_));
      if (random_() % 4096 == 0) reconnect();
    }
    while (!waiting_.empty()) answer_one();
    const auto& counters = core_.counters();
    Generated made{recorder_.last_input_seq(), counters.orders_sent, counters.cancels_sent,   counters.executions,
                   counters.refused,           core_.state_digest(), core_.decision_digest(), false};
    made.durable = persister_.stop();
    return made;
  }

  void intent(std::span<const std::byte> message, std::uint64_t) override {
    if (link_) waiting_.emplace_back(message.begin(), message.end());
  }
  bool ring_full() override {
    persister_.step();
    return true;
  }

 private:
  void input(Kind kind, std::span<const std::byte> payload) {
    recorder_.input(core_, kind, payload, now_ns_, static_cast<std::int64_t>(now_ns_) + kUtcBeginNs);
  }
  void input(Kind kind, std::string_view text) { input(kind, std::as_bytes(std::span(text))); }

  CoreConfig config() const {
    CoreConfig config;
    config.digest_every_inputs = options_.digest_every_inputs;
    config.book_orders_max = 1 << 12;
    config.book_levels_max = 1 << 10;
    config.strategy = {
        .name = "imbalance", .clip = 100, .threshold_permille = 200, .cooldown_us = 20, .order_timeout_ms = 1};
    return config;
  }

  void begin() {
    input(Kind::start, start_record(config(), "generated", "generated", 1));
    input(Kind::limits, kLimits);
    market_packet(12);
    input(Kind::admin, R"({"uid":0,"request":{"verb":"promote","epoch":1}})");
    link_up();
  }

  void link_up() {
    link_ = mark_due_ = true;
    input(Kind::link, link_record({.what = LinkEvent::What::up,
                                   .epoch = 1,
                                   .session = "GEN",
                                   .next_urn = answered_ + 1,
                                   .next_response = 0,
                                   .urn = 0,
                                   .code = {},
                                   .detail = {},
                                   .has_positions = false,
                                   .positions = {}}));
  }

  // The gateway says where its replay ends, some answers after the login.
  void mark() {
    mark_due_ = false;
    input(Kind::link, R"({"replayed":)" + std::to_string(core_.next_response()) + "}");
  }

  void reconnect() {
    link_ = false;
    waiting_.clear();
    input(Kind::link, R"({"up":false,"epoch":1})");
    link_up();
  }

  std::uint64_t market_packet(std::uint64_t messages) {
    std::array<std::uint8_t, mold::kDatagramBytesMax> buffer{};
    std::array<std::uint8_t, 64> message{};
    mold::Builder builder(buffer, mold::make_session("GEN"), sequence_);
    for (std::uint64_t i = 0; i < messages; ++i) builder.add(feed_.next(message));
    sequence_ += messages;
    now_ns_ += 20'000 + random_() % 60'000;
    input(Kind::market_full, std::as_bytes(builder.datagram()));
    return messages;
  }

  void answer_some() {
    while (!waiting_.empty() && random_() % 3 != 0) answer_one();
  }

  void answer_one() {
    const std::vector<std::byte> asked = waiting_.front();
    waiting_.pop_front();
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(asked.data());
    std::array<std::uint8_t, 128> buffer{};
    if (bytes[0] == static_cast<std::uint8_t>(ouch::CancelOrder::type)) return cancel(bytes, buffer);
    enter(bytes, buffer);
  }

  void enter(const std::uint8_t* bytes, std::array<std::uint8_t, 128>& buffer) {
    using Enter = ouch::EnterOrder;
    using Answer = ouch::Accepted;
    const std::uint32_t urn = Enter::urn.load(bytes);
    if (urn <= answered_) return;  // the venue ignores what it has processed
    answered_ = urn;
    ouch::Encoder<Answer> accepted(buffer, ouch::Profile::ouch5_2023_05);
    accepted.set(Answer::urn, urn).set(Answer::side, Enter::side.load(bytes)).set(Answer::state, 'L');
    accepted.set(Answer::quantity, Enter::quantity.load(bytes)).set(Answer::symbol, Enter::symbol.load(bytes));
    accepted.set(Answer::price, Enter::price.load(bytes)).set(Answer::clordid, Enter::clordid.load(bytes));
    input(Kind::response, std::as_bytes(accepted.bytes()));
    if (random_() % 3 != 0) execute(urn, 1 + random_() % Enter::quantity.load(bytes), Enter::price.load(bytes));
  }

  void execute(std::uint32_t urn, std::uint64_t quantity, std::uint64_t price_e4) {
    using Fill = ouch::Executed;
    std::array<std::uint8_t, 128> buffer{};
    ouch::Encoder<Fill> executed(buffer, ouch::Profile::ouch5_2023_05);
    executed.set(Fill::urn, urn).set(Fill::quantity, static_cast<std::uint32_t>(quantity)).set(Fill::price, price_e4);
    input(Kind::response, std::as_bytes(executed.bytes()));
  }

  void cancel(const std::uint8_t* bytes, std::array<std::uint8_t, 128>& buffer) {
    using Gone = ouch::Canceled;
    ouch::Encoder<Gone> canceled(buffer, ouch::Profile::ouch5_2023_05);
    canceled.set(Gone::urn, ouch::CancelOrder::urn.load(bytes)).set(Gone::quantity, 1'000'000U).set(Gone::reason, 'U');
    input(Kind::response, std::as_bytes(canceled.bytes()));
  }

  GeneratorOptions options_;
  std::mt19937_64 random_;
  Feed feed_;
  Ring ring_;
  Persister persister_;
  Recorder recorder_;
  Core core_;
  std::deque<std::vector<std::byte>> waiting_;
  bool link_ = false;
  bool mark_due_ = false;
  std::uint32_t answered_ = 0;
  std::uint64_t sequence_ = 1;
  std::uint64_t now_ns_ = 1'000'000'000;
};

}  // namespace

Generated generate_journal(const std::filesystem::path& directory, const GeneratorOptions& options) {
  Day day(directory, options);
  return day.run();
}

}  // namespace hft::core
