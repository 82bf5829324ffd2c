// What the parts of the program share: the decision core, the logs, durable state, and who is connected.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "base/files.h"
#include "base/sshsig.h"
#include "gateway/admission.h"
#include "gateway/audit_log.h"
#include "gateway/config.h"
#include "gateway/hold.h"
#include "gateway/hop_histogram.h"
#include "gateway/latch_block.h"
#include "gateway/loop.h"
#include "gateway/pace.h"
#include "gateway/state_block.h"
#include "gateway/takeover.h"
#include "gateway/verifier.h"
#include "wire/ouch_codec.h"

namespace hft::gateway {

class EngineLink;
class VenueSession;

// How one run of the program was started.
struct Options {
  bool is_test = false;
  bool is_epoch_enforced = true;
};

class Hub {
 public:
  Hub(Config config, const Options& options);
  ~Hub();

  // Reads or makes the durable state, opens the logs. Empty when the gateway may start.
  base::Failure recover();

  // Raises the epoch and makes it durable, and nothing else: `ok` is to be answered at once. Then comes `fenced`. The
  // same write uses up the succession of the epoch before, and keeps how it was MADE when that is what made it.
  Reason fence(const Fence& fence, base::Failure& failure, const Succeeded* made = nullptr);
  // What the venue has accepted is below nothing that passes here: before a session is used, every epoch in its replay.
  void raise_floor(std::uint64_t epoch);
  // What follows an answered fence: the log, what was open, the cancels, the second copy. WHO is for the log.
  void fenced(const Fence& fence, std::string_view who);
  void not_fenced(const Fence& fence, Reason reason, const base::Failure& failure);
  // Whether the authority signed it; checked here and now, no child is started.
  bool is_authentic(const Fence& fence, std::string_view signature) const;
  bool is_authentic(const Succession& succession, std::string_view signature) const;
  // Keeps what changes beside the fence; durable when it returns empty, and changed here only then.
  base::Failure keep(DurableState next);
  // Whether this gateway holds the venue's session of every account.
  bool has_sessions() const;
  // Blocks first, then cancels, then writes the block; returns the number of cancels sent.
  std::size_t latch(const LatchEntry& entry, base::Failure& failure);
  // Clears these entries and no other. Writes first: what is not durable stays latched.
  base::Failure unlatch(const std::vector<std::uint64_t>& numbers);
  // Reads, verifies and adopts the authority's epoch; says whether the venue may be logged in to.
  bool reread_epoch();
  // Reads the authority's keys; those that were read before stay when the file is of no use.
  base::Failure load_authority();
  void load_limits();

  std::size_t cancel_where(VenueSession& session, std::string_view why,
                           const std::function<bool(const OpenOrder&)>& is_meant);
  // After a login at the venue: cancels what a fence or a latch could not cancel while the session was down.
  void catch_up(VenueSession& session);
  void tick(std::int64_t now_ns);
  bool is_slot_known(const std::string& slot) const;
  // Every account that is open to the slot is latched, and this claim is newer than the kill.
  bool is_promotion_barred(const std::string& slot, std::string_view holder, std::uint64_t epoch) const;
  void drop(EngineLink& link);
  // Logs what a connection did that was never admitted, or counts it: so many lines a second are theirs.
  void refuse_stranger(const LogLine& line, Reason reason);
  // Whether one more connection of the slot may stay; the oldest that has claimed nothing leaves for it.
  bool make_place(const std::string& slot);
  // PARTY holds a claim: from here on its epoch is its process's.
  void claimed(const Party& party);
  // Logs in at the venue again, whatever was rejected before.
  void try_again();

  const Config config;
  const ouch::Profile profile;
  Loop loop;
  Verifier verifier;
  Gate gate;
  AuditLog audit_log;
  DurableState state;
  StateBlock state_block;
  LatchBlock block;
  Holds holds;
  Takeover takeover;
  // What was open when the last fence was acked first, by account.
  std::uint64_t epoch_at_fence = 0;
  std::map<std::string, std::vector<OpenOrder>, std::less<>> open_at_fence;
  bool is_latch_saved = true;
  bool is_active;  // a standby logs in at the venue only after `activate`
  Reason limits_reason = Reason::limits_missing;
  HopHistogram to_venue;
  HopHistogram to_engine;
  std::vector<std::unique_ptr<VenueSession>> sessions;
  std::map<std::uint64_t, std::unique_ptr<EngineLink>> links;
  std::uint64_t links_seen = 0;
  std::uint16_t port = 0;

 private:
  std::variant<DurableState, base::Failure> read_state();
  base::AllowedSigners authority_;
  void take_limits(const std::string& text);
  std::int64_t latch_retry_ns_ = 0;
  Budget stranger_lines_{50, 100'000'000};  // ten a second are some 300 MB a day at most
  std::int64_t strangers_told_ns_ = 0;
};

}  // namespace hft::gateway
