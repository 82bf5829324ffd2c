// Plain values of the core: what it is told (limits, configuration, commands) and what it keeps per order.
//
// Integers only: prices and money in 1/10,000 of the currency (`_e4`), quantities in shares, times in nanoseconds.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "wire/ouch_codec.h"

namespace hft::core {

using SymbolId = std::uint32_t;
constexpr SymbolId kNoSymbol = UINT32_MAX;

enum class Egress : std::uint8_t { live, shadow, test };

// What one engine may do; a value at the limit passes, one more is refused (engine/contract/limits.py).
struct Limits {
  std::uint64_t serial = 0;
  std::int64_t not_after_utc_ns = 0;
  std::vector<std::string> symbols;
  std::uint32_t order_quantity_max = 0;
  std::uint64_t order_notional_max_e4 = 0;
  std::uint64_t gross_notional_max_e4 = 0;
  std::uint32_t collar_bps = 0;
  std::uint64_t position_max = 0;
  std::uint32_t messages_per_second_max = 0;
  std::uint32_t open_orders_max = 0;
  std::uint64_t duplicate_window_ms = 0;
  std::uint64_t daily_loss_max_e4 = 0;
  std::uint64_t repeated_executions_max = 0;
  std::string digest;  // SHA-256 of the file's bytes, 64 hex digits
};

// What a limits file may ask for at most; an engine remembers every order of its duplicate window, 2^20 in 60 MiB.
constexpr std::uint32_t kMessagesPerSecondMax = 1'000'000;
constexpr std::uint64_t kOrdersInWindowMax = 1 << 20;

// So many orders can leave within the duplicate window: the rate holds in every second of it.
inline std::uint64_t orders_in_window(const Limits& limits) {
  const std::uint64_t seconds = limits.duplicate_window_ms / 1000 + 1;
  const std::uint64_t rate = limits.messages_per_second_max;
  if (limits.duplicate_window_ms == 0) return 0;
  return rate != 0 && seconds > UINT64_MAX / rate ? UINT64_MAX : rate * seconds;
}

struct StrategyConfig {
  std::string name = "none";
  std::uint32_t clip = 100;                // shares of one order
  std::uint32_t threshold_permille = 300;  // imbalance of the touch at which it crosses
  std::uint32_t cooldown_us = 1000;        // per symbol, between two orders
  std::uint32_t order_timeout_ms = 500;    // then it cancels
};

// Everything of the run configuration that can change a decision; it stands in the journal's start record.
struct CoreConfig {
  ouch::Profile profile = ouch::Profile::ouch5_2023_05;
  Egress egress = Egress::test;
  std::uint64_t feed_stale_ms = 1000;
  std::uint64_t drain_timeout_ms = 5000;
  std::uint64_t order_age_max_ms = 5000;
  std::uint64_t trading_day_start_utc_s = 0;  // second of the UTC day at which the daily loss begins anew
  std::uint64_t digest_every_inputs = 0;      // 0: no digest records
  std::uint64_t book_orders_max = 1 << 17;
  std::uint64_t book_levels_max = 1 << 16;
  StrategyConfig strategy;
};

enum class Verb : std::uint8_t {
  none,
  promote,
  demote,
  drain,
  force,
  kill,
  unkill,
  reduce,
  resume,
  enter,
  cancel,
  snapshot,
  stall,
  journal_broken,
};

struct Command {
  Verb verb = Verb::none;
  std::uint64_t epoch = 0;
  std::string scope, id, reason, person;
  std::string by;  // user and process that asked
  char side = 'B';
  std::uint32_t quantity = 0;
  std::string symbol;
  std::uint64_t price_e4 = 0;
  std::uint32_t urn = 0;
  std::uint64_t ms = 0;
};

struct Latch {
  bool set = false;
  std::string scope, id, reason;
  std::string by;  // who asked, by the kernel's word
};

// What a command came to; `code` is empty when it was done.
struct Answer {
  std::string code;
  std::string detail;
  std::uint32_t urn = 0;
  std::string clordid;

  [[nodiscard]] bool ok() const { return code.empty(); }
};

// A change of the session at the gateway (Kind::link).
struct LinkEvent {
  enum class What : std::uint8_t { up, down, refused, replayed } what = What::down;
  std::uint64_t epoch = 0;
  std::string session;
  std::uint32_t next_urn = 1;
  std::uint64_t next_response = 0;  // replayed: everything before it is here
  std::uint32_t urn = 0;            // refused: the message that was
  std::string code, detail;
  bool has_positions = false;  // a drop copy was read
  std::vector<std::pair<std::string, std::int64_t>> positions;
};

// Kind::feed: 24 bytes, little-endian.
struct FeedEvent {
  // heard: the session in force made progress, or said that there is nothing newer; only that keeps the feed fresh.
  enum What : std::uint64_t { heard = 1, gap_open = 2, gap_closed = 3, lost = 4, session = 5, ended = 6, resumed = 7 };
  std::uint64_t what;
  std::uint64_t next_sequence;
  std::uint64_t count;
};

// Kind::refusal: an intent that a rule refused.
struct Refusal {
  char code[24];
  char symbol[8];
  std::uint64_t price_e4;
  std::uint32_t quantity;
  char side;
  char padding[3];
};
static_assert(sizeof(Refusal) == 48);

struct OrderRequest {
  SymbolId symbol = kNoSymbol;
  char side = 'B';
  std::uint32_t quantity = 0;
  std::uint64_t price_e4 = 0;
  char time_in_force = '0';  // OUCH 5.0: 0 day, 3 immediate or cancel
};

struct Bbo {
  std::uint64_t bid_e4 = 0, ask_e4 = 0;
  std::uint64_t bid_shares = 0, ask_shares = 0;

  [[nodiscard]] bool good() const { return bid_e4 != 0 && ask_e4 != 0 && bid_e4 < ask_e4; }
};

inline std::uint64_t notional_e4(std::uint32_t quantity, std::uint64_t price_e4) { return quantity * price_e4; }

}  // namespace hft::core
