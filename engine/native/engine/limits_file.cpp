// See limits_file.h.
#include "engine/limits_file.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "core/documents.h"
#include "engine/config.h"

extern char** environ;

namespace hft::engine {
namespace {

constexpr std::size_t kLimitsBytesMax = 60'000;  // fits a pipe whole, so nobody waits for anybody

// Runs ssh-keygen with the bytes on its standard input; true when it says that the signature is good.
bool signature_is_good(const std::string& path, const std::string& bytes, const std::string& allowed_signers) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return false;
  const bool fed = write(ends[1], bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
  close(ends[1]);
  const std::string signature = path + ".sig";
  std::array<const char*, 12> argv{
      "ssh-keygen",      "-Y",   "verify", "-n", "hft-limits", "-I", "limits", "-f", allowed_signers.c_str(), "-s",
      signature.c_str(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[0], 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const int error = posix_spawnp(&child, argv[0], &actions, nullptr, const_cast<char**>(argv.data()), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[0]);
  if (error != 0) return false;
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return fed && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

std::variant<LimitsFile, std::string> load_limits(const std::string& path, const std::string& allowed_signers,
                                                  const LimitsSeen& seen, std::int64_t utc_ns) {
  const auto bytes = read_file(path);
  if (!bytes) return path + ": cannot be read";
  if (bytes->size() > kLimitsBytesMax) return path + ": larger than 60,000 bytes";
  if (!signature_is_good(path, *bytes, allowed_signers)) return path + ": no good signature of `limits`";
  std::string why;
  auto limits = core::parse_limits(*bytes, &why);
  if (!limits) return path + ": " + why;
  if (limits->not_after_utc_ns <= utc_ns) return path + ": expired";
  const std::string serial = std::to_string(limits->serial);
  if (limits->serial < seen.serial) return path + ": serial " + serial + " is below " + std::to_string(seen.serial);
  if (limits->serial == seen.serial && limits->digest != seen.digest) {
    return path + ": serial " + serial + " was seen with other bytes";
  }
  return LimitsFile{*bytes, std::move(*limits)};
}

}  // namespace hft::engine
