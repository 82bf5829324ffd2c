// One run of the engine: recover, open, start threads, serve, stop, tell.
#pragma once

#include "engine/config.h"

namespace hft::engine {

// Returns the exit code; prints the last line on standard output and failures on standard error.
int run_engine(const EngineConfig& config, bool conformance);

}  // namespace hft::engine
