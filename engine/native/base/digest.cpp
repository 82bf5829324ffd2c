// OpenSSL's EVP interface, nothing of our own.
#include "base/digest.h"

#include <openssl/evp.h>

namespace hft::base {
namespace {

EVP_MD_CTX* context_of(void* context) { return static_cast<EVP_MD_CTX*>(context); }

}  // namespace

Sha256Stream::Sha256Stream() : context_(EVP_MD_CTX_new()) {
  EVP_DigestInit_ex(context_of(context_), EVP_sha256(), nullptr);
}

Sha256Stream::~Sha256Stream() { EVP_MD_CTX_free(context_of(context_)); }

void Sha256Stream::add(std::span<const std::byte> data) {
  EVP_DigestUpdate(context_of(context_), data.data(), data.size());
}

Sha256 Sha256Stream::take() {
  Sha256 out{};
  EVP_DigestFinal_ex(context_of(context_), out.data(), nullptr);
  EVP_DigestInit_ex(context_of(context_), EVP_sha256(), nullptr);
  return out;
}

Sha256 sha256(std::span<const std::byte> data) {
  Sha256Stream stream;
  stream.add(data);
  return stream.take();
}

Sha256 sha256(std::string_view text) { return sha256(std::as_bytes(std::span(text))); }

std::string hex(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

std::string digest_of(std::string_view text) { return "sha256:" + hex(sha256(text)); }

}  // namespace hft::base
