// hft-venue: a venue to test engines against. Public data over MoldUDP64, orders over SoupBinTCP and OUCH 5.0.
#include <csignal>
#include <filesystem>
#include <iostream>

#include "base/arguments.h"
#include "base/exit_codes.h"
#include "base/net.h"
#include "base/ownership.h"
#include "base/thread.h"
#include "venue/generate.h"
#include "venue/venue.h"

namespace {

using namespace hft;
using namespace hft::venue;

constexpr std::string_view kUsage =
    R"(hft-venue --config FILE            run; prints one JSON line with its ports when it is ready
hft-venue --config FILE --check    only say whether the configuration is right; touches nothing
hft-venue --generate FILE [--mix burst|recent-delete|uniform-delete] [--messages N] [--symbols N] [--live N]
          [--seed N] [--references gapped|hashed]     write a synthetic capture
hft-venue --version [--json] | --help
SIGTERM ends the session and leaves. Exit codes: 0 ok, 64 configuration, 70 invariant broken, 75 retry.
)";

volatile int stop = 0;
void on_signal(int) { stop = 1; }

Generation generation_of(const base::Arguments& arguments) {
  Generation wanted;
  const auto mix = find_mix(arguments.text("--mix", "burst"));
  if (!mix) throw base::UsageError("--mix: no such mix: " + arguments.text("--mix"));
  wanted.mix = *mix;
  wanted.messages = arguments.number("--messages", wanted.messages);
  wanted.symbols = arguments.number("--symbols", wanted.symbols);
  wanted.live = arguments.number("--live", wanted.live);
  wanted.seed = arguments.number("--seed", wanted.seed);
  if (wanted.symbols == 0 || wanted.symbols > 60'000) throw base::UsageError("--symbols: 1 to 60000");
  const std::string references = arguments.text("--references", "gapped");
  if (references != "gapped" && references != "hashed") throw base::UsageError("--references: gapped or hashed");
  wanted.references = references == "hashed" ? References::hashed : References::gapped;
  return wanted;
}

// A log is named by a file of its own: /dev/null and pipes are nobody's.
bool is_owned(const std::string& path) {
  return !path.empty() && (!std::filesystem::exists(path) || std::filesystem::is_regular_file(path));
}

int run(const Config& config) {
  base::Ownership owned;
  if (is_owned(config.log_path)) owned.claim_path(config.log_path);
  if (!config.admin_path.empty()) owned.claim_path(config.admin_path);
  Venue venue(config);
  base::pin_to_cpu(config.cpu);
  std::signal(SIGTERM, on_signal);
  std::signal(SIGINT, on_signal);
  std::signal(SIGPIPE, SIG_IGN);
  std::cout << venue.ready_line() << std::endl;
  return venue.run(&stop);
}

int dispatch(const base::Arguments& arguments) {
  if (arguments.has("--help")) {
    std::cout << kUsage;
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
    throw base::UsageError("one of --config, --generate, --version, --help");
  }
  return base::kExitOk;
}

}  // namespace

int main(int count, char** words) {
  try {
    return dispatch(base::Arguments(
        count, words,
        {"--config", "--generate", "--mix", "--messages", "--symbols", "--live", "--seed", "--references"},
        {"--check", "--version", "--json", "--help"}));
  } catch (const base::UsageError& error) {
    std::cerr << "hft-venue: " << error.what() << '\n' << kUsage;
    return base::kExitConfiguration;
  } catch (const ConfigError& error) {
    std::cerr << "hft-venue: " << error.what() << '\n';
    return base::kExitConfiguration;
  } catch (const base::OwnershipError& error) {
    std::cerr << "hft-venue: " << error.what() << '\n';
    return error.exit_code;
  } catch (const base::NetError& error) {  // an address in use, a missing card: may be right later
    std::cerr << "hft-venue: " << error.what() << '\n';
    return base::kExitRetry;
  } catch (const std::exception& error) {
    std::cerr << "hft-venue: " << error.what() << '\n';
    return base::kExitInvariantBroken;
  }
}
