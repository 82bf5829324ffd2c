// OpenSSL's EVP interface, nothing of our own.
#include "journal/seal.h"

#include <openssl/evp.h>

namespace hft {
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

std::string hex(std::span<const unsigned char> bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) {
    text.push_back(digits[byte >> 4]);
    text.push_back(digits[byte & 15]);
  }
  return text;
}

}  // namespace hft
