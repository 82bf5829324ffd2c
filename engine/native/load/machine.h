// What else the machine did during a run: a measurement beside busy neighbours is no measurement.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hft::load {

struct CpuTimes {
  std::uint64_t busy = 0;  // of all CPUs, all processes, in clock ticks
  std::uint64_t total = 0;
  std::uint64_t ours = 0;  // of this process and the ones named
};

// Pids from a file, separated by blanks; none when there is no such file.
std::vector<int> read_pids(const std::string& path);

CpuTimes read_cpu_times(const std::vector<int>& our_pids);

// Share of all CPU time that went to others between two readings, 0 to 1.
double others_share(const CpuTimes& before, const CpuTimes& after);

struct Switches {
  std::uint64_t voluntary = 0, involuntary = 0, minor_faults = 0, major_faults = 0;
};
Switches read_switches();  // of the calling thread

// Datagrams the kernel dropped because local sockets on these ports were full; -1 when there is no such socket.
std::int64_t receiver_drops(const std::vector<std::uint16_t>& ports);
// The same from a text in the shape of /proc/net/udp.
std::int64_t receiver_drops(const std::string& table, const std::vector<std::uint16_t>& ports);

}  // namespace hft::load
