// The gateway's own values as JSON: what hosts and authorities sign, and what the state file keeps.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/json.h"
#include "gateway/admission.h"
#include "gateway/epoch.h"

namespace hft::gateway {

using base::canonical;
using base::Json;
using base::number_at;
using base::parse_object;
using base::text_at;

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
