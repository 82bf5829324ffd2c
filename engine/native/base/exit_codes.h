// What a program's end says to whoever started it (engine/contract/process.py; sysexits.h has the numbers' origin).
#pragma once

namespace hft::base {

inline constexpr int kExitOk = 0;
inline constexpr int kExitConfiguration = 64;    // nothing was done; it will not get better by itself
inline constexpr int kExitOrdersMaybeOpen = 69;  // somebody has to look at the venue
inline constexpr int kExitInvariantBroken = 70;  // what it found cannot be
inline constexpr int kExitRetry = 75;            // an address in use, a full disk, a peer that is not there

}  // namespace hft::base
