// The manifest (engine/contract/manifest.py) of the reference engine.
#include "trader/manifest.h"

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/files.h"
#include "dpdk/receiver.h"
#include "trader/config.h"

namespace hft::trader {
namespace {

using Json = nlohmann::json;

// Buffers of two ports with the default of descriptors (dpdk/port.cpp) and what DPDK's environment takes.
constexpr int kPortPages = 24;

Json thread_row(const char* name, const char* role, const char* wants) {
  return {{"name", name}, {"role", role}, {"wants", wants}, {"policy", "other"}, {"priority", 0}, {"numa", "any"}};
}

// GNU build id of the running program: the linker's hash of its content, first 16 digits of its SHA-256 here, since
// both say the same and only one needs no ELF reader.
Json made_from(const std::string& sha256_hex) {
  Json threads =
      Json::array({thread_row("hft-hot", "hot", "isolated"), thread_row("hft-journal", "journal", "housekeeping"),
                   thread_row("hft-link", "other", "housekeeping"), thread_row("hft-admin", "admin", "housekeeping")});
  threads[0]["numa"] = "nic";
  // DPDK's own thread for link interrupts; it runs where the environment was started, on housekeeping CPUs.
  if (dpdk::built_in()) threads.push_back(thread_row("eal-intr-thread", "other", "housekeeping"));
  return {
      {"contract", kContract},
      {"identity", {{"name", kName}, {"version", kVersion}, {"build", sha256_hex.substr(0, 16)}}},
      {"level", kLevel},
      {"exec", {{"interpreter", Json::array()}, {"program", "hft-engine"}, {"arguments", Json::array()}}},
      {"files", Json::array({{{"path", "hft-engine"}, {"sha256", sha256_hex}, {"executable", true}}})},
      {"compat",
       {{"cpu", "x86-64-v2"},
        {"libc", "2.36"},
        {"journal_version_min", 1},
        {"journal_version_max", 1},
        {"replication_min", 0},
        {"replication_max", 0},
        {"state_digest", "sha256"}}},
      {"venue_profiles", {"ouch5-2023-05", "ouch5-later"}},
      {"threads", threads},
      {"memory",
       {{"hugepages_2m", 16 + (dpdk::built_in() ? kPortPages : 0)}, {"hugepages_1g", 0}, {"locked_bytes", 256 << 20}}},
      {"nic", {{"mode", dpdk::built_in() ? "dpdk" : "kernel"}, {"feed", {"multicast", "unicast"}}}},
      {"ports", Json::array()},
      {"budgets",
       {{"startup_ms", 5000},
        {"drain_ms", 5000},
        {"kill_ms", 100},
        {"replication_lag_max", 0},
        {"latency_ns", Json::object()}}},
      {"pre_deploy_limits",
       {{"instruments_max", 64},
        {"order_price_max_e4", 1'999'999'900},
        {"order_value_max_e4", 1'000'000'000'000},
        {"orders_per_day_max", 10'000'000},
        {"position_max", 1'000'000},
        {"venues_max", 1}}}};
}

}  // namespace

std::string manifest_text() {
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe");
  if (const auto beside = base::read_file(program.parent_path() / "engine.json")) {
    const Json document = Json::parse(*beside, nullptr, false);
    if (document.is_object()) return document.dump();
  }
  const std::string bytes = base::read_file("/proc/self/exe").value_or("");
  return made_from(base::hex(base::sha256(bytes))).dump();
}

std::string manifest_digest() {
  const std::string text = manifest_text();
  return base::hex(base::sha256(text));
}

std::string version_text() {
  const Json manifest = Json::parse(manifest_text());
  Json version = manifest["identity"];
  version["contract"] = manifest["contract"];
  version["level"] = manifest["level"];
#ifdef HFT_DRILL
  version["drill_build"] = true;
#endif
  return version.dump();
}

}  // namespace hft::trader
