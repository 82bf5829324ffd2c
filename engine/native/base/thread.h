// The calling thread: its name, its CPUs, its stack.
#pragma once

#include <vector>

namespace hft::base {

// Names this thread, pins it (no CPUs: it stays free) and touches its stack. False when the kernel refused the CPUs.
bool settle_thread(const char* name, const std::vector<int>& cpus);

// -1 leaves the thread where it is. Throws NetError (base/net.h).
void pin_to_cpu(int cpu);

}  // namespace hft::base
