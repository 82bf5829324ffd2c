// What a fuzz target reached, printed when the process ends: executions and message types.
//
// libFuzzer's own figures say how much code was touched; these say which messages of the protocol were really
// decoded, so that a target that never gets past its first check cannot pass for one that works.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

#include "wire/bytes.h"

namespace hft::fuzz {

// A broken promise ends the process; libFuzzer then keeps the input.
inline void require(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  std::abort();
}

class Report {
 public:
  explicit Report(const char* target) : target_(target) {}
  Report(const Report&) = delete;
  Report& operator=(const Report&) = delete;

  ~Report() {
    std::string kinds;
    std::size_t reached = 0;
    for (std::size_t kind = 0; kind < seen_.size(); ++kind) {
      if (seen_[kind] == 0) continue;
      ++reached;
      const bool letter = kind > ' ' && kind < 0x7F;
      kinds += " " + (letter ? std::string(1, static_cast<char>(kind)) : std::to_string(kind)) + ":" +
               std::to_string(seen_[kind]);
    }
    std::printf("fuzz %s: executions %llu, message types reached %zu:%s\n", target_,
                static_cast<unsigned long long>(executions_), reached, kinds.c_str());
    std::fflush(stdout);
  }

  void execution() { ++executions_; }
  void reached(char type) { ++seen_[static_cast<std::uint8_t>(type)]; }

 private:
  const char* target_;
  std::uint64_t executions_ = 0;
  std::array<std::uint64_t, 256> seen_{};
};

}  // namespace hft::fuzz
