// The signed limits file: bytes, detached signature, serial, expiry. Off the hot path; `ssh-keygen -Y verify` judges
// the signature (namespace hft-limits, identity limits; engine/contract/limits.py).
#pragma once

#include <string>
#include <variant>

#include "core/types.h"

namespace hft::engine {

struct LimitsFile {
  std::string bytes;
  core::Limits limits;
};

// What stands in force already; a file must rise above it, or be the very same.
struct LimitsSeen {
  std::uint64_t serial = 0;
  std::string digest;
};

// The file, or one sentence about why it must not be used.
std::variant<LimitsFile, std::string> load_limits(const std::string& path, const std::string& allowed_signers,
                                                  const LimitsSeen& seen, std::int64_t utc_ns);

}  // namespace hft::engine
