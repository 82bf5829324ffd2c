// See environment.h. Options of the EAL: DPDK's "EAL parameters" page.
#include "dpdk/environment.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <sched.h>

#include <vector>

namespace hft::dpdk {
namespace {

// Room for two pools (port.cpp) when no hugepages can be added on demand: 2.5 KiB a buffer, and the rest.
std::string plain_memory_mib(const Options& options) {
  return std::to_string(64 + 2 * 2 * options.descriptors * 2560ULL / (1 << 20));
}

// CPUs of the thread that starts the environment, which is a housekeeping thread: DPDK's own threads stay there.
std::string own_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::string list;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return "0";
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<std::size_t>(cpu), &set)) list += (list.empty() ? "" : ",") + std::to_string(cpu);
  }
  return list;
}

std::vector<std::string> arguments(const LineWishes& lines, const Options& options) {
  // One logical core and no worker threads; no file and no socket of DPDK's own; warnings only.
  std::vector<std::string> words{"hft-engine", "--no-telemetry", "--log-level=*:warning",
                                 "--lcores=0@(" + own_cpus() + ")"};
  if (options.hugepages) words.emplace_back("--in-memory");
  else words.insert(words.end(), {"--no-huge", "--no-shconf", "-m", plain_memory_mib(options)});
  bool any_pci = false;
  for (const auto& line : lines) {
    if (!line) continue;
    const bool pci = !line->device.pci.empty();
    any_pci |= pci;
    if (pci) words.insert(words.end(), {"-a", line->device.pci});
    else words.push_back("--vdev=" + line->device.vdev);
  }
  if (!any_pci) words.emplace_back("--no-pci");
  // By virtual address the IOMMU holds a device to this process's memory; no physical address is needed.
  if (any_pci) words.emplace_back("--iova-mode=va");
  return words;
}

}  // namespace

void fail(const std::string& what, int error) {
  throw std::runtime_error("dpdk: " + what + ": " + rte_strerror(error < 0 ? -error : error));
}

Environment::Environment(const LineWishes& lines, const Options& options) {
  std::vector<std::string> words = arguments(lines, options);
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  if (rte_eal_init(static_cast<int>(pointers.size()), pointers.data()) < 0) fail("environment", rte_errno);
}

Environment::~Environment() { rte_eal_cleanup(); }

}  // namespace hft::dpdk
