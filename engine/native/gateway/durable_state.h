// What a gateway must not forget: the highest fence and the highest limits serial, one small JSON file.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "base/files.h"
#include "gateway/epoch.h"

namespace hft::gateway {

struct DurableState {
  Fence fence;
  std::uint64_t limits_serial = 0;
  std::string limits_digest;
};

std::string to_text(const DurableState& state);

// The state, or what is wrong with it. A missing file is wrong too: losing the epoch would un-fence the past,
// so only `--init` makes the first one.
std::variant<DurableState, base::Failure> load_state(const std::string& path);

base::Failure save_state(const std::string& path, const DurableState& state);

}  // namespace hft::gateway
