// SHA-256 seals: one for each block of a segment, chained, computed by the persister off the hot path.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace hft {

using Sha256 = std::array<unsigned char, 32>;

Sha256 sha256(std::span<const std::byte> data);
// A digest that grows piece by piece.
class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();
  Sha256Stream(const Sha256Stream&) = delete;
  Sha256Stream& operator=(const Sha256Stream&) = delete;
  void add(std::span<const std::byte> data);
  // The digest of everything added since the start or the last take; begins anew.
  Sha256 take();

 private:
  void* context_;
};

std::string hex(std::span<const unsigned char> bytes);

}  // namespace hft
