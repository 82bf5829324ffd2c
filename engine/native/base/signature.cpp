// Starting ssh-keygen.
#include "base/signature.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>

#include "base/fd.h"
#include "base/files.h"

extern char** environ;

namespace hft::base {
namespace {

constexpr int kSignatureFd = 3;

// Close-on-exec: dup2 in the child clears it on the copies, the originals are closed by it.
Fd memory_with(const std::string& bytes) {
  Fd memory(::memfd_create("hft-verify", MFD_CLOEXEC));
  if (!memory || !write_all(memory.get(), bytes) || ::lseek(memory.get(), 0, SEEK_SET) != 0) return Fd();
  return memory;
}

}  // namespace

pid_t start_verification(const Signed& claim) {
  const Fd payload = memory_with(claim.payload);
  // Above kSignatureFd, or dup2 onto itself would leave close-on-exec set.
  const Fd low = memory_with(claim.signature);
  const Fd signature(::fcntl(low.get(), F_DUPFD_CLOEXEC, kSignatureFd + 1));
  if (!payload || !signature) return -1;
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, payload.get(), STDIN_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, signature.get(), kSignatureFd);
  const char* argv[] = {
      "ssh-keygen",        "-Y", "verify",    "-f",   claim.signers.c_str(), "-I", claim.principal.c_str(), "-n",
      claim.space.c_str(), "-s", "/dev/fd/3", nullptr};
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, argv[0], &actions, &attributes, const_cast<char* const*>(argv), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  return error == 0 ? pid : -1;
}

bool says_signed(int wait_status) { return WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0; }

void end_verification(pid_t child) {
  ::kill(child, SIGKILL);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

bool is_signed(const Signed& claim, int patience_ms) {
  const pid_t child = start_verification(claim);
  if (child < 0) return false;
  const Fd ends(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  pollfd wait{ends.get(), POLLIN, 0};
  int status = 0;
  if (!ends || ::poll(&wait, 1, patience_ms) != 1 || ::waitpid(child, &status, WNOHANG) != child) {
    end_verification(child);
    return false;
  }
  return says_signed(status);
}

}  // namespace hft::base
