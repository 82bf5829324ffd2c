// hft-journal: makes test journals, proves that they replay bit-equal, tells what a journal holds.
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "core/generator.h"
#include "core/replay.h"

namespace {

constexpr const char* kHelp =
    "hft-journal generate DIRECTORY [--messages N] [--seed N]           a seeded day, as a journal\n"
    "hft-journal prove DIRECTORY [--messages N] [--seed N] [--runs N]   the same, then replays it N times\n"
    "hft-journal show DIRECTORY                                         records by kind, and how it ends\n"
    "hft-journal --help | --version [--json]\n"
    "Exit codes: 0 ok, 64 command line, 70 a replay differed or the journal is damaged, 75 disk.\n";

constexpr int kBadCommandLine = 64;
constexpr int kDiffers = 70;

struct Options {
  std::string verb, directory;
  hft::core::GeneratorOptions generator{.messages = 1'000'000, .seed = 1};
  std::uint64_t runs = 5;
};

bool number_of(std::string_view word, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  return error == std::errc{} && end == word.data() + word.size();
}

bool parse(int count, char** words, Options& options) {
  if (count < 3) return false;
  options.verb = words[1];
  options.directory = words[2];
  for (int i = 3; i + 1 < count; i += 2) {
    std::uint64_t number = 0;
    if (!number_of(words[i + 1], number)) return false;
    if (std::strcmp(words[i], "--messages") == 0) options.generator.messages = number;
    else if (std::strcmp(words[i], "--seed") == 0) options.generator.seed = number;
    else if (std::strcmp(words[i], "--runs") == 0) options.runs = number;
    else return false;
  }
  return count % 2 == 1;
}

hft::core::Generated generate(const Options& options) {
  std::filesystem::create_directories(options.directory);
  if (!std::filesystem::is_empty(options.directory)) throw std::invalid_argument(options.directory + " is not empty");
  const auto made = hft::core::generate_journal(options.directory, options.generator);
  const nlohmann::json line{{"messages", options.generator.messages},
                            {"inputs", made.inputs},
                            {"orders", made.orders},
                            {"cancels", made.cancels},
                            {"executions", made.executions},
                            {"refused", made.refused},
                            {"state_digest", made.state_digest},
                            {"decision_digest", made.decision_digest}};
  std::printf("%s\n", line.dump().c_str());
  return made;
}

int prove(const Options& options) {
  const auto made = generate(options);
  for (std::uint64_t run = 1; run <= options.runs; ++run) {
    const auto result = hft::core::replay(options.directory);
    const bool equal = result.mismatches == 0 && result.unrecorded == 0 && result.readable &&
                       result.inputs == made.inputs && result.state_digest == made.state_digest &&
                       result.decision_digest == made.decision_digest;
    std::printf("replay %llu: %s, %llu inputs, %llu decisions\n", static_cast<unsigned long long>(run),
                equal ? "equal" : "DIFFERS", static_cast<unsigned long long>(result.inputs),
                static_cast<unsigned long long>(result.decisions));
    if (!equal) return kDiffers;
  }
  return 0;
}

int show(const Options& options) {
  if (!std::filesystem::is_directory(options.directory))
    throw std::invalid_argument(options.directory + ": no such directory");
  std::map<std::uint16_t, std::uint64_t> kinds;
  hft::JournalReader reader(options.directory);
  while (const auto record = reader.next()) ++kinds[record->header.kind];
  for (const auto& [kind, count] : kinds) std::printf("kind %u: %llu\n", kind, static_cast<unsigned long long>(count));
  std::printf("%s\n", reader.end().text().c_str());
  const auto ending = reader.end().ending;
  if (ending == hft::Ending::clean) return 0;
  const std::uint64_t behind = hft::whole_records_behind(options.directory, reader.end());
  if (behind != 0) std::printf("%llu whole records lie behind the damage\n", static_cast<unsigned long long>(behind));
  return ending == hft::Ending::torn && behind == 0 ? 0 : kDiffers;
}

int dispatch(const Options& options) {
  if (options.verb == "show") return show(options);
  if (options.verb == "prove") return prove(options);
  if (options.verb != "generate") throw std::invalid_argument("no verb " + options.verb);
  generate(options);
  return 0;
}

}  // namespace

int main(int count, char** words) {
  const std::string first = count > 1 ? words[1] : "--help";
  if (first == "--help") return std::fputs(kHelp, stdout) < 0 ? 75 : 0;
  if (first == "--version") return std::puts(R"({"name":"hft-journal","version":"0.1.0"})") < 0 ? 75 : 0;
  Options options;
  try {
    if (parse(count, words, options)) return dispatch(options);
    std::fprintf(stderr, "hft-journal: bad command line; try --help\n");
    return kBadCommandLine;
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "hft-journal: %s\n", error.what());
    return kBadCommandLine;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "hft-journal: %s\n", error.what());
    return 75;
  }
}
