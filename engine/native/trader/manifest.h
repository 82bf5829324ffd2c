// Who this build is: identity, the manifest `engine.json`, and its digest.
#pragma once

#include <string>

namespace hft::trader {

inline constexpr const char* kName = "hft-engine";
inline constexpr const char* kVersion = "0.1.0";
inline constexpr const char* kContract = "1.2.0";
inline constexpr const char* kLevel = "trading";

// `engine.json` as canonical bytes: the file beside the program where a release has one, else made from the program
// itself, which is how a release gets its file. Both say the SHA-256 of the program.
std::string manifest_text();
// SHA-256 of the canonical manifest, 64 hex digits: the digest of the release.
std::string manifest_digest();
// What `--version --json` prints.
std::string version_text();

}  // namespace hft::trader
