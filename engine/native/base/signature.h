// Signatures, checked by `ssh-keygen -Y verify` in a child process.
//
// Payload and signature are handed over in sealed memory (memfd_create(2)), so nothing lies in a directory that
// somebody could write to, and nobody waits for a pipe to drain.
#pragma once

#include <sys/types.h>

#include <string>

namespace hft::base {

struct Signed {
  std::string signers;    // allowed_signers file
  std::string principal;  // who must have signed
  std::string space;      // signature namespace: hft-ticket, hft-fence, hft-limits
  std::string payload;
  std::string signature;  // armored
};

// The child that checks it, to be waited for; -1 when it could not be started.
[[nodiscard]] pid_t start_verification(const Signed& claim);
// What the child's end says. What cannot be checked is not signed.
[[nodiscard]] bool says_signed(int wait_status);
// Ends it, whatever it does.
void end_verification(pid_t child);
// Waits for the child; one that takes longer has not signed anything.
[[nodiscard]] bool is_signed(const Signed& claim, int patience_ms = 10'000);

}  // namespace hft::base
