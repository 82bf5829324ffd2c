// The running gateway: listening sockets, the timer, signals. `run` returns the exit code.
#pragma once

#include "gateway/admin.h"
#include "gateway/hub.h"

namespace hft::gateway {

// Makes the durable state of a new gateway; refuses when there is one.
Failure init_state(const Config& config);

int run(const Config& config, const Options& options);

}  // namespace hft::gateway
