// What the admin thread asks of the hot thread, and what comes back. The asker owns it; `done` is the hand-over.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "core/core.h"

namespace hft::trader {

// A copy of what `status` tells, made by the hot thread between two turns.
struct Snapshot {
  core::State state = core::State::init;
  std::uint64_t epoch = 0, highest_epoch = 0;
  core::Latch latch;
  std::uint64_t limits_serial = 0;
  std::int64_t limits_not_after_utc_ns = 0;
  std::string limits_digest;
  bool feed_fresh = false, feed_gapped = false, connected = false;
  std::uint64_t feed_next_sequence = 0;
  std::map<std::string, std::int64_t> positions;
  std::uint32_t open_orders = 0;
  std::uint64_t input_seq = 0;
  core::Cleanup cleanup;
  bool drained_in_time = false;
};

struct Request {
  enum class What : std::uint8_t { command, limits, look, digest } what = What::look;
  core::Verb verb = core::Verb::none;
  std::string record;  // the journal record's payload: admin JSON, or the limits file
  std::uint64_t stall_ms = 0;

  core::Answer answer;
  Snapshot after;
  std::string state_digest, decision_digest;
  std::uint64_t book_digest = 0;     // of full depth with order priority (book/book.h)
  std::uint64_t journal_offset = 0;  // everything up to here should be written before the answer is told
  std::uint64_t since_ns = 0;
  std::atomic<bool> done{false};
};

}  // namespace hft::trader
