// ITCH captures as files: read one whole, whichever way its lengths are written; write one.
//
// Nasdaq's files put a 2-byte big-endian length before each message. Some public samples carry zeros there, and
// the message's type must tell its length; a file is one or the other, decided by its first prefix.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "wire/itch_decode.h"

namespace hft::venue {

struct Captured {
  std::uint64_t timestamp_ns;  // since midnight, from the message
  std::size_t offset;          // into Capture::bytes
  std::size_t length;
};

struct Capture {
  std::vector<std::uint8_t> bytes;
  std::vector<Captured> messages;
  bool zero_prefixed = false;
  std::string problem;  // empty when the whole file was understood; else what and where, before is kept

  [[nodiscard]] Bytes message(std::size_t index) const {
    return Bytes(bytes).subspan(messages[index].offset, messages[index].length);
  }
};

Capture parse_capture(std::vector<std::uint8_t> bytes);
// An unreadable file is a problem too; the path may end in .gz only after somebody unpacked it.
Capture read_capture(const std::string& path);

}  // namespace hft::venue
