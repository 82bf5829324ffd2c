// A synthetic day as a capture file: for benches and tests that want the bytes without the sockets.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "venue/references.h"
#include "venue/synthetic.h"
#include "wire/bytes.h"

namespace hft::venue {

struct Generation {
  Mix mix = kMixes[0];
  std::uint64_t messages = 100'000;  // at least; the last command is finished
  std::uint64_t symbols = 8'000;
  std::uint64_t live = 10'000;
  std::uint64_t seed = 1;
  References references = References::gapped;
  std::uint64_t gap_ns = 1'000;  // between commands
};

// Calls `take` for each ITCH message: day start, directory, then the market. Returns how many there were.
std::uint64_t generate(const Generation& wanted, const std::function<void(Bytes)>& take);

// Length-prefixed, as Nasdaq's files are; throws std::runtime_error when the file cannot be written.
std::uint64_t generate_file(const Generation& wanted, const std::string& path);

}  // namespace hft::venue
