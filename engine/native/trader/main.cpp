// hft-engine: the command line (engine/contract/process.py).
#include <getopt.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/exit_codes.h"
#include "core/replay.h"
#include "trader/config.h"
#include "trader/host.h"
#include "trader/limits_file.h"
#include "trader/manifest.h"
#include "trader/runtime.h"
#include "trader/signals.h"

namespace hft::trader {
namespace {

constexpr const char* kHelp =
    "hft-engine --config FILE [--conformance]   run until drained; starts cold, never ACTIVE by itself\n"
    "hft-engine --check --config FILE           judge configuration and limits, touch nothing\n"
    "hft-engine --replay DIRECTORY              replay a journal and print its digests\n"
    "hft-engine --version --json                who this is\n"
    "hft-engine --manifest                      the engine.json of this build\n"
    "\n"
    "Exit codes: 0 flat and durable, 64 configuration, 69 orders possibly open, 70 invariant broken, 75 retry.\n"
    "Signals: SIGTERM drains (again: stops), SIGUSR1 kills, SIGHUP reloads the limits.\n";

struct Options {
  std::string config, replay;
  bool check = false, conformance = false, version = false, manifest = false, help = false;
};

int complain(const std::string& what, int code = base::kExitConfiguration) {
  std::fprintf(stderr, "hft-engine: %s\n", what.c_str());
  return code;
}

bool parse(int count, char** words, Options& options) {
  constexpr option kLong[] = {{"config", required_argument, nullptr, 'c'},
                              {"check", no_argument, nullptr, 'k'},
                              {"conformance", no_argument, nullptr, 'f'},
                              {"replay", required_argument, nullptr, 'r'},
                              {"version", no_argument, nullptr, 'v'},
                              {"json", no_argument, nullptr, 'j'},
                              {"manifest", no_argument, nullptr, 'm'},
                              {"help", no_argument, nullptr, 'h'},
#ifdef HFT_DRILL
                              {"drill-no-risk", no_argument, nullptr, 'n'},
#endif
                              {nullptr, 0, nullptr, 0}};
  int letter = 0;
  while ((letter = getopt_long(count, words, "", kLong, nullptr)) != -1) {
    if (letter == 'c') options.config = optarg;
    else if (letter == 'r') options.replay = optarg;
    else if (letter == 'k') options.check = true;
    else if (letter == 'f') options.conformance = true;
    else if (letter == 'v') options.version = true;
    else if (letter == 'm') options.manifest = true;
    else if (letter == 'h') options.help = true;
#ifdef HFT_DRILL
    else if (letter == 'n') core::drill_no_risk = true;
#endif
    else if (letter != 'j') return false;
  }
  return optind == count;
}

int print(const nlohmann::json& json) {
  std::printf("%s\n", json.dump().c_str());
  return base::kExitOk;
}

int check(const EngineConfig& config) {
  const auto limits = load_limits(config.limits_file, config.allowed_signers, {}, base::realtime_ns());
  if (const auto* why = std::get_if<std::string>(&limits)) return complain(*why);
  const auto& loaded = std::get<LimitsFile>(limits).limits;
  return print({{"config_digest", "sha256:" + config.digest},
                {"limits_digest", "sha256:" + loaded.digest},
                {"limits_serial", loaded.serial}});
}

int replay_journal(const std::string& directory) {
  if (!std::filesystem::is_directory(directory)) return complain(directory + ": no such directory");
  const core::ReplayResult result = core::replay(directory);
  std::fprintf(stderr, "%s\n", result.end.text().c_str());
  if (result.end.ending == Ending::refused || result.end.ending == Ending::corrupt) return base::kExitInvariantBroken;
  if (!result.readable)
    return complain("a record cannot be replayed (market data by reference, or foreign)", base::kExitInvariantBroken);
  if (result.mismatches != 0) {
    return complain(std::to_string(result.mismatches) + " decisions differ: " + result.first_mismatch,
                    base::kExitInvariantBroken);
  }
  return print({{"input_seq", result.input_seq},
                {"state_digest", "sha256:" + result.state_digest},
                {"decision_digest", "sha256:" + result.decision_digest},
                {"inputs", result.inputs},
                {"decisions", result.decisions},
                {"runs", result.runs},
                {"unrecorded", result.unrecorded},
                {"ending", ending_name(result.end.ending)}});
}

// What a drill build may be pointed at: no production gateway, and so no ticket.
std::string why_not_here(const EngineConfig& config) {
#ifdef HFT_DRILL
  if (config.core.egress == core::Egress::live || !config.ticket_socket.empty()) {
    return "a drill build takes neither egress live nor production tickets";
  }
#else
  static_cast<void>(config);
#endif
  return {};
}

int dispatch(const Options& options) {
  if (options.help) return std::fputs(kHelp, stdout) < 0 ? base::kExitRetry : base::kExitOk;
  if (options.manifest) return std::printf("%s\n", manifest_text().c_str()) < 0 ? base::kExitRetry : base::kExitOk;
  if (options.version) return std::printf("%s\n", version_text().c_str()) < 0 ? base::kExitRetry : base::kExitOk;
  if (!options.replay.empty()) return replay_journal(options.replay);
  if (options.config.empty()) return complain("--config FILE is missing; try --help");
  const auto read = read_config(options.config);
  if (const auto* why = std::get_if<std::string>(&read)) return complain(*why);
  const auto& config = std::get<EngineConfig>(read);
  if (options.conformance && config.core.egress == core::Egress::live) {
    return complain("--conformance needs egress test or shadow");
  }
  if (const std::string why = why_not_here(config); !why.empty()) return complain(why);
  return options.check ? check(config) : run_engine(config, options.conformance);
}

}  // namespace
}  // namespace hft::trader

int main(int count, char** words) {
  hft::trader::Options options;
  if (!hft::trader::parse(count, words, options)) return hft::trader::complain("bad command line; try --help");
  try {
    return hft::trader::dispatch(options);
  } catch (const std::exception& error) {
    return hft::trader::complain(error.what(), hft::base::kExitRetry);
  }
}
