// See history.h.
#include "gateway/history.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

namespace hft::gateway {
namespace {

constexpr std::size_t kLengthBytes = 2;  // of a packet's frame (SoupBinTCP 3.00)

std::size_t length_at(std::string_view bytes, std::size_t at) {
  if (at + kLengthBytes > bytes.size()) return 0;
  const auto high = static_cast<std::uint8_t>(bytes[at]);
  const auto low = static_cast<std::uint8_t>(bytes[at + 1]);
  return kLengthBytes + (static_cast<std::size_t>(high) << 8 | low);
}

}  // namespace

base::Failure History::open(const std::string& path) {
  file_ = base::Fd(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  return file_ ? base::Failure() : base::failed("cannot open", path);
}

void History::clear(std::uint64_t sequence) {
  first_sequence_ = next_sequence_ = sequence;
  flushed_ = 0;
  tail_ = std::string();
  flush_at_ = kTailBytes;
  begins_.clear();
  is_broken_ = file_ && ::ftruncate(file_.get(), 0) != 0;
}

bool History::append(Bytes framed) {
  const bool is_full = tail_.size() + framed.size() > kTailBytesMax;
  if (is_full) lose();
  if ((next_sequence_ - first_sequence_) % kEvery == 0) begins_.push_back(flushed_ + tail_.size());
  tail_.append(as_text(framed));
  ++next_sequence_;
  if (tail_.size() >= flush_at_) flush();
  return !is_full;
}

void History::flush() {
  const auto put = ::pwrite(file_.get(), tail_.data(), tail_.size(), static_cast<off_t>(flushed_));
  flush_at_ = kTailBytes;
  if (put == static_cast<ssize_t>(tail_.size())) {
    flushed_ += tail_.size();
    tail_.clear();
  } else {
    flush_at_ += tail_.size();  // it takes nothing now: tried again some packets later
  }
}

// All that is kept so far: the next packet is the first.
void History::lose() { clear(next_sequence_); }

std::optional<History::Cursor> History::at(std::uint64_t sequence) const {
  if (sequence < first_sequence_ || sequence > next_sequence_) return std::nullopt;
  if (sequence == next_sequence_) return Cursor{sequence, flushed_ + tail_.size()};
  const auto behind = sequence - first_sequence_;
  Cursor cursor{sequence - behind % kEvery, begins_[behind / kEvery]};
  while (cursor.sequence < sequence) {
    // A small piece at a time: the packets before the one that is asked for.
    const auto bytes = bytes_at(cursor.offset, 1 << 14);
    std::size_t end = 0;
    for (auto length = length_at(bytes, 0); length != 0 && end + length <= bytes.size() && cursor.sequence < sequence;
         length = length_at(bytes, end)) {
      end += length;
      ++cursor.sequence;
    }
    if (end == 0) return std::nullopt;
    cursor.offset += end;
  }
  return cursor;
}

std::string History::read(Cursor& cursor, std::size_t bytes) const {
  auto found = bytes_at(cursor.offset, std::max<std::size_t>(bytes, kLengthBytes + UINT16_MAX));
  std::size_t end = 0;
  for (auto length = length_at(found, 0); length != 0 && end + length <= found.size() && end < bytes;
       length = length_at(found, end)) {
    end += length;
    ++cursor.sequence;
  }
  cursor.offset += end;
  found.resize(end);
  return found;
}

// From the file as far as it goes, then from the tail.
std::string History::bytes_at(std::uint64_t offset, std::size_t bytes) const {
  std::string found;
  if (offset < flushed_) {
    found.resize(std::min<std::uint64_t>(bytes, flushed_ - offset));
    const auto got = ::pread(file_.get(), found.data(), found.size(), static_cast<off_t>(offset));
    if (got != static_cast<ssize_t>(found.size())) {
      is_broken_ = true;
      return {};
    }
  }
  const auto from = offset + found.size() - flushed_;
  if (found.size() < bytes && from < tail_.size()) found.append(tail_, from, bytes - found.size());
  return found;
}

}  // namespace hft::gateway
