// The kill latch on disk: one preallocated file that holds the latch twice, each copy with generation and CRC32C.
//
// A write overwrites copy one, syncs, overwrites copy two, syncs: no block is allocated, so a full disk cannot stop a
// kill. Clear needs two good copies that say clear; one that says set means set; anything else is unreadable, and
// unreadable counts as set.
#pragma once

#include <optional>
#include <string>

#include "base/fd.h"
#include "core/core.h"

namespace hft::trader {

class LatchFile {
 public:
  explicit LatchFile(std::string path) : path_(std::move(path)) {}

  // Opens and reads. A first start may make the file, clear; later a missing file is an unreadable one.
  core::Latch read(bool first_start);
  // True when both copies are on disk. Safe from one thread at a time.
  bool write(const core::Latch& latch);

 private:
  core::Latch look(bool first_start);

  std::string path_;
  base::Fd fd_;
  std::uint64_t generation_ = 0;
};

}  // namespace hft::trader
