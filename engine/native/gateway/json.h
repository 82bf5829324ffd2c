// JSON between the gateway and people, hosts and authorities: reading what came in without trusting it.
//
// `canonical` is the form that is hashed and signed everywhere in the house: sorted keys, no spaces, UTF-8, which
// is what Python's json.dumps(sort_keys=True, separators=(",", ":"), ensure_ascii=False) writes.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/admission.h"
#include "gateway/epoch.h"

namespace hft::gateway {

using Json = nlohmann::json;

inline std::optional<Json> parse_object(std::string_view text) {
  auto parsed = Json::parse(text, nullptr, false);
  if (!parsed.is_object()) return std::nullopt;
  return parsed;
}

inline std::string canonical(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

inline std::optional<std::string> text_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

inline std::optional<std::uint64_t> number_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_unsigned()) return std::nullopt;
  return found->get<std::uint64_t>();
}

inline Json to_json(const Approval& runs) {
  return {{"artifact", runs.artifact}, {"config", runs.config}, {"limits", runs.limits}};
}

inline std::optional<Approval> approval_from(const Json& value) {
  if (!value.is_object()) return std::nullopt;
  const auto artifact = text_at(value, "artifact");
  const auto config = text_at(value, "config");
  const auto limits = text_at(value, "limits");
  if (!artifact || !config || !limits) return std::nullopt;
  return Approval{*artifact, *config, *limits};
}

// What the epoch authority signs, and what the state file keeps.
inline Json to_json(const Fence& fence) {
  auto approved = Json::array();
  for (const auto& runs : fence.approved) approved.push_back(to_json(runs));
  return {{"epoch", fence.epoch}, {"holder", fence.holder}, {"approved", approved}};
}

inline std::optional<Fence> fence_from(const Json& object) {
  const auto epoch = number_at(object, "epoch");
  const auto holder = text_at(object, "holder");
  const auto approved = object.find("approved");
  if (!epoch || !holder || approved == object.end() || !approved->is_array()) return std::nullopt;
  Fence fence{*epoch, *holder, {}};
  for (const auto& entry : *approved) {
    const auto runs = approval_from(entry);
    if (!runs) return std::nullopt;
    fence.approved.push_back(*runs);
  }
  return fence;
}

}  // namespace hft::gateway
