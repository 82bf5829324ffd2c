// Watching the pidfd of a check, reaping it.
#include "gateway/verifier.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fd.h"

namespace hft::gateway {
namespace {

constexpr std::int64_t kPatienceNs = 20'000'000'000;

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
    if (::waitpid(pid, &status, WNOHANG) == pid) owner_.finish(*this, base::says_signed(status));
  }

  const pid_t pid;
  base::Fd pidfd;
  Answer answer;
  std::int64_t started_ns = base::monotonic_ns();

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

void Verifier::check(const base::Signed& claim, Answer answer) {
  const auto pid = base::start_verification(claim);
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
    if (now_ns - child->started_ns > kPatienceNs) ::kill(pid, SIGKILL);  // its pidfd then answers: not signed
}

void Verifier::finish(Child& child, bool is_signed) {
  loop_.remove(child.pidfd.get());
  auto answer = std::move(child.answer);
  auto node = children_.extract(child.pid);
  loop_.bury(std::move(node.mapped()));
  answer(is_signed);
}

}  // namespace hft::gateway
