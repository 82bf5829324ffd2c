// hft-gateway: owns the venue sessions, lets one epoch trade at a time, and can stop everything.
#include <cstdio>
#include <cstring>
#include <string>

#include "base/exit_codes.h"
#include "base/files.h"
#include "gateway/json.h"
#include "gateway/program.h"

namespace {

constexpr const char* kVersion = "0.1.0";

constexpr const char* kHelp =
    "usage: hft-gateway --config FILE [--init | --check] [--test]\n"
    "       hft-gateway --version [--json] | --help\n"
    "\n"
    "  --config FILE  JSON: name, role, listen, admin_socket, state_directory, log_directory, profile, on_fence,\n"
    "                 limits_file, host_signers, authority_signers, epoch_source, accounts, beat_ms, epochs\n"
    "  --init         make the durable state (epoch 0, latch clear) of a new gateway, then exit\n"
    "  --check        read the configuration, touch nothing, exit 0 or 64\n"
    "  --test         test gateway: admits egress test without a ticket, refuses tickets\n"
#ifdef HFT_DRILL
    "  --drill-no-enforcement  DRILL BUILD: stale epochs pass; this build refuses production tickets\n"
#endif
    "\n"
    "exit codes: 0 ok, 64 configuration or state, 75 try again (an address or a directory is taken: by whom is said)\n"
    "signals: SIGTERM closes, SIGHUP reads limits and authority_signers again\n";

struct Command {
  std::string config;
  bool is_init = false;
  bool is_check = false;
  bool is_version = false;
  bool is_json = false;
  hft::gateway::Options options;
  std::string wrong;
};

Command read_command(int argc, char** argv) {
  Command command;
  for (int index = 1; index < argc; ++index) {
    const std::string argument = argv[index];
    if (argument == "--config" && index + 1 < argc) command.config = argv[++index];
    else if (argument == "--init") command.is_init = true;
    else if (argument == "--check") command.is_check = true;
    else if (argument == "--test") command.options.is_test = true;
    else if (argument == "--version") command.is_version = true;
    else if (argument == "--json") command.is_json = true;
#ifdef HFT_DRILL
    else if (argument == "--drill-no-enforcement") command.options.is_epoch_enforced = false;
#endif
    else command.wrong = argument;
  }
  return command;
}

int print_version(bool is_json) {
#ifdef HFT_DRILL
  const bool is_drill = true;
#else
  const bool is_drill = false;
#endif
  const hft::gateway::Json version{{"name", "hft-gateway"},
                                   {"version", kVersion},
                                   {"contract", hft::gateway::kContractVersion},
                                   {"drill_build", is_drill}};
  if (is_json) std::printf("%s\n", hft::gateway::canonical(version).c_str());
  else std::printf("hft-gateway %s%s\n", kVersion, is_drill ? " (drill build)" : "");
  return 0;
}

int complain(const std::string& what) {
  std::fprintf(stderr, "hft-gateway: %s\n", what.c_str());
  return hft::base::kExitConfiguration;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--help") == 0) return std::printf("%s", kHelp) < 0;
  const auto command = read_command(argc, argv);
  if (!command.wrong.empty()) return complain("unknown or incomplete argument " + command.wrong + "; see --help");
  if (command.is_version) return print_version(command.is_json);
  if (command.config.empty()) return complain("--config FILE is needed; see --help");
  const auto loaded = hft::gateway::load_config(command.config, command.options.is_test);
  if (const auto* failure = std::get_if<hft::base::Failure>(&loaded)) return complain(*failure);
  const auto& config = std::get<hft::gateway::Config>(loaded);
  if (command.is_check) return 0;
  return command.is_init ? hft::gateway::init(config) : hft::gateway::run(config, command.options);
}
