// A core on the bench: builds the records a running engine would write, one after the other, and keeps what comes out.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "core/core.h"
#include "core/documents.h"

namespace hft::core::test {

struct Emitted {
  Kind kind;
  std::vector<std::byte> payload;

  [[nodiscard]] Bytes wire() const { return wire_bytes(payload); }
  [[nodiscard]] std::string text() const { return {reinterpret_cast<const char*>(payload.data()), payload.size()}; }
};

inline Limits loose_limits() {
  return Limits{.serial = 1,
                .not_after_utc_ns = 4'000'000'000'000'000'000,
                .symbols = {"AAPL", "MSFT"},
                .order_quantity_max = 1000,
                .order_notional_max_e4 = 10'000'000'000,
                .gross_notional_max_e4 = 100'000'000'000,
                .collar_bps = 100,
                .position_max = 5000,
                .messages_per_second_max = 1000,
                .open_orders_max = 100,
                .duplicate_window_ms = 0,
                .daily_loss_max_e4 = 1'000'000'000'000,
                .repeated_executions_max = 1000,
                .digest = {}};
}

std::string limits_json(const Limits& limits);

class Bench : public Sink {
 public:
  explicit Bench(const CoreConfig& config = {}, const Limits& limits = loose_limits());

  void emit(Kind kind, std::span<const std::byte> payload, const Stamp&) override {
    out.push_back({kind, {payload.begin(), payload.end()}});
  }

  // One input at the present time.
  bool input(Kind kind, std::span<const std::byte> payload);
  bool input(Kind kind, std::string_view text) { return input(kind, std::as_bytes(std::span(text))); }
  void start(const CoreConfig& config);
  void wait_ms(std::uint64_t ms) { now_ns += ms * 1'000'000; }
  void tick();
  [[nodiscard]] std::int64_t utc_ns() const;

  void set_limits(Limits limits);
  void packet(const std::vector<std::vector<std::uint8_t>>& messages);
  // A fresh BBO of 100 shares a side for a symbol with this locate.
  void quote(std::uint16_t locate, std::uint32_t bid_e4, std::uint32_t ask_e4);
  void feed(FeedEvent::What what);
  Answer command(std::string_view json);
  void replayed();  // the gateway's mark behind its replay
  void link_up(std::uint64_t epoch, std::uint32_t next_urn = 1, std::string_view session = "S1");
  // The quiet moment after which a reconnected session is taken to have replayed everything.
  void settle_link();
  void link(std::string_view json) { input(Kind::link, json); }
  // To ACTIVE, with books for AAPL (99.99 / 100.01) and MSFT (49.99 / 50.01).
  void go_active(std::uint64_t epoch = 7);

  Answer order(char side, std::uint32_t quantity, std::string_view symbol, std::uint64_t price_e4);
  void accept(std::uint32_t urn);
  void replace(std::uint32_t original, std::uint32_t urn, std::uint32_t quantity, std::uint64_t price_e4,
               char side = 'B', std::string_view symbol = "AAPL");
  void repriced(std::uint32_t urn, std::uint64_t price_e4);  // Order Priority Update
  void modified(std::uint32_t urn, std::uint32_t left);
  void execute(std::uint32_t urn, std::uint32_t quantity, std::uint64_t price_e4);
  void canceled(std::uint32_t urn, std::uint32_t quantity);
  void rejected(std::uint32_t urn);
  // Sends and fills one order: how a test makes positions and losses.
  void trade(char side, std::uint32_t quantity, std::string_view symbol, std::uint64_t price_e4);

  [[nodiscard]] std::vector<Emitted> intents(char type) const;

  std::vector<Emitted> out;
  Core core;
  std::uint64_t now_ns = 1'000'000'000'000;
  std::uint64_t input_seq = 0;

 private:
  void respond(Bytes message);

  std::uint64_t sequence_ = 1;
  std::uint64_t reference_ = 1;
};

}  // namespace hft::core::test
