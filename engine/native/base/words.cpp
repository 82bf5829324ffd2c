// See words.h.
#include "base/words.h"

#include <algorithm>

namespace hft::base {
namespace {

bool is_printable(char letter) { return letter >= ' ' && letter <= '~'; }

bool is_blank(char letter) { return letter == ' ' || letter == '\t' || letter == '\n' || letter == '\r'; }

bool is_alphanumeric(char letter) {
  return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
}

}  // namespace

std::string cleaned(std::string_view text, std::size_t bytes_max) {
  std::string plain(text.substr(0, bytes_max));
  for (char& letter : plain)
    if (!is_printable(letter)) letter = '?';
  return plain;
}

bool has_word(std::string_view text) { return std::any_of(text.begin(), text.end(), is_alphanumeric); }

bool VerbSpotter::see(std::string_view bytes) {
  for (const char letter : bytes) {
    if (is_seen_) break;
    if (is_blank(letter)) continue;
    if (last_.size() == wanted_.size()) last_.erase(0, 1);
    last_.push_back(letter);
    is_seen_ = last_ == wanted_;
  }
  return is_seen_;
}

void VerbSpotter::forget() {
  last_.clear();
  is_seen_ = false;
}

bool spots_verb(std::string_view line, std::string_view verb) { return VerbSpotter(verb).see(line); }

}  // namespace hft::base
