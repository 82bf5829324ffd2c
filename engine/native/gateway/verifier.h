// Signatures, checked by a child process that the loop waits for (base/signature.h).
//
// Forwarding goes on meanwhile: a signature is never checked on the hot path.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/signature.h"
#include "gateway/loop.h"

namespace hft::gateway {

class Verifier {
 public:
  using Answer = std::function<void(bool)>;

  explicit Verifier(Loop& loop);
  ~Verifier();

  // Calls ANSWER from the loop, later, exactly once. What cannot be checked is not signed.
  void check(const base::Signed& claim, Answer answer);

  // Ends children that have run longer than the patience.
  void tick(std::int64_t now_ns);

 private:
  class Child;
  void finish(Child& child, bool is_signed);

  Loop& loop_;
  std::map<pid_t, std::unique_ptr<Child>> children_;
};

}  // namespace hft::gateway
