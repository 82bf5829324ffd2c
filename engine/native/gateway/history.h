// A day's responses of one account, on disk: memory stays flat, and an engine may begin at any number.
//
// The framed packets lie one behind the other in a file. What came last is in memory until there is enough of it for a
// write, and so is where every 1,024th packet begins. Nothing is synced: the venue has the day, and a gateway that
// starts asks for all of it. When the disk takes no more, the memory holds what fits, and then the older numbers are
// lost: a login that asks for one is refused, instead of one that gets a day with a hole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/files.h"
#include "wire/soup.h"

namespace hft::gateway {

class History {
 public:
  static constexpr std::size_t kTailBytes = 1 << 18;      // written at once
  static constexpr std::size_t kTailBytesMax = 64 << 20;  // kept in memory when the disk takes nothing

  // Where a reader is.
  struct Cursor {
    std::uint64_t sequence = 0;
    std::uint64_t offset = 0;
  };

  // A new, empty file of that name: of what a process before this one kept nothing is used.
  base::Failure open(const std::string& path);

  // Forgets the day; the next packet has this number.
  void clear(std::uint64_t first_sequence);

  // False when older packets were lost for this one.
  bool append(Bytes framed);

  std::uint64_t first_sequence() const { return first_sequence_; }
  std::uint64_t next_sequence() const { return next_sequence_; }
  std::size_t memory_bytes() const { return tail_.capacity() + begins_.capacity() * sizeof(std::uint64_t); }

  // Before the packet of that number; nothing when it was lost or is not there yet.
  std::optional<Cursor> at(std::uint64_t sequence) const;

  // Whole packets from there on, about so many bytes of them, one at least; the cursor is behind them then. Empty at
  // the end, and when the file could not be read, which `is_broken` tells.
  std::string read(Cursor& cursor, std::size_t bytes) const;
  bool is_broken() const { return is_broken_; }

 private:
  static constexpr std::uint64_t kEvery = 1024;

  void flush();
  void lose();
  std::string bytes_at(std::uint64_t offset, std::size_t bytes) const;

  base::Fd file_;
  std::uint64_t first_sequence_ = 1;
  std::uint64_t next_sequence_ = 1;
  std::uint64_t flushed_ = 0;  // bytes in the file; the tail is behind them
  std::string tail_;
  std::size_t flush_at_ = kTailBytes;
  std::vector<std::uint64_t> begins_;  // offsets of the packets first, first + kEvery, ...
  mutable bool is_broken_ = false;
};

}  // namespace hft::gateway
