// One failover that the authority allows in advance, and whether it may happen now. Pure.
//
// The document is that of failover/succession.py: it names the epoch that was seen, its holder, the successor and what
// that may run, how long the holder has to be silent, how much may be lost, and the moment from which it is refused. It
// is used up by the epoch itself: the write that makes the successor's epoch durable moves the epoch that it is for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gateway/epoch.h"
#include "gateway/json.h"

namespace hft::gateway {

struct Succession {
  std::uint64_t epoch_seen = 0;
  std::string holder;     // HOST/SLOT, of that epoch
  std::string successor;  // HOST/SLOT
  std::vector<Approval> approved;
  std::uint64_t silence_ms = 0;
  std::uint64_t loss_max_records = 0;
  std::uint64_t not_after_s = 0;  // UTC; the first second at which it is refused

  bool operator==(const Succession&) const = default;
};

// A failover that happened by one.
struct Succeeded {
  std::uint64_t epoch = 0;
  std::uint64_t epoch_before = 0;
  std::string from;
  std::string to;
  bool has_ended = false;  // his stream, or else he was silent
  std::uint64_t silent_ns = 0;
  std::uint64_t detected_utc_ns = 0;

  bool operator==(const Succeeded&) const = default;
};
inline constexpr std::size_t kSucceededKept = 8;

// What this gateway sees of the successor: its link, when there is one.
struct SuccessorSeen {
  bool is_linked = false;  // admitted, and has claimed nothing
  bool is_beating = false;
  bool is_standby = false;
  bool is_fresh = false;
  bool is_latched = false;
  bool is_approved = false;        // what its ticket says that it runs
  std::uint64_t loss_records = 0;  // messages of the feed that the holder had taken in and it has not
};

// What a move hangs on beside the successor.
struct TakeoverSeen {
  std::uint64_t epoch = 0;
  std::string_view holder;
  std::uint64_t now_s = 0;
  bool is_paused = false;
  bool is_session_up = false;  // this gateway holds the venue's session of every account
  bool is_latched = false;     // a latch here would stop the successor
  SuccessorSeen successor;
};

// `ok`, or the first thing that stands in the way. The silence is judged before this is asked.
inline Reason may_succeed(const std::optional<Succession>& one, const TakeoverSeen& seen) {
  if (!one || one->epoch_seen != seen.epoch || one->holder != seen.holder) return Reason::succession_none;
  if (seen.now_s >= one->not_after_s) return Reason::succession_expired;
  if (seen.is_paused) return Reason::paused;
  if (!seen.is_session_up) return Reason::venue_down;
  if (seen.is_latched || seen.successor.is_latched) return Reason::latched;
  if (!seen.successor.is_linked || !seen.successor.is_beating) return Reason::successor_absent;
  if (!seen.successor.is_approved) return Reason::not_approved;
  if (!seen.successor.is_standby || !seen.successor.is_fresh) return Reason::successor_unready;
  return seen.successor.loss_records > one->loss_max_records ? Reason::successor_loss : Reason::ok;
}

// The next epoch that a gateway of this residue modulo 2 gives; of any residue when it has no peer.
inline std::uint64_t next_epoch(std::uint64_t highest, std::optional<std::uint64_t> residue) {
  const auto next = highest + 1;
  return residue && next % 2 != *residue ? next + 1 : next;
}

// What is signed (failover/succession.py: Succession.body).
inline Json to_json(const Succession& one) {
  auto approved = Json::array();
  for (const auto& runs : one.approved) approved.push_back(to_json(runs));
  return {{"schema", 1U},
          {"epoch_seen", one.epoch_seen},
          {"holder", one.holder},
          {"successor", one.successor},
          {"approved", approved},
          {"silence_ms", one.silence_ms},
          {"loss_max_records", one.loss_max_records},
          {"not_after_s", one.not_after_s}};
}

// Nothing when a field is missing, of a wrong type, out of its range, or there are more of them.
inline std::optional<Succession> succession_from(const Json& object) {
  constexpr std::size_t kFields = 8;
  constexpr std::uint64_t kSilenceMsMax = 600'000;
  if (!object.is_object() || object.size() != kFields || number_at(object, "schema") != 1) return std::nullopt;
  const auto epoch = number_at(object, "epoch_seen");
  const auto holder = text_at(object, "holder");
  const auto successor = text_at(object, "successor");
  const auto silence_ms = number_at(object, "silence_ms");
  const auto loss = number_at(object, "loss_max_records");
  const auto not_after_s = number_at(object, "not_after_s");
  const auto approved = object.find("approved");
  if (!epoch || !holder || !successor || !silence_ms || !loss || !not_after_s) return std::nullopt;
  if (approved == object.end() || !approved->is_array()) return std::nullopt;
  const bool is_sound = *epoch > 0 && !holder->empty() && !successor->empty() && *holder != *successor &&
                        *silence_ms > 0 && *silence_ms <= kSilenceMsMax;
  if (!is_sound) return std::nullopt;
  Succession one{*epoch, *holder, *successor, {}, *silence_ms, *loss, *not_after_s};
  for (const auto& entry : *approved) {
    const auto runs = approval_from(entry);
    if (!runs) return std::nullopt;
    one.approved.push_back(*runs);
  }
  return one;
}

inline Json to_json(const Succeeded& made) {
  return {{"epoch", made.epoch},
          {"epoch_before", made.epoch_before},
          {"from", made.from},
          {"to", made.to},
          {"stream_ended", made.has_ended},
          {"silent_ns", made.silent_ns},
          {"detected_utc_ns", made.detected_utc_ns}};
}

inline std::optional<Succeeded> succeeded_from(const Json& object) {
  if (!object.is_object()) return std::nullopt;
  const auto epoch = number_at(object, "epoch");
  const auto before = number_at(object, "epoch_before");
  const auto silent_ns = number_at(object, "silent_ns");
  const auto detected = number_at(object, "detected_utc_ns");
  const auto ended = object.find("stream_ended");
  const bool is_flag = ended != object.end() && ended->is_boolean();
  if (!epoch || !before || !silent_ns || !detected || !is_flag) return std::nullopt;
  return Succeeded{
      *epoch,     *before,  text_at(object, "from").value_or(""), text_at(object, "to").value_or(""), *ended,
      *silent_ns, *detected};
}

}  // namespace hft::gateway
