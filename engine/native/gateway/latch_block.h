// The latch on disk: one preallocated file that holds the latch twice, so that a full disk cannot stop a kill.
//
// Each copy (sealed_copy.h) holds the entries as JSON. A write overwrites copy one, syncs, overwrites copy two, syncs;
// no block is allocated for it. Reading believes only two whole copies: whatever either of them latches is latched, and
// a copy that cannot be read latches the site.
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/files.h"
#include "gateway/latch.h"

namespace hft::gateway {

class LatchBlock {
 public:
  // Whether an id comes back from the block as it went in; what does not must not be latched by that name.
  static bool keeps(const std::string& id);

  // Makes and preallocates the file, clear. Fails when there is one already.
  static base::Failure create(const std::string& path);

  // Opens and reads. Never fails: what cannot be opened or read is a latched site.
  Latch open(const std::string& path, std::int64_t now_utc_ns);

  // Writes both copies, into a new file when the old one was lost. The latch in memory is set before this is
  // called, whatever comes of it.
  base::Failure write(const Latch& latch);

 private:
  base::Fd file_;
  std::string path_;
  std::uint64_t generation_ = 0;
};

}  // namespace hft::gateway
