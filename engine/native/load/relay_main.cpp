// hft-relay: what the engine would cost without any logic in it.
#include <csignal>
#include <iostream>

#include "base/arguments.h"
#include "base/exit_codes.h"
#include "base/net.h"
#include "load/options.h"
#include "load/relay.h"

namespace {

using namespace hft;
using namespace hft::load;

constexpr std::string_view kUsage =
    R"(hft-relay --lines ADDR:PORT[,ADDR:PORT] --to ADDR:PORT [--idle spin|yield|backoff] [--cpu N] [--interface ADDR]
hft-relay --version [--json] | --help
Runs until SIGTERM or until the peer closes; then prints its counts as one JSON line.
Exit codes: 0 ok, 64 configuration, 75 the peer is not there or went away.
)";

volatile int stop = 0;
void on_signal(int) { stop = 1; }

int run(const base::Arguments& arguments) {
  RelayPlan plan;
  plan.lines = lines_of(arguments);
  plan.idle = idle_of(arguments);
  plan.interface = arguments.text("--interface", plan.interface);
  plan.cpu = arguments.number("--cpu", plan.cpu);
  try {
    plan.to = base::parse_endpoint(arguments.text("--to"));
  } catch (const base::NetError& error) {
    throw base::UsageError(std::string("--to: ") + error.what());
  }
  std::signal(SIGTERM, on_signal);
  std::signal(SIGINT, on_signal);
  Relay relay(plan);
  const RelayCounts counts = relay.run(&stop);
  std::cout << R"({"datagrams":)" << counts.datagrams << R"(,"triggers":)" << counts.triggers << R"(,"repeats":)"
            << counts.repeats << R"(,"bytes_back":)" << counts.bytes_back << "}\n";
  return 0;
}

}  // namespace

int main(int count, char** words) {
  try {
    const base::Arguments arguments(count, words, {"--lines", "--to", "--idle", "--cpu", "--interface"},
                                    {"--version", "--json", "--help"});
    if (arguments.has("--help")) return std::cout << kUsage, 0;
    if (arguments.has("--version")) {
      std::cout << (arguments.has("--json") ? R"({"name":"hft-relay","version":"0.1.0"})" : "hft-relay 0.1.0") << '\n';
      return 0;
    }
    return run(arguments);
  } catch (const base::UsageError& error) {
    std::cerr << "hft-relay: " << error.what() << '\n' << kUsage;
    return base::kExitConfiguration;
  } catch (const std::runtime_error& error) {
    std::cerr << "hft-relay: " << error.what() << '\n';
    return base::kExitRetry;
  }
}
