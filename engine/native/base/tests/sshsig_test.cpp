// Checked against what ssh-keygen made, and against every way to change it.
#include "base/sshsig.h"

#include <gtest/gtest.h>

namespace hft::base {
namespace {

// Made once by `ssh-keygen -t ed25519` and `ssh-keygen -Y sign -n hft-fence`, over the seven bytes of kPayload.
constexpr std::string_view kPayload = "payload";
constexpr std::string_view kKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOFSBbBrZ54f5zvUUaDG5WiRAvk9ktB8UFTd9QMUvgOF";
constexpr std::string_view kOtherKey =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH41uKlt4F4jYX1tr4zLKjTRcAQFpUGcFl35bb47ns2G";
constexpr std::string_view kOtherKind =
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBGMFzhtO33Bzya0T4Y"
    "a/nuNNqxxjMji4GUDhHSmoPEM1aRzg8fSsYC+/XQ3/h5llpmOh3UeGSJ5EqKbAl2h3vHc=";
constexpr std::string_view kSignature =
    "-----BEGIN SSH SIGNATURE-----\n"
    "U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg4VIFsGtnnh/nO9RRoMblaJEC+T\n"
    "2S0HxQVN31AxS+A4UAAAAJaGZ0LWZlbmNlAAAAAAAAAAZzaGE1MTIAAABTAAAAC3NzaC1l\n"
    "ZDI1NTE5AAAAQEKQfh1eYAhxSyoNzO7ltL1syMwMVnNDBEkwCkeSSQbchJWw1KPl+H2r3G\n"
    "jMYn2nfXqoNCZ4BktTlfkU/BkfVQQ=\n"
    "-----END SSH SIGNATURE-----\n";
constexpr std::string_view kSignature256 =
    "-----BEGIN SSH SIGNATURE-----\n"
    "U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg4VIFsGtnnh/nO9RRoMblaJEC+T\n"
    "2S0HxQVN31AxS+A4UAAAAJaGZ0LWZlbmNlAAAAAAAAAAZzaGEyNTYAAABTAAAAC3NzaC1l\n"
    "ZDI1NTE5AAAAQDSROTgEx2u1SzhPFAhwLxNmZDsfGi4wkyhlE4/f9vAnFiUNouovu1RYYm\n"
    "qg6sZ6R21e3FPi71iyB7MQ0PvVmA4=\n"
    "-----END SSH SIGNATURE-----\n";

std::string line(std::string_view principals, std::string_view key, std::string_view options = "") {
  return std::string(principals) + " " + std::string(options) + (options.empty() ? "" : " ") + std::string(key) + "\n";
}

bool says(const std::string& signers, std::string_view signature = kSignature, std::string_view payload = kPayload) {
  return AllowedSigners(signers).is_signed("epoch", "hft-fence", payload, signature);
}

TEST(Sshsig, WhatSshKeygenSignedHolds) {
  EXPECT_TRUE(says(line("epoch", kKey)));
  EXPECT_TRUE(says(line("other,epoch", kKey, "namespaces=\"hft-limits,hft-fence\"")));
  EXPECT_TRUE(says("# who\n\n" + line("epoch", kOtherKey) + line("epoch", std::string(kKey) + " a comment")));
  EXPECT_TRUE(says(line("epoch", kKey), kSignature256)) << "the other hash of the format";
}

TEST(Sshsig, AnotherPayloadKeyPrincipalOrPurposeDoesNot) {
  EXPECT_FALSE(says(line("epoch", kKey), kSignature, "payloae"));
  EXPECT_FALSE(says(line("epoch", kOtherKey)));
  EXPECT_FALSE(says(line("limits", kKey)));
  EXPECT_FALSE(says(line("epoch", kKey, "namespaces=\"hft-limits\"")));
  EXPECT_FALSE(AllowedSigners(line("epoch", kKey)).is_signed("epoch", "hft-limits", kPayload, kSignature));
  EXPECT_FALSE(says(""));
}

TEST(Sshsig, EveryChangedOrMissingCharacterOfASignatureIsNoticed) {
  const std::string good(kSignature);
  const AllowedSigners signers(line("epoch", kKey));
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t at = 0; at + 1 < good.size(); ++at) {
    auto changed = good;
    const auto digit = digits.find(changed[at]);
    changed[at] = digit == std::string::npos ? 'A' : digits[digit ^ 32];  // the highest bit that it carries
    EXPECT_FALSE(signers.is_signed("epoch", "hft-fence", kPayload, changed)) << at;
    if (good[at] == '\n') continue;
    EXPECT_FALSE(signers.is_signed("epoch", "hft-fence", kPayload, good.substr(0, at))) << at;
  }
  for (const std::string_view bad : {"", "-----BEGIN SSH SIGNATURE-----", "-----BEGIN SSH SIGNATURE----------END SSH",
                                     "-----BEGIN SSH SIGNATURE-----\n=\n-----END SSH SIGNATURE-----"})
    EXPECT_FALSE(says(line("epoch", kKey), bad));
  EXPECT_FALSE(says(line("epoch", kKey), std::string(100'000, 'A')));
}

TEST(Sshsig, ALineThatIsNotUnderstoodAllowsNothingAndIsTold) {
  for (const auto& odd :
       {line("epoch", kOtherKind), line("*", kKey), line("!epoch,epoch", kKey), line("epoch", kKey, "cert-authority"),
        line("epoch", kKey, "valid-before=\"20200101\""), line("epoch", kKey, "namespaces=\"hft-*\""),
        line("epoch", kKey, "namespaces=\"\""), line("\"epoch\"", kKey), line("epoch", kKey.substr(0, 60)),
        std::string("epoch\n"), std::string("epoch ssh-ed25519\n")}) {
    const AllowedSigners signers(odd);
    EXPECT_FALSE(signers.is_whole()) << odd;
    EXPECT_FALSE(signers.has_key("epoch", "hft-fence")) << odd;
    EXPECT_FALSE(signers.is_signed("epoch", "hft-fence", kPayload, kSignature)) << odd;
    EXPECT_TRUE(says(odd + line("epoch", kKey))) << "the lines beside it count: " << odd;
  }
  EXPECT_TRUE(AllowedSigners(line("epoch", kKey) + "# end\n").is_whole());
}

}  // namespace
}  // namespace hft::base
