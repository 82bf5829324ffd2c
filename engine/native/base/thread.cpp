// See thread.h.
#include "base/thread.h"

#include <pthread.h>
#include <sched.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

#include "base/net.h"

namespace hft::base {
namespace {

[[gnu::noinline]] void touch_stack() {
  volatile char stack[256 * 1024];
  for (std::size_t at = 0; at < sizeof stack; at += 4096) stack[at] = 0;
}

bool pin(const std::vector<int>& cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus) {
    if (cpu < CPU_SETSIZE) CPU_SET(static_cast<std::size_t>(cpu), &set);
  }
  return ::sched_setaffinity(0, sizeof set, &set) == 0;
}

}  // namespace

bool settle_thread(const char* name, const std::vector<int>& cpus) {
  ::pthread_setname_np(::pthread_self(), name);
  touch_stack();
  return cpus.empty() || pin(cpus);
}

void pin_to_cpu(int cpu) {
  if (cpu < 0 || pin({cpu})) return;
  throw NetError("pin to CPU " + std::to_string(cpu) + ": " + std::strerror(errno), errno);
}

}  // namespace hft::base
