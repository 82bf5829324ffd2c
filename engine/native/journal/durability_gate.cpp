// Offsets and levels: see gate.h.
#include "journal/durability_gate.h"

#include <algorithm>
#include <functional>

namespace hft {

std::optional<DurabilityLevel> DurabilityLevel::parse(std::string_view text) {
  if (text == "none") return DurabilityLevel{Durability::none, 0};
  if (text == "durable") return DurabilityLevel{Durability::durable, 0};
  constexpr std::string_view prefix = "replica:";
  if (!text.starts_with(prefix) || text.size() != prefix.size() + 1) return std::nullopt;
  const int count = text.back() - '0';
  if (count < 1 || count > kReplicasMax) return std::nullopt;
  return DurabilityLevel{Durability::replica, count};
}

std::string DurabilityLevel::text() const {
  if (kind == Durability::none) return "none";
  return kind == Durability::durable ? "durable" : "replica:" + std::to_string(replicas);
}

std::uint64_t DurabilityGate::acked() const {
  switch (level_.kind) {
    case Durability::durable: return ring_.shared().durable.load(std::memory_order_acquire);
    case Durability::replica: return replicated(level_.replicas);
    case Durability::none: break;
  }
  return ring_.shared().appended.load(std::memory_order_relaxed);
}

void DurabilityGate::acknowledge(int replica, std::uint64_t offset) {
  if (replica < 0 || replica >= kReplicasMax) return;
  if (offset > ring_.shared().appended.load(std::memory_order_acquire)) return;
  auto& held = replicas_[static_cast<std::size_t>(replica)];
  if (offset > held.load(std::memory_order_relaxed)) held.store(offset, std::memory_order_release);
}

std::uint64_t DurabilityGate::replicated(int replicas) const {
  std::array<std::uint64_t, kReplicasMax> held{};
  for (std::size_t i = 0; i < held.size(); ++i) held[i] = replicas_[i].load(std::memory_order_acquire);
  const auto nth = held.begin() + (replicas - 1);
  std::nth_element(held.begin(), nth, held.end(), std::greater<>());
  return *nth;
}

}  // namespace hft
