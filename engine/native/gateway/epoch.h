// The epoch a gateway holds: the highest seen, who holds it, what that holder may run. Pure.
//
// An epoch is a fencing token: it only rises, and a message of a lower one is refused at the last point before
// the venue, whatever its sender believes (Kleppmann, "How to do distributed locking", 2016; Chubby's
// sequencers, Burrows 2006). Raising takes two steps, because the disk may fail between them: `raise` blocks
// every lower epoch at once, `made_durable` is what allows the new one to be claimed and the fence to be acked.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/reason.h"
#include "wire/clordid.h"

namespace hft::gateway {

// What an engine must prove to be: three digests, each "sha256:HEX".
struct Approval {
  std::string artifact;
  std::string config;
  std::string limits;

  bool operator==(const Approval&) const = default;
};

struct Fence {
  std::uint64_t epoch = 0;
  std::string holder;  // HOST/SLOT; empty where a test gateway raised the epoch on a claim
  std::vector<Approval> approved;

  bool operator==(const Fence&) const = default;
};

class EpochState {
 public:
  EpochState() = default;
  explicit EpochState(Fence durable, std::string owner = {})
      : highest_(std::move(durable)), durable_epoch_(highest_.epoch), owner_(std::move(owner)) {}

  const Fence& fence() const { return highest_; }
  std::uint64_t highest() const { return highest_.epoch; }
  bool is_durable() const { return durable_epoch_ == highest_.epoch; }
  bool is_stale(std::uint64_t epoch) const { return epoch < highest_.epoch; }

  // A fence arrived. The same fence again is fine: its sender did not get the ack.
  Reason raise(const Fence& fence) {
    if (!is_usable(fence.epoch)) return Reason::fence_malformed;
    if (fence.epoch < highest_.epoch) return Reason::stale_epoch;
    if (fence.epoch == highest_.epoch) return fence == highest_ ? Reason::ok : Reason::epoch_taken;
    highest_ = fence;
    owner_.clear();
    return Reason::ok;
  }
  void made_durable() { durable_epoch_ = highest_.epoch; }

  // The process that claimed the highest epoch first: no other one may, or two would send as one.
  const std::string& owner() const { return owner_; }
  void claimed_by(std::string process) { owner_ = std::move(process); }

  // A production claim: the fenced epoch, by its holder, running what was approved, and by one process alone.
  Reason claim(std::uint64_t epoch, const std::string& holder, const Approval& runs,
               std::string_view process = {}) const {
    if (is_stale(epoch)) return Reason::stale_epoch;
    if (epoch == 0 || epoch > highest_.epoch) return Reason::epoch_not_fenced;
    if (!is_durable()) return Reason::epoch_not_durable;
    if (holder != highest_.holder) return Reason::not_holder;
    if (!is_approved(runs)) return Reason::not_approved;
    return owner_.empty() || owner_ == process ? Reason::ok : Reason::epoch_owned;
  }

  // A claim at a test gateway, where nobody signs fences: it may name any epoch that is not stale.
  Reason claim_unsigned(std::uint64_t epoch) const {
    if (!is_usable(epoch)) return Reason::epoch_not_fenced;
    if (is_stale(epoch)) return Reason::stale_epoch;
    return epoch == highest_.epoch && !is_durable() ? Reason::epoch_not_durable : Reason::ok;
  }

  // 0 means "none yet"; above the last one a ClOrdID could not name the epoch.
  static constexpr bool is_usable(std::uint64_t epoch) { return epoch > 0 && epoch < clordid::kEpochLimit; }

  bool is_approved(const Approval& runs) const {
    const auto& set = highest_.approved;
    return std::find(set.begin(), set.end(), runs) != set.end();
  }

 private:
  Fence highest_;
  std::uint64_t durable_epoch_ = 0;
  std::string owner_;
};

}  // namespace hft::gateway
