// The schema of the limits file (engine/contract/limits.py): what a signature does not make right.
#pragma once

#include <string>

#include "core/types.h"

namespace hft::core {

// Empty, or one sentence about the first field that is outside its schema.
std::string limits_fault(const Limits& limits);

}  // namespace hft::core
