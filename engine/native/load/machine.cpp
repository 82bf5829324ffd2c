// Reading /proc: proc(5) for stat and PID/stat, net/udp's last column for drops (net/ipv4/udp.c, udp4_format_sock).
#include "load/machine.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <sstream>

#include "base/files.h"

namespace hft::load {

namespace {

std::string read_all(const std::string& path) { return base::read_file(path).value_or(""); }

// utime and stime are fields 14 and 15; the name in field 2 may hold blanks, so count from its closing bracket.
std::uint64_t ticks_of(int pid) {
  const std::string text = read_all("/proc/" + std::to_string(pid) + "/stat");
  const auto bracket = text.rfind(')');
  if (bracket == std::string::npos) return 0;
  std::istringstream rest(text.substr(bracket + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) rest >> skipped;
  std::uint64_t user = 0;
  std::uint64_t system = 0;
  rest >> user >> system;
  return user + system;
}

}  // namespace

std::vector<int> read_pids(const std::string& path) {
  std::istringstream words(path.empty() ? std::string() : read_all(path));
  return {std::istream_iterator<int>(words), {}};
}

CpuTimes read_cpu_times(const std::vector<int>& our_pids) {
  std::istringstream line(read_all("/proc/stat"));
  std::string name;
  line >> name;
  CpuTimes times;
  std::uint64_t value = 0;
  for (int field = 0; field < 8 && line >> value; ++field) {  // user nice system idle iowait irq softirq steal
    times.total += value;
    if (field != 3 && field != 4) times.busy += value;
  }
  times.ours = ticks_of(::getpid());
  for (const int pid : our_pids) times.ours += ticks_of(pid);
  return times;
}

double others_share(const CpuTimes& before, const CpuTimes& after) {
  const std::uint64_t total = after.total - before.total;
  const std::uint64_t busy = after.busy - before.busy;
  const std::uint64_t ours = after.ours - before.ours;
  if (total == 0 || busy <= ours) return 0;
  return static_cast<double>(busy - ours) / static_cast<double>(total);
}

Switches read_switches() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return {static_cast<std::uint64_t>(usage.ru_nvcsw), static_cast<std::uint64_t>(usage.ru_nivcsw),
          static_cast<std::uint64_t>(usage.ru_minflt), static_cast<std::uint64_t>(usage.ru_majflt)};
}

std::int64_t receiver_drops(const std::string& table, const std::vector<std::uint16_t>& ports) {
  std::istringstream lines(table);
  std::string line;
  std::getline(lines, line);  // the heading
  std::int64_t drops = -1;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    const std::vector<std::string> fields{std::istream_iterator<std::string>(words), {}};
    if (fields.size() < 13) continue;
    const auto port = static_cast<std::uint16_t>(std::stoul(fields[1].substr(fields[1].find(':') + 1), nullptr, 16));
    if (std::find(ports.begin(), ports.end(), port) == ports.end()) continue;
    drops = std::max<std::int64_t>(drops, 0) + std::stoll(fields.back());
  }
  return drops;
}

std::int64_t receiver_drops(const std::vector<std::uint16_t>& ports) {
  return receiver_drops(read_all("/proc/net/udp"), ports);
}

}  // namespace hft::load
