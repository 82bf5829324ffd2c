// Reading keys and signatures; the arithmetic is OpenSSL's.
#include "base/sshsig.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <optional>

namespace hft::base {
namespace {

constexpr std::string_view kKind = "ssh-ed25519";
constexpr std::string_view kBegin = "-----BEGIN SSH SIGNATURE-----";
constexpr std::string_view kEnd = "-----END SSH SIGNATURE-----";
constexpr std::string_view kMagic = "SSHSIG";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kSignatureBytes = 64;
constexpr std::size_t kArmorBytesMax = 4096;

std::optional<std::string> from_base64(std::string_view text) {
  std::string plain;
  for (const char character : text)
    if (character != '\n' && character != '\r') plain.push_back(character);
  if (plain.empty() || plain.size() % 4 != 0) return std::nullopt;
  std::string bytes(plain.size() / 4 * 3, '\0');
  const int length =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                      reinterpret_cast<const unsigned char*>(plain.data()), static_cast<int>(plain.size()));
  if (length < 0) return std::nullopt;
  const auto padding = static_cast<std::size_t>(std::count(plain.end() - 2, plain.end(), '='));
  bytes.resize(static_cast<std::size_t>(length) - padding);
  return bytes;
}

// The wire's strings: length u32, then so many bytes (RFC 4251, section 5).
class Wire {
 public:
  explicit Wire(std::string_view bytes) : left_(bytes) {}

  std::uint32_t number() {
    const auto bytes = take(4);
    std::uint32_t value = 0;
    for (const char byte : bytes) value = value << 8 | static_cast<std::uint8_t>(byte);
    return value;
  }
  std::string_view text() { return take(number()); }
  std::string_view take(std::size_t bytes) {
    if (bytes > left_.size()) {
      is_good_ = false;
      left_ = {};
      return {};
    }
    const auto taken = left_.substr(0, bytes);
    left_.remove_prefix(bytes);
    return taken;
  }
  bool is_done() const { return is_good_ && left_.empty(); }

 private:
  std::string_view left_;
  bool is_good_ = true;
};

void put_text(std::string& out, std::string_view text) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(text.size() >> shift & 255));
  out.append(text);
}

std::optional<Ed25519Key> key_from(std::string_view blob) {
  Wire wire(blob);
  const auto kind = wire.text();
  const auto bytes = wire.text();
  Ed25519Key key{};
  if (!wire.is_done() || kind != kKind || bytes.size() != key.size()) return std::nullopt;
  std::copy(bytes.begin(), bytes.end(), key.begin());
  return key;
}

struct Signature {
  Ed25519Key key;
  std::string name_space;
  std::string reserved;
  std::string hash;
  std::string bytes;
};

std::optional<std::string> unarmored(std::string_view armored) {
  while (!armored.empty() && (armored.back() == '\n' || armored.back() == '\r')) armored.remove_suffix(1);
  if (armored.size() > kArmorBytesMax || !armored.starts_with(kBegin) || !armored.ends_with(kEnd)) return std::nullopt;
  if (armored.size() < kBegin.size() + kEnd.size()) return std::nullopt;
  armored.remove_prefix(kBegin.size());
  armored.remove_suffix(kEnd.size());
  return from_base64(armored);
}

std::optional<Signature> signature_from(std::string_view armored) {
  const auto blob = unarmored(armored);
  if (!blob) return std::nullopt;
  Wire wire(*blob);
  const auto magic = wire.take(kMagic.size());
  const auto version = wire.number();
  const auto key = key_from(wire.text());
  Signature found{
      key.value_or(Ed25519Key{}), std::string(wire.text()), std::string(wire.text()), std::string(wire.text()), {}};
  Wire inner(wire.text());
  const auto kind = inner.text();
  found.bytes = inner.text();
  const bool is_whole = wire.is_done() && inner.is_done() && magic == kMagic && version == kVersion;
  return is_whole && key && kind == kKind && found.bytes.size() == kSignatureBytes ? std::optional(found)
                                                                                   : std::nullopt;
}

std::optional<std::string> hashed(std::string_view payload, std::string_view hash) {
  const auto* kind = hash == "sha512" ? EVP_sha512() : hash == "sha256" ? EVP_sha256() : nullptr;
  std::string sum(EVP_MAX_MD_SIZE, '\0');
  unsigned length = 0;
  if (kind == nullptr || EVP_Digest(payload.data(), payload.size(), reinterpret_cast<unsigned char*>(sum.data()),
                                    &length, kind, nullptr) != 1)
    return std::nullopt;
  sum.resize(length);
  return sum;
}

bool holds(const Ed25519Key& key, std::string_view message, std::string_view signature) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> owned(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.data(), key.size()), &EVP_PKEY_free);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  if (!owned || !context || EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, owned.get()) != 1)
    return false;
  return EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
                          reinterpret_cast<const unsigned char*>(message.data()), message.size()) == 1;
}

// The next word, up to a blank that is not between quotes.
std::string_view word_of(std::string_view& line) {
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  std::size_t end = 0;
  bool is_quoted = false;
  for (; end < line.size(); ++end) {
    if (line[end] == '"') is_quoted = !is_quoted;
    if (!is_quoted && (line[end] == ' ' || line[end] == '\t')) break;
  }
  const auto word = line.substr(0, end);
  line.remove_prefix(end);
  return word;
}

// The parts of a list of plain names; none when it is empty or one of them is a pattern.
std::vector<std::string> names_in(std::string_view list) {
  std::vector<std::string> names;
  if (list.find_first_of("*?!\"\\") != std::string_view::npos) return {};
  while (!list.empty()) {
    const auto comma = list.find(',');
    names.emplace_back(list.substr(0, comma));
    if (names.back().empty()) return {};
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
  }
  return names;
}

bool is_among(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

AllowedSigners::AllowedSigners(std::string_view text) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
    const auto start = line.find_first_not_of(" \t");
    if (start == std::string_view::npos || line[start] == '#') continue;
    if (!take(line)) is_whole_ = false;
  }
}

bool AllowedSigners::take(std::string_view text) {
  constexpr std::string_view kNamespaces = "namespaces=\"";
  Line line;
  line.principals = names_in(word_of(text));
  auto kind = word_of(text);
  if (kind.starts_with(kNamespaces) && kind.ends_with('"') && kind.size() > kNamespaces.size()) {
    line.namespaces = names_in(kind.substr(kNamespaces.size(), kind.size() - kNamespaces.size() - 1));
    if (line.namespaces.empty()) return false;
    kind = word_of(text);
  }
  const auto blob = from_base64(word_of(text));
  const auto key = kind == kKind && blob ? key_from(*blob) : std::nullopt;
  if (!key || line.principals.empty()) return false;
  line.key = *key;
  lines_.push_back(std::move(line));
  return true;
}

bool AllowedSigners::Line::allows(std::string_view principal, std::string_view name_space) const {
  return is_among(principals, principal) && (namespaces.empty() || is_among(namespaces, name_space));
}

bool AllowedSigners::has_key(std::string_view principal, std::string_view name_space) const {
  return std::any_of(lines_.begin(), lines_.end(),
                     [&](const Line& line) { return line.allows(principal, name_space); });
}

bool AllowedSigners::is_signed(std::string_view principal, std::string_view name_space, std::string_view payload,
                               std::string_view armored) const {
  const auto signature = signature_from(armored);
  if (!signature || signature->name_space != name_space) return false;
  const bool may = std::any_of(lines_.begin(), lines_.end(), [&](const Line& line) {
    return line.key == signature->key && line.allows(principal, name_space);
  });
  const auto sum = may ? hashed(payload, signature->hash) : std::nullopt;
  if (!sum) return false;
  std::string message(kMagic);
  for (const auto& part : {signature->name_space, signature->reserved, signature->hash, *sum}) put_text(message, part);
  return holds(signature->key, message, signature->bytes);
}

}  // namespace hft::base
