// What a gateway must not forget, in one preallocated block: the highest fence, the highest limits serial, the failover
// that is allowed in advance, what holds failovers off.
//
// The file holds two copies (sealed_copy.h). A write goes to the one that does not hold what is durable, with one
// pwrite and one fdatasync: a write that was torn leaves the other, so what comes back is the state before or the
// state that was written, and after the sync only that one. Behind it, `mirror` writes the same into the second copy,
// so that one damaged sector costs nothing. No block is allocated: a full disk does not stop a fence.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/fd.h"
#include "base/files.h"
#include "gateway/epoch.h"
#include "gateway/hold.h"
#include "gateway/succession.h"

namespace hft::gateway {

struct DurableState {
  Fence fence;
  std::uint64_t limits_serial = 0;
  std::string limits_digest;
  std::string owner = {};                     // the process that claimed the fence's epoch
  std::optional<Succession> succession = {};  // of the fence's epoch; gone with it
  std::vector<Succeeded> succeeded = {};      // the last failovers by one, oldest first
  std::array<std::optional<Hold>, kHoldKinds.size()> holds = {};
};

class StateBlock {
 public:
  // A new file with this state; fails when there is one already.
  static base::Failure create(const std::string& path, const DurableState& state);

  // The newer state in the bytes of a file; nothing when neither copy is whole.
  static std::optional<DurableState> read(std::string_view bytes);

  // Whether the state fits its copy; one that does not is never written.
  static bool fits(const DurableState& state);

  // Opens and reads, or says what is wrong. A missing file is wrong too: losing the epoch would un-fence the past, so
  // only `--init` makes the first one.
  std::variant<DurableState, base::Failure> open(const std::string& path);

  // One write, one sync; durable when it returns empty. After a failure the next write goes to the same copy.
  base::Failure write(const DurableState& state);

  // Writes and does not wait for the disk: survives this process, perhaps not a power cut. The durable copy stays.
  void keep(const DurableState& state);

  // Brings the other copy up to the last one that was written. What fails here is tried by the next write.
  void mirror();

 private:
  base::Fd file_;
  std::string path_;
  std::uint64_t generation_ = 0;
  std::size_t durable_ = 0;  // the copy that holds the last durable state
  std::string unmirrored_;
};

// The state file of releases before 0.2: JSON, replaced by a rename. Read once, to move into a block.
std::optional<DurableState> state_from(std::string_view text);

}  // namespace hft::gateway
