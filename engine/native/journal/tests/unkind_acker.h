// An acker for tests: it holds what it is shown after a while and reports it late, out of order, or not at all.
#pragma once

#include <random>
#include <vector>

#include "journal/durability_gate.h"

namespace hft::test {

class UnkindAcker : public Acker {
 public:
  UnkindAcker(int replica, std::uint64_t seed) : replica_(replica), random_(seed) {}

  void poll(std::uint64_t appended, std::uint64_t now_ns, DurabilityGate& gate) override {
    if (random_() % 3 == 0) held_ = appended;
    if (random_() % 4 != 0) pending_.push_back({now_ns + random_() % 50'000, held_});  // else: dropped
    for (std::size_t i = 0; i < pending_.size();) {
      if (pending_[i].due_ns > now_ns) {
        ++i;
        continue;
      }
      gate.acknowledge(replica_, pending_[i].offset);
      pending_[i] = pending_.back();  // the order of arrival is nobody's promise
      pending_.pop_back();
    }
  }

  [[nodiscard]] std::uint64_t held() const { return held_; }

 private:
  struct Late {
    std::uint64_t due_ns;
    std::uint64_t offset;
  };

  int replica_;
  std::mt19937_64 random_;
  std::uint64_t held_ = 0;
  std::vector<Late> pending_;
};

}  // namespace hft::test
