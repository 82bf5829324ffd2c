// What arbitration is told, and what it counts: see arbiter.h.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "wire/mold.h"

namespace hft::feed {

enum class Line : std::uint8_t { a, b, rerequest };
inline constexpr std::size_t kLines = 3;
inline constexpr std::size_t kConfirmMax = 4;
inline constexpr std::size_t kRequestsUnderWay = 32;

enum class Phase : std::uint8_t {
  joining,  // nothing heard yet
  live,     // everything up to the newest known message was delivered
  gapped,   // something is missing
  ended,    // end of session seen and reached
};

// What became of one datagram.
enum class Outcome : std::uint8_t {
  delivered,
  duplicate,    // all of it came before
  too_late,     // was given up for lost, and is not delivered any more
  kept,         // early: waits in the window
  window_full,  // early and no room: will be re-requested
  heartbeat,
  end_of_session,
  rejected,       // not a MoldUDP64 packet; see Counters::rejects
  other_session,  // of a session that is over, or one not confirmed yet
  wild_sequence,  // further ahead than jump_max and not confirmed yet
  count_,
};

struct Config {
  std::optional<mold::Session> session = std::nullopt;  // the only one to take; without it, the first one heard
  std::uint64_t start_sequence = 1;                     // 0: join at whatever comes first
  std::uint64_t gap_wait_ns = 1'000'000;
  std::uint64_t request_timeout_ns = 20'000'000;
  unsigned requests_max = 5;
  std::uint16_t request_count_max = 1000;
  // A fast feed goes on while it recovers: 8,192 datagrams are 80 ms of 100,000 a second, and 12 MB.
  std::size_t window_slots = 8192;
  std::size_t datagram_bytes_max = 1500;
  // One stray datagram must not skip a day: a jump of more than jump_max messages, a line that goes back, a loss, and
  // the proof of a session count only after this many datagrams in a row that say the same.
  std::uint64_t jump_max = 1'000'000;
  unsigned confirm = 3;
  // A line whose numbers stay lower for this long, or for this many datagrams, has gone back; reordering is shorter.
  std::uint64_t back_ns = 20'000'000;
  unsigned back_count = 64;
  std::uint64_t dead_ns = 5'000'000'000;  // a line that was silent for so long has no say
};

struct Counters {
  std::array<std::uint64_t, static_cast<std::size_t>(Outcome::count_)> outcomes{};
  std::array<std::uint64_t, static_cast<std::size_t>(Reject::count_)> rejects{};
  std::array<std::uint64_t, kLines> datagrams{};
  std::array<std::uint64_t, kLines> messages_won{};  // delivered from this line directly or out of the window
  std::uint64_t messages = 0;
  std::uint64_t gaps = 0;
  std::uint64_t requests = 0;
  std::uint64_t lost = 0;
  std::uint64_t sessions = 0;

  std::uint64_t of(Outcome outcome) const { return outcomes[static_cast<std::size_t>(outcome)]; }
  std::uint64_t of(Reject why) const { return rejects[static_cast<std::size_t>(why)]; }
};

}  // namespace hft::feed
