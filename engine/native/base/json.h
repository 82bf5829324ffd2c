// JSON from people, files and sockets: read without trusting it, and written in the one form that is hashed and signed.
//
// `canonical` is that form everywhere in the house: sorted keys, no spaces, UTF-8, which is what Python's
// json.dumps(sort_keys=True, separators=(",", ":"), ensure_ascii=False) writes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/config_error.h"

namespace hft::base {

using Json = nlohmann::json;

[[nodiscard]] inline std::optional<Json> parse_object(std::string_view text) {
  auto parsed = Json::parse(text, nullptr, false);
  if (!parsed.is_object()) return std::nullopt;
  return parsed;
}

[[nodiscard]] inline std::string canonical(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

[[nodiscard]] inline std::optional<std::string> text_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

[[nodiscard]] inline std::optional<std::uint64_t> number_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_unsigned()) return std::nullopt;
  return found->get<std::uint64_t>();
}

// How a program says it, behind the key. '#' stands for what was found, '$' for the most that is allowed.
struct JsonWords {
  const char* missing;
  const char* not_text;
  const char* not_number;
  const char* out_of_range;
  const char* not_a_choice;
  const char* unknown;
};

// The keys of one object, each read strictly: what is absent, of another type or out of its range throws ConfigError.
class JsonReader {
 public:
  JsonReader(const Json& object, std::string where, const JsonWords& words)
      : object_(object), where_(std::move(where)), words_(words) {}

  [[nodiscard]] const Json& json() const { return object_; }
  [[nodiscard]] const std::string& where() const { return where_; }
  [[nodiscard]] bool has(const std::string& key) const { return object_.contains(key); }

  [[noreturn]] void complain(const std::string& key, const std::string& what) const {
    throw ConfigError(where_ + key + what);
  }

  const Json& at(const std::string& key) {
    seen_.insert(key);
    if (!has(key)) complain(key, words_.missing);
    return object_.at(key);
  }

  // Of this type, or the complaint WRONG.
  const Json& at(const std::string& key, Json::value_t type, const char* wrong) {
    seen_.insert(key);
    if (!has(key) || object_.at(key).type() != type) complain(key, wrong);
    return object_.at(key);
  }

  std::string text(const std::string& key) {
    const Json& value = at(key);
    if (!value.is_string()) complain(key, words_.not_text);
    return value.get<std::string>();
  }
  std::string text(const std::string& key, const std::string& otherwise) {
    seen_.insert(key);
    return has(key) ? text(key) : otherwise;
  }

  std::string one_of(const std::string& key, std::initializer_list<std::string_view> choices) {
    return checked(key, text(key), choices);
  }
  // The first choice when it is absent.
  std::string one_of_or_first(const std::string& key, std::initializer_list<std::string_view> choices) {
    return checked(key, text(key, std::string(*choices.begin())), choices);
  }

  std::uint64_t number(const std::string& key, std::uint64_t least, std::uint64_t most) {
    const Json& value = at(key);
    if (!value.is_number_unsigned()) complain(key, filled(words_.not_number, "", most));
    const auto got = value.get<std::uint64_t>();
    if (got < least || got > most) complain(key, filled(words_.out_of_range, std::to_string(got), most));
    return got;
  }
  std::uint64_t number_or(const std::string& key, std::uint64_t most, std::uint64_t otherwise) {
    seen_.insert(key);
    return has(key) ? number(key, 0, most) : otherwise;
  }

  // Leaves INTO alone when the key is absent.
  template <class Value>
  void get(const std::string& key, Value& into) {
    seen_.insert(key);
    if (!has(key)) return;
    if constexpr (std::is_unsigned_v<Value> && !std::is_same_v<Value, bool>) {
      into = static_cast<Value>(number(key, 0, std::numeric_limits<Value>::max()));
    } else {
      try {
        into = object_.at(key).get<Value>();
      } catch (const Json::exception&) {
        complain(key, words_.not_text);
      }
    }
  }

  // Every key must be one of these, or be one that was read.
  void only(std::initializer_list<std::string_view> known) const {
    for (const auto& [key, value] : object_.items()) {
      if (std::find(known.begin(), known.end(), key) == known.end()) complain(key, words_.unknown);
    }
  }
  void refuse_others() const {
    for (const auto& [key, value] : object_.items()) {
      if (!seen_.contains(key)) complain(key, words_.unknown);
    }
  }

 private:
  std::string checked(const std::string& key, std::string chosen, std::initializer_list<std::string_view> choices) {
    if (std::find(choices.begin(), choices.end(), chosen) != choices.end()) return chosen;
    complain(key, filled(words_.not_a_choice, chosen, 0));
  }

  static std::string filled(std::string_view phrase, std::string_view found, std::uint64_t most) {
    std::string text;
    for (const char letter : phrase) {
      if (letter == '#') text += found;
      else if (letter == '$') text += std::to_string(most);
      else text += letter;
    }
    return text;
  }

  const Json& object_;
  std::string where_;
  const JsonWords& words_;
  std::set<std::string> seen_;
};

}  // namespace hft::base
