// hft-venue: a venue to test engines against. Public data over MoldUDP64, orders over SoupBinTCP and OUCH 5.0.
#include <csignal>
#include <iostream>

#include "venue/arguments.h"
#include "venue/generate.h"
#include "venue/venue.h"

namespace {

using namespace hft;
using namespace hft::venue;

constexpr int exit_ok = 0;
constexpr int exit_configuration = 64;
constexpr int exit_invariant = 70;
constexpr int exit_retry = 75;

constexpr std::string_view usage =
    R"(hft-venue --config FILE            run; prints one JSON line with its ports when it is ready
hft-venue --config FILE --check    only say whether the configuration is right; touches nothing
hft-venue --generate FILE [--mix burst|recent-delete|uniform-delete] [--messages N] [--symbols N] [--live N]
          [--seed N] [--references gapped|hashed]     write a synthetic capture
hft-venue --version [--json] | --help
SIGTERM ends the session and leaves. Exit codes: 0 ok, 64 configuration, 70 invariant broken, 75 retry.
)";

volatile int stop = 0;
void on_signal(int) { stop = 1; }

Generation generation_of(const Arguments& arguments) {
  Generation wanted;
  const auto mix = find_mix(arguments.text("--mix", "burst"));
  if (!mix) throw UsageError("--mix: no such mix: " + arguments.text("--mix"));
  wanted.mix = *mix;
  wanted.messages = arguments.number("--messages", wanted.messages);
  wanted.symbols = arguments.number("--symbols", wanted.symbols);
  wanted.live = arguments.number("--live", wanted.live);
  wanted.seed = arguments.number("--seed", wanted.seed);
  if (wanted.symbols == 0 || wanted.symbols > 60'000) throw UsageError("--symbols: 1 to 60000");
  const std::string references = arguments.text("--references", "gapped");
  if (references != "gapped" && references != "hashed") throw UsageError("--references: gapped or hashed");
  wanted.references = references == "hashed" ? References::hashed : References::gapped;
  return wanted;
}

int run(const Config& config) {
  Venue venue(config);
  net::pin_to_cpu(config.cpu);
  std::signal(SIGTERM, on_signal);
  std::signal(SIGINT, on_signal);
  std::signal(SIGPIPE, SIG_IGN);
  std::cout << venue.ready_line() << std::endl;
  return venue.run(&stop);
}

int dispatch(const Arguments& arguments) {
  if (arguments.has("--help")) {
    std::cout << usage;
  } else if (arguments.has("--version")) {
    std::cout << (arguments.has("--json") ? R"({"name":"hft-venue","version":"0.1.0"})" : "hft-venue 0.1.0") << '\n';
  } else if (arguments.has("--generate")) {
    const std::uint64_t made = generate_file(generation_of(arguments), arguments.text("--generate"));
    std::cout << R"({"messages":)" << made << "}\n";
  } else if (arguments.has("--config")) {
    const Config config = read_config(arguments.text("--config"));
    if (!arguments.has("--check")) return run(config);
    std::cout << R"({"ok":true})" << '\n';
  } else {
    throw UsageError("one of --config, --generate, --version, --help");
  }
  return exit_ok;
}

}  // namespace

int main(int count, char** words) {
  try {
    return dispatch(
        Arguments(count, words,
                  {"--config", "--generate", "--mix", "--messages", "--symbols", "--live", "--seed", "--references"},
                  {"--check", "--version", "--json", "--help"}));
  } catch (const UsageError& error) {
    std::cerr << "hft-venue: " << error.what() << '\n' << usage;
    return exit_configuration;
  } catch (const ConfigError& error) {
    std::cerr << "hft-venue: " << error.what() << '\n';
    return exit_configuration;
  } catch (const net::NetError& error) {  // an address in use, a missing card: may be right later
    std::cerr << "hft-venue: " << error.what() << '\n';
    return exit_retry;
  } catch (const std::exception& error) {
    std::cerr << "hft-venue: " << error.what() << '\n';
    return exit_invariant;
  }
}
