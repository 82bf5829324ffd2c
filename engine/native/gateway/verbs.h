// The admin verbs: fence, latch, unlatch, activate, orders, status, sessions, and those of verbs_automatic.h. JSON in,
// JSON out, always an `ok`.
#pragma once

#include <functional>
#include <string>

#include "gateway/hub.h"
#include "gateway/json.h"

namespace hft::gateway {

using Reply = std::function<void(const Json&)>;

// Who asks, by the kernel's word (SO_PEERCRED, unix(7)).
struct Asker {
  std::int64_t pid = 0;
  std::uint32_t uid = 0;
};

// Calls REPLY exactly once, before it returns. A line in which the verb `latch` can be
// recognised latches, whatever else is wrong with it: what cannot be read is noted, an unknown scope becomes the site.
void run_verb(Hub& hub, const std::string& line, const Asker& asker, Reply reply);

Json status_of(const Hub& hub);

// An answer that refuses; DETAIL in place of the reason's sentence.
Json refusal(Reason reason, const std::string& detail = {});
// As logs and latches keep who asked.
std::string who(const Asker& asker);

}  // namespace hft::gateway
