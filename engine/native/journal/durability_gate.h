// The one gate between risk and egress: an intent leaves when acked(level) >= the offset behind its record.
//
//   none       nothing to wait for: the record is in the ring
//   durable    the persister has synced it
//   replica:N  N replicas have said that they hold everything up to it; the local disk does not count
//
// An acknowledgement is cumulative ("I hold everything before this offset"), so one that is lost is covered by the
// next, and one that arrives late moves nothing back.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "journal/ring.h"

namespace hft {

constexpr int kReplicasMax = 8;

enum class Durability : std::uint8_t { none, durable, replica };

struct DurabilityLevel {
  Durability kind = Durability::none;
  int replicas = 0;

  static std::optional<DurabilityLevel> parse(std::string_view text);
  [[nodiscard]] std::string text() const;
};

class DurabilityGate {
 public:
  DurabilityGate(DurabilityLevel level, const Ring& ring) : level_(level), ring_(ring) {}

  [[nodiscard]] std::uint64_t acked() const;
  [[nodiscard]] bool open(std::uint64_t offset) const { return acked() >= offset; }
  // From whichever thread receives acknowledgements of this replica. What was never appended is not believed.
  void acknowledge(int replica, std::uint64_t offset);
  [[nodiscard]] std::uint64_t replicated(int replicas) const;
  [[nodiscard]] DurabilityLevel level() const { return level_; }

 private:
  DurabilityLevel level_;
  const Ring& ring_;
  std::array<std::atomic<std::uint64_t>, kReplicasMax> replicas_{};
};

// Whoever ships records and brings acknowledgements back; called from the loop, must not block.
class Acker {
 public:
  virtual ~Acker() = default;
  virtual void poll(std::uint64_t appended, std::uint64_t now_ns, DurabilityGate& gate) = 0;
};

}  // namespace hft
