// The signed limits file: bytes, detached signature, serial, expiry. Off the hot path; `ssh-keygen -Y verify` judges
// the signature (namespace hft-limits, identity limits; engine/contract/limits.py).
#pragma once

#include <string>
#include <variant>

#include "base/signature.h"
#include "core/types.h"

namespace hft::trader {

struct LimitsFile {
  std::string bytes;
  core::Limits limits;
};

// What stands in force already; a file must rise above it, or be the very same.
struct LimitsSeen {
  std::uint64_t serial = 0;
  std::string digest;
};

// What lies on disk: whether it is signed, a child process says.
struct LimitsBytes {
  std::string bytes;
  base::Signed claim;
};
std::variant<LimitsBytes, std::string> read_limits(const std::string& path, const std::string& allowed_signers);
std::variant<LimitsFile, std::string> judge_limits(const std::string& path, std::string bytes, bool is_signed,
                                                   const LimitsSeen& seen, std::int64_t utc_ns);

// Both, waiting for the child: the file, or one sentence about why it must not be used.
std::variant<LimitsFile, std::string> load_limits(const std::string& path, const std::string& allowed_signers,
                                                  const LimitsSeen& seen, std::int64_t utc_ns);

}  // namespace hft::trader
