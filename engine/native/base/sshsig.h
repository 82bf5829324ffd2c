// OpenSSH signatures (SSHSIG) by Ed25519 keys, checked in this process: no child, no file, about a tenth of a
// millisecond. For whoever must not wait for anything before he acts on a signed order.
//
// Format: PROTOCOL.sshsig of OpenSSH; the file of keys: ALLOWED SIGNERS of ssh-keygen(1). A line with anything that is
// not understood here (another kind of key, a pattern, an option beside `namespaces`) allows nothing here, and is told:
// base/signature.h asks ssh-keygen itself.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hft::base {

using Ed25519Key = std::array<std::uint8_t, 32>;

// An allowed_signers file as it was when it was read.
class AllowedSigners {
 public:
  AllowedSigners() = default;
  explicit AllowedSigners(std::string_view text);

  // Whether every line was understood, so that `is_signed` says what ssh-keygen would say.
  [[nodiscard]] bool is_whole() const { return is_whole_; }
  // Whether PRINCIPAL has a key here that may sign for NAMESPACE.
  [[nodiscard]] bool has_key(std::string_view principal, std::string_view name_space) const;
  // Whether PRINCIPAL signed exactly PAYLOAD for NAMESPACE, with a key that may.
  [[nodiscard]] bool is_signed(std::string_view principal, std::string_view name_space, std::string_view payload,
                               std::string_view armored) const;

 private:
  struct Line {
    std::vector<std::string> principals;
    std::vector<std::string> namespaces;  // none: every one
    Ed25519Key key;
    bool allows(std::string_view principal, std::string_view name_space) const;
  };

  bool take(std::string_view line);

  std::vector<Line> lines_;
  bool is_whole_ = true;
};

}  // namespace hft::base
