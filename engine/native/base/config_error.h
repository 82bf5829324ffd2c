// The first thing that is wrong in what somebody wrote, in one sentence that names the key.
#pragma once

#include <stdexcept>

namespace hft::base {

struct ConfigError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace hft::base
