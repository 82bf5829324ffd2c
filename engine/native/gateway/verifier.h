// Signatures of tickets and limits: checked one at a time, by a thread of its own, each with one deadline for all of
// it.
//
// Whoever has many checked waits for himself: forwarding goes on meanwhile, and no process is started for a key that
// can be checked here (base/sshsig.h). Other kinds of keys are left to ssh-keygen, on that thread too.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/signature.h"
#include "gateway/loop.h"

namespace hft::gateway {

enum class Verdict : std::uint8_t { good, bad, late };

class Verifier : public Source {
 public:
  using Answer = std::function<void(Verdict)>;

  explicit Verifier(Loop& loop);
  ~Verifier() override;

  // Calls ANSWER from the loop, later, exactly once. What cannot be checked is not signed; what cannot be checked in
  // time, because too many wait or a helper hangs, is late.
  void check(base::Signed claim, Answer answer);

  void on_events(std::uint32_t events) override;  // of its eventfd
  void tick(std::int64_t now_ns);

 private:
  struct Job {
    std::uint64_t number = 0;
    base::Signed claim;
  };
  struct Waiting {
    Answer answer;
    std::int64_t deadline_ns = 0;
  };

  void work();
  void answer(std::uint64_t number, Verdict verdict);

  Loop& loop_;
  base::Fd wake_;
  std::map<std::uint64_t, Waiting> waiting_;
  std::uint64_t last_number_ = 0;

  std::mutex mutex_;  // of what both threads touch
  std::condition_variable comes_;
  std::deque<Job> jobs_;
  std::vector<std::pair<std::uint64_t, bool>> checked_;
  bool is_stopped_ = false;
  std::thread thread_;  // begins with the first check: every signal is blocked by then
};

}  // namespace hft::gateway
