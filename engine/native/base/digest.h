// SHA-256 (FIPS 180-4, by libcrypto) and hex digits. Off the hot path.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace hft::base {

using Sha256 = std::array<std::uint8_t, 32>;

// A digest that grows piece by piece.
class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();
  Sha256Stream(const Sha256Stream&) = delete;
  Sha256Stream& operator=(const Sha256Stream&) = delete;
  void add(std::span<const std::byte> data);
  // The digest of everything added since the start or the last take; begins anew.
  [[nodiscard]] Sha256 take();

 private:
  void* context_;
};

[[nodiscard]] Sha256 sha256(std::span<const std::byte> data);
[[nodiscard]] Sha256 sha256(std::string_view text);

[[nodiscard]] std::string hex(std::span<const std::uint8_t> bytes);

// As the house writes it: "sha256:" and 64 hex digits.
[[nodiscard]] std::string digest_of(std::string_view text);

}  // namespace hft::base
