// How much of its life a thread spent on a CPU or waiting for one: what a gap is told from in which it was stopped.
//
// The first two numbers of /proc/PID/task/TID/schedstat (Documentation/scheduler/sched-stats.rst: time on the CPU, time
// on a run queue, both in nanoseconds). A thread that sleeps, is stopped by a signal or waits for a disk adds to
// neither.
#pragma once

#include <cstdint>
#include <optional>

#include "base/fd.h"

namespace hft::base {

class BusyTime {
 public:
  // Nanoseconds of the thread that asked first; nothing where the kernel does not say.
  std::optional<std::uint64_t> ns();

 private:
  Fd file_;
  bool is_absent_ = false;
};

}  // namespace hft::base
