// Signatures, checked by `ssh-keygen -Y verify` in a child process that the loop waits for.
//
// Forwarding goes on meanwhile: a signature is never checked on the hot path. Payload and signature are handed
// over in sealed memory (memfd_create(2)), so nothing lies in a directory that somebody could write to.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "gateway/loop.h"

namespace hft::gateway {

struct Signed {
  std::string signers;    // allowed_signers file
  std::string principal;  // who must have signed
  std::string space;      // signature namespace: hft-ticket, hft-fence, hft-limits
  std::string payload;
  std::string signature;  // armored
};

class Verifier {
 public:
  using Answer = std::function<void(bool)>;

  explicit Verifier(Loop& loop);
  ~Verifier();

  // Calls ANSWER from the loop, later, exactly once. What cannot be checked is not signed.
  void check(const Signed& claim, Answer answer);

  // Ends children that have run longer than the patience.
  void tick(std::int64_t now_ns);

 private:
  class Child;
  void finish(Child& child, bool is_signed);

  Loop& loop_;
  std::map<pid_t, std::unique_ptr<Child>> children_;
};

}  // namespace hft::gateway
