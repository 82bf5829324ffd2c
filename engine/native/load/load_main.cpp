// hft-load: an open-loop load generator that is also the venue end of the program under test.
#include <csignal>
#include <fstream>
#include <iostream>

#include "base/arguments.h"
#include "base/exit_codes.h"
#include "base/net.h"
#include "load/loader.h"
#include "load/options.h"

namespace {

using namespace hft;
using namespace hft::load;

constexpr std::string_view kUsage =
    R"(hft-load --lines ADDR:PORT[,ADDR:PORT] --out FILE [options]
  --orders ADDR:PORT     where to accept the program under test (127.0.0.1:0); ports are printed when ready
  --link                 play the gateway first: nonce, HELLO, CLAIM
  --no-fill              accept orders but never fill them
  --profile NAME         ouch5-2023-05 or ouch5-later
  --triggers N --rate N  how many, how many a second (10000, 1000); --warmup N are not counted (500)
  --trigger-symbols N    triggers go round these symbols TRG0, TRG1, ... (1)
  --noise-symbols N --noise-rate N --noise-per-datagram N --noise-live N --seed N
                         a synthetic market beside the triggers, in messages a second (none)
  --noise-cycle N        messages made beforehand; then they go round with other references (200000)
  --stamp user|kernel    when an order counts as in: after recv, or by SO_TIMESTAMPING (user)
  --idle spin|yield|backoff   --cpu N   --interface ADDR   --label TEXT
  --settle-ms N --grace-ms N  quiet time before the first trigger, and the most for the last answers (300, 500)
  --rest-ms N            no triggers for so long after the warm-up, whose end is a line {"warm":true} (0)
  --go                   begin only when a line arrives on standard input
  --peers-file FILE      pids that belong to the run, read when measuring begins; what others take of the CPUs
                         is reported
hft-load --version [--json] | --help
Exit codes: 0 ran to its end, 64 configuration, 70 invariant broken, 75 nobody came or the peer was lost.
)";

volatile int stop = 0;
void on_signal(int) { stop = 1; }

LoadPlan plan_of(const base::Arguments& arguments) {
  LoadPlan plan;
  plan.lines = lines_of(arguments);
  plan.idle = idle_of(arguments);
  plan.label = arguments.text("--label", plan.label);
  plan.interface = arguments.text("--interface", plan.interface);
  try {
    plan.venue_end.at = base::parse_endpoint(arguments.text("--orders", "127.0.0.1:0"));
  } catch (const base::NetError& error) {
    throw base::UsageError(std::string("--orders: ") + error.what());
  }
  plan.venue_end.link = arguments.has("--link");
  plan.venue_end.fills = !arguments.has("--no-fill");
  const std::string stamp = arguments.text("--stamp", "user");
  if (stamp != "user" && stamp != "kernel") throw base::UsageError("--stamp: user or kernel");
  plan.venue_end.kernel_stamps = stamp == "kernel";
  const auto profile = ouch::profile_of(arguments.text("--profile", "ouch5-2023-05"));
  if (!profile) throw base::UsageError("--profile: ouch5-2023-05 or ouch5-later");
  plan.venue_end.profile = *profile;
  plan.triggers = arguments.number("--triggers", plan.triggers);
  plan.triggers_per_s = arguments.number("--rate", plan.triggers_per_s);
  plan.warmup = arguments.number("--warmup", plan.warmup);
  plan.rest_ms = arguments.number("--rest-ms", plan.rest_ms);
  plan.wait_go = arguments.has("--go");
  plan.settle_ms = arguments.number("--settle-ms", plan.settle_ms);
  plan.grace_ms = arguments.number("--grace-ms", plan.grace_ms);
  plan.cpu = arguments.number("--cpu", plan.cpu);
  plan.noise_messages_per_s = arguments.number("--noise-rate", plan.noise_messages_per_s);
  StimulusPlan& stimulus = plan.stimulus;
  stimulus.trigger_symbols = arguments.number("--trigger-symbols", stimulus.trigger_symbols);
  stimulus.noise_symbols = arguments.number("--noise-symbols", stimulus.noise_symbols);
  stimulus.noise_cycle = arguments.number("--noise-cycle", stimulus.noise_cycle);
  stimulus.noise_live = arguments.number("--noise-live", stimulus.noise_live);
  stimulus.noise_per_datagram = arguments.number("--noise-per-datagram", stimulus.noise_per_datagram);
  stimulus.seed = arguments.number("--seed", stimulus.seed);
  plan.peers_file = arguments.text("--peers-file");
  const bool sane = plan.triggers > plan.warmup && plan.triggers_per_s > 0 && stimulus.trigger_symbols > 0 &&
                    stimulus.trigger_symbols <= 1000 && stimulus.noise_symbols <= 50'000 &&
                    stimulus.noise_per_datagram > 0;
  if (!sane) throw base::UsageError("triggers above warmup, rates and counts above 0, at most 1000 and 50000 symbols");
  return plan;
}

int run(const base::Arguments& arguments) {
  const LoadPlan plan = plan_of(arguments);
  if (!arguments.has("--out")) throw base::UsageError("--out FILE is missing");
  std::signal(SIGTERM, on_signal);
  std::signal(SIGINT, on_signal);
  Loader loader(plan, [] { std::cout << R"({"warm":true})" << std::endl; });
  std::cout << R"({"ready":true,"order_port":)" << loader.order_port() << R"(,"retransmit_port":)"
            << loader.retransmit_port() << "}" << std::endl;
  const LoadResult result = loader.run(&stop);
  std::ofstream file(arguments.text("--out"));
  file << to_json(plan, result) << '\n';
  if (!file.flush()) throw std::runtime_error(arguments.text("--out") + ": cannot be written");
  return result.peer_lost ? 75 : 0;
}

}  // namespace

int main(int count, char** words) {
  try {
    const base::Arguments arguments(count, words,
                                    {"--lines",
                                     "--out",
                                     "--orders",
                                     "--profile",
                                     "--triggers",
                                     "--rate",
                                     "--warmup",
                                     "--trigger-symbols",
                                     "--noise-symbols",
                                     "--noise-rate",
                                     "--noise-per-datagram",
                                     "--noise-live",
                                     "--seed",
                                     "--stamp",
                                     "--idle",
                                     "--cpu",
                                     "--interface",
                                     "--label",
                                     "--settle-ms",
                                     "--grace-ms",
                                     "--peers-file",
                                     "--rest-ms",
                                     "--noise-cycle"},
                                    {"--go", "--link", "--no-fill", "--version", "--json", "--help"});
    if (arguments.has("--help")) return std::cout << kUsage, 0;
    if (arguments.has("--version")) {
      std::cout << (arguments.has("--json") ? R"({"name":"hft-load","version":"0.1.0"})" : "hft-load 0.1.0") << '\n';
      return 0;
    }
    return run(arguments);
  } catch (const base::UsageError& error) {
    std::cerr << "hft-load: " << error.what() << '\n' << kUsage;
    return base::kExitConfiguration;
  } catch (const std::runtime_error& error) {  // NetError among them: an address in use, nobody came
    std::cerr << "hft-load: " << error.what() << '\n';
    return base::kExitRetry;
  } catch (const std::exception& error) {
    std::cerr << "hft-load: " << error.what() << '\n';
    return base::kExitInvariantBroken;
  }
}
