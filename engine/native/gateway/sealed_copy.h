// One copy of something small that must survive: a header, the payload, zeros up to a fixed size.
//
// "MAGIC", generation, length of the payload, SHA-256 of all the rest. A copy that was torn while it was written, at
// whatever byte, is none. The files that hold two of them are state_block.h and latch_block.h.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace hft::gateway {

inline constexpr std::size_t kCopyBytes = 16384;
inline constexpr std::size_t kCopyHeaderBytes = 8 + 8 + 8 + 32;
inline constexpr std::size_t kCopyPayloadBytes = kCopyBytes - kCopyHeaderBytes;

struct SealedCopy {
  std::uint64_t generation = 0;
  std::string payload;
};

// Exactly kCopyBytes. MAGIC has 8 characters, PAYLOAD at most kCopyPayloadBytes.
std::string seal(std::string_view magic, std::uint64_t generation, std::string payload);

// The copy in the first kCopyBytes of BYTES, when it is whole and has one of these magics.
std::optional<SealedCopy> unseal(std::string_view bytes, std::initializer_list<std::string_view> magics);

// The INDEXth copy of a file; false when not all of it could be written. Nothing is synced.
bool put_copy(int fd, std::string_view copy, std::size_t index);

// A new file of two such copies, preallocated and synced. Fails when there is one already.
std::string make_copies(const std::string& path, std::string_view copy);

}  // namespace hft::gateway
