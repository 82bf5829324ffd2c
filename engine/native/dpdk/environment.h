// DPDK's environment abstraction layer, started once for a process and ended with it.
#pragma once

#include <stdexcept>
#include <string>

#include "dpdk/receiver.h"

namespace hft::dpdk {

// Throws with what failed and DPDK's word for it.
[[noreturn]] void fail(const std::string& what, int error);

class Environment {
 public:
  Environment(const LineWishes& lines, const Options& options);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
};

}  // namespace hft::dpdk
