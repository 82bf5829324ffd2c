// Starting ssh-keygen, watching its pidfd, reaping it.
#include "gateway/verifier.h"

#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "gateway/clock.h"

extern char** environ;

namespace hft::gateway {
namespace {

constexpr std::int64_t PATIENCE_NS = 20'000'000'000;
constexpr int SIGNATURE_FD = 3;

// Without close-on-exec: dup2 in the child clears it on the copies, the originals are closed by it.
Fd memory_with(const std::string& bytes) {
  Fd memory(::memfd_create("hft-verify", MFD_CLOEXEC));
  if (!memory || !write_whole(memory.get(), bytes) || ::lseek(memory.get(), 0, SEEK_SET) != 0) return Fd();
  return memory;
}

pid_t start(const Signed& claim) {
  const Fd payload = memory_with(claim.payload);
  // Above SIGNATURE_FD, or dup2 onto itself would leave close-on-exec set.
  const Fd low = memory_with(claim.signature);
  const Fd signature(::fcntl(low.get(), F_DUPFD_CLOEXEC, SIGNATURE_FD + 1));
  if (!payload || !signature) return -1;
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, payload.get(), STDIN_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, signature.get(), SIGNATURE_FD);
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

}  // namespace

class Verifier::Child : public Source {
 public:
  Child(Verifier& owner, pid_t started, Answer then)
      : pid(started),
        pidfd(static_cast<int>(::syscall(SYS_pidfd_open, started, 0))),
        answer(std::move(then)),
        owner_(owner) {}

  void on_events(std::uint32_t) override {
    int status = 0;
    if (::waitpid(pid, &status, WNOHANG) == pid) owner_.finish(*this, WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }

  const pid_t pid;
  Fd pidfd;
  Answer answer;
  std::int64_t started_ns = monotonic_ns();

 private:
  Verifier& owner_;
};

Verifier::Verifier(Loop& loop) : loop_(loop) {}

Verifier::~Verifier() {
  for (auto& [pid, child] : children_) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
}

void Verifier::check(const Signed& claim, Answer answer) {
  const auto pid = start(claim);
  if (pid < 0) return answer(false);
  auto child = std::make_unique<Child>(*this, pid, std::move(answer));
  if (!child->pidfd || !loop_.add(child->pidfd.get(), EPOLLIN, *child)) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return child->answer(false);
  }
  children_.emplace(pid, std::move(child));
}

void Verifier::tick(std::int64_t now_ns) {
  for (auto& [pid, child] : children_)
    if (now_ns - child->started_ns > PATIENCE_NS) ::kill(pid, SIGKILL);  // its pidfd then answers: not signed
}

void Verifier::finish(Child& child, bool is_signed) {
  loop_.remove(child.pidfd.get());
  auto answer = std::move(child.answer);
  auto node = children_.extract(child.pid);
  loop_.bury(std::move(node.mapped()));
  answer(is_signed);
}

}  // namespace hft::gateway
