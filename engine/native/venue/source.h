// Where public messages come from besides the engines' own orders: a capture on its schedule, or a synthetic
// market at a rate. A source knows when its next datagram is due; the loop decides how long to sleep.
#pragma once

#include <memory>

#include "venue/capture.h"
#include "venue/config.h"
#include "venue/feed.h"

namespace hft::venue {

inline constexpr std::uint64_t kNever = UINT64_MAX;  // due at no time

class Source {
 public:
  virtual ~Source() = default;
  virtual void start(std::uint64_t now_ns) = 0;
  // When the next datagram is due; kNever when there is none (any more).
  [[nodiscard]] virtual std::uint64_t due_ns() const = 0;
  virtual void send_one(Exchange& exchange, Feed& feed) = 0;
  [[nodiscard]] virtual std::uint64_t sent() const = 0;
};

// Null for SourceKind::none; throws ConfigError for a capture that cannot be read to its end.
std::unique_ptr<Source> make_source(const SourceConfig& config, Exchange& exchange);

}  // namespace hft::venue
