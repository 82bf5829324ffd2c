// One run of the engine: recover, open, start threads, serve, stop, tell.
#pragma once

#include "trader/config.h"

namespace hft::trader {

// Returns the exit code; prints the last line on standard output and failures on standard error.
int run_engine(const EngineConfig& config, bool conformance);

}  // namespace hft::trader
