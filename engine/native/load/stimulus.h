// What the generator sends: quotes that move, orders that tip them over (triggers), and noise of a whole market.
//
// Each trigger symbol has one bid and one ask of the same size. Trigger i adds a big order to one side, bids when
// i's turn on its symbol is even, asks when it is odd: a strategy that crosses towards the heavier side buys at
// the ask or sells at the bid. Half an interval later the big order is deleted and both quotes are replaced, one
// step further, never crossed and never lopsided in between. Each trigger thereby owns a pair of prices for a
// while, and the price of an order that comes back says which trigger it answers.
//
// Triggers carry a tracking number other than 0, which no book reads; the relay knows them by it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "venue/directory.h"
#include "wire/itch.h"
#include "wire/mold.h"

namespace hft::load {

inline constexpr std::uint16_t kTriggerTracking = 1;
inline constexpr std::size_t kTriggerDatagramBytes =
    mold::kHeaderBytes + mold::kBlockHeaderBytes + itch::AddOrder::length;

struct StimulusPlan {
  std::uint16_t trigger_symbols = 1;
  std::uint32_t quote_shares = 100;
  std::uint32_t trigger_shares = 900;
  std::uint32_t first_price = 1'000'000;  // $100, four decimals
  std::uint32_t noise_symbols = 0;
  std::uint64_t noise_live = 10'000;
  std::uint64_t noise_cycle = 200'000;  // messages made beforehand; then again with other references
  std::uint32_t noise_per_datagram = 10;
  std::uint64_t seed = 1;
};

class Stimulus {
 public:
  explicit Stimulus(const StimulusPlan& plan);

  // Messages that come before everything else: system events, directory, the first quotes.
  [[nodiscard]] const std::vector<std::string>& opening() const { return opening_; }
  // Each fills `out` with one datagram; sequence numbers rise by what is in it.
  Bytes trigger(std::uint64_t index, MutableBytes out, std::uint64_t now_ns);
  Bytes prime(std::uint64_t index, MutableBytes out, std::uint64_t now_ns);  // ends trigger `index`
  Bytes noise(MutableBytes out);
  Bytes control(std::uint16_t count, MutableBytes out) const;  // heartbeat or end of session
  Bytes pack(const std::vector<std::string>& messages, std::size_t& at, MutableBytes out);

  // The trigger that an order at this price answers: the latest one that owns it.
  [[nodiscard]] std::optional<std::uint64_t> owner_of(std::string_view symbol, std::uint64_t price) const;
  [[nodiscard]] std::uint64_t next_sequence() const { return next_; }
  [[nodiscard]] std::uint64_t messages() const { return next_ - 1; }

 private:
  static constexpr std::uint32_t steps = 2'000;  // pairs of prices a symbol goes through before it starts again
  static constexpr std::uint32_t tick = 100;

  [[nodiscard]] std::uint32_t bid_at(std::uint64_t turn) const {
    return plan_.first_price + 2 * tick * static_cast<std::uint32_t>(turn % steps);
  }
  [[nodiscard]] std::uint32_t ask_at(std::uint64_t turn) const { return bid_at(turn) + tick; }
  [[nodiscard]] std::uint64_t reference(std::uint64_t symbol, std::uint64_t turn, std::uint64_t which) const {
    return (turn * plan_.trigger_symbols + symbol) * 4 + which + 1;
  }
  void make_opening();
  void make_noise();
  void shift_references(std::uint8_t* message) const;

  StimulusPlan plan_;
  venue::Directory directory_;
  mold::Session session_ = mold::make_session("LOAD000001");
  std::vector<std::string> opening_;
  std::vector<std::string> noise_;
  std::vector<std::uint64_t> sent_;  // per symbol and step: the last trigger that owns the prices, plus 1
  std::size_t noise_at_ = 0;
  std::uint64_t noise_cycles_ = 0;
  std::uint64_t next_ = 1;
};

}  // namespace hft::load
