// A generated journal: a seeded day of market data, a venue that answers, one engine that trades. For proofs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace hft::core {

struct GeneratorOptions {
  std::uint64_t messages = 50'000;  // ITCH messages
  std::uint64_t seed = 1;
  std::uint64_t digest_every_inputs = 1000;
  std::uint64_t segment_bytes = 16ULL << 20;
};

struct Generated {
  std::uint64_t inputs = 0;
  std::uint64_t orders = 0, cancels = 0, executions = 0, refused = 0;
  std::string state_digest, decision_digest;
  bool durable = false;
};

Generated generate_journal(const std::filesystem::path& directory, const GeneratorOptions& options);

}  // namespace hft::core
