// What holds failovers off for a while: a pause that a person asked for, a freeze of a calendar. Pure.
//
// It expires by itself. While the process lives its own monotonic clock says when; what is kept on disk is UTC, and a
// clock that was set back lengthens a hold by no more than the hold was long.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hft::gateway {

enum class HoldKind : std::uint8_t { pause, freeze };
inline constexpr std::array kHoldKinds{HoldKind::pause, HoldKind::freeze};
inline constexpr std::uint64_t kHoldSecondsMax = 7 * 86'400;

inline std::string_view name_of(HoldKind kind) { return kind == HoldKind::pause ? "pause" : "freeze"; }

inline std::optional<HoldKind> hold_named(std::string_view name) {
  for (const auto kind : kHoldKinds)
    if (name_of(kind) == name) return kind;
  return std::nullopt;
}

struct Hold {
  std::uint64_t until_utc_ns = 0;
  std::uint64_t span_ns = 0;  // as long as it was when it was asked for
  std::string by;
  std::string reason;

  bool operator==(const Hold&) const = default;
};

// At most one of each kind; what is asked for anew replaces the one of its kind.
class Holds {
 public:
  const std::optional<Hold>& of(HoldKind kind) const { return holds_[at(kind)]; }
  std::uint64_t left_ns(HoldKind kind, std::uint64_t now_ns) const {
    return holds_[at(kind)] && ends_ns_[at(kind)] > now_ns ? ends_ns_[at(kind)] - now_ns : 0;
  }
  bool is_held(std::uint64_t now_ns) const {
    return std::any_of(kHoldKinds.begin(), kHoldKinds.end(), [&](auto kind) { return left_ns(kind, now_ns) > 0; });
  }

  // NOW_NS is monotonic; both are the same moment.
  void set(HoldKind kind, Hold hold, std::uint64_t now_ns, std::uint64_t now_utc_ns) {
    const auto left = hold.until_utc_ns > now_utc_ns ? hold.until_utc_ns - now_utc_ns : 0;
    ends_ns_[at(kind)] = now_ns + std::min(left, hold.span_ns);
    holds_[at(kind)] = std::move(hold);
  }
  void lift(HoldKind kind) { holds_[at(kind)].reset(); }

 private:
  static std::size_t at(HoldKind kind) { return static_cast<std::size_t>(kind); }

  std::array<std::optional<Hold>, kHoldKinds.size()> holds_;
  std::array<std::uint64_t, kHoldKinds.size()> ends_ns_{};
};

}  // namespace hft::gateway
