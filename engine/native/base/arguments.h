// Command lines of the small programs here: long options, each known by name, with a value or without.
#pragma once

#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>

namespace hft::base {

struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Arguments {
 public:
  Arguments(int count, char** words, std::set<std::string> with_value, std::set<std::string> flags) {
    for (int i = 1; i < count; ++i) {
      const std::string word = words[i];
      if (flags.contains(word)) {
        values_[word] = "";
      } else if (!with_value.contains(word)) {
        throw UsageError("unknown option: " + word);
      } else if (i + 1 == count) {
        throw UsageError(word + ": needs a value");
      } else {
        values_[word] = words[++i];
      }
    }
  }

  [[nodiscard]] bool has(const std::string& name) const { return values_.contains(name); }

  [[nodiscard]] std::string text(const std::string& name, std::string otherwise = {}) const {
    const auto found = values_.find(name);
    return found == values_.end() ? otherwise : found->second;
  }

  template <class Value>
  [[nodiscard]] Value number(const std::string& name, Value otherwise) const {
    const auto found = values_.find(name);
    if (found == values_.end()) return otherwise;
    const std::string& text = found->second;
    Value value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
      throw UsageError(name + ": not a number that fits: " + text);
    }
    return value;
  }

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace hft::base
