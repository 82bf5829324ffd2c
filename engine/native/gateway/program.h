// The running gateway: listening sockets, the timer, signals. Both functions return the exit code, and claim state,
// logs and admin socket before they touch any of them.
#pragma once

#include "gateway/admin.h"
#include "gateway/hub.h"

namespace hft::gateway {

// Makes the durable state of a new gateway; refuses when there is one.
int init(const Config& config);

int run(const Config& config, const Options& options);

}  // namespace hft::gateway
