// The admin verbs: fence, latch, unlatch, activate, status, sessions. JSON in, JSON out, always an `ok`.
#pragma once

#include <functional>
#include <string>

#include "gateway/hub.h"
#include "gateway/json.h"

namespace hft::gateway {

using Reply = std::function<void(const Json&)>;

// Calls REPLY exactly once, now or when a signature has been checked.
void run_verb(Hub& hub, const std::string& line, Reply reply);

Json status_of(const Hub& hub);

}  // namespace hft::gateway
