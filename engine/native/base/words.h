// Words that people send: made safe to keep, asked whether they say anything, and searched for the one verb that must
// work however badly the rest is written.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hft::base {

// Printable ASCII of at most BYTES_MAX bytes; whatever else was there is a '?'.
[[nodiscard]] std::string cleaned(std::string_view text, std::size_t bytes_max);

// Whether it names anything: a letter or a digit of ASCII. Blanks, dashes and what cannot be seen do not.
[[nodiscard]] bool has_word(std::string_view text);

// Finds `"verb": "VERB"` in bytes that may be no JSON, cut anywhere, or too long to keep. A quotation in a reason has
// backslashes before its quotes and is not found.
class VerbSpotter {
 public:
  explicit VerbSpotter(std::string_view verb) : wanted_("\"verb\":\"" + std::string(verb) + "\"") {}

  // True from the moment it was there; bytes may come in any pieces.
  bool see(std::string_view bytes);
  [[nodiscard]] bool is_seen() const { return is_seen_; }
  // For the next line.
  void forget();

 private:
  std::string wanted_;
  std::string last_;  // without blanks, no longer than what is wanted
  bool is_seen_ = false;
};

[[nodiscard]] bool spots_verb(std::string_view line, std::string_view verb);

}  // namespace hft::base
