// The verbs of what happens without a person: the failover that is allowed in advance, and what holds it off.
#pragma once

#include "gateway/verbs.h"

namespace hft::gateway {

// {"verb":"succession","succession":{..},"signature":".."}: kept for the epoch in force, in place of the one before;
// without `succession` the one that is kept is forgotten (operator and reason).
void run_succession(Hub& hub, const Json& request, const Asker& asker, const Reply& reply);

// {"verb":"pause","kind":"pause"|"freeze","for_s":N,"operator":..,"reason":..}; in place of the one of its kind.
void run_pause(Hub& hub, const Json& request, const Asker& asker, const Reply& reply);

// {"verb":"unpause","kind":..,"operator":..,"reason":..}
void run_unpause(Hub& hub, const Json& request, const Asker& asker, const Reply& reply);

// For `status`: what is allowed, what holds it off, how the holder is heard, what was done.
Json automatic_of(const Hub& hub);

}  // namespace hft::gateway
