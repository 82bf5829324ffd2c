// What the public sees: each book event of the matching core as the one ITCH message that says it.
#pragma once

#include <array>
#include <cstdint>

#include "venue/directory.h"
#include "venue/order.h"
#include "wire/itch.h"

namespace hft::venue {

inline constexpr std::uint64_t kDayNs = 86'400ULL * 1'000'000'000ULL;

class Publisher {
 public:
  explicit Publisher(const Directory& directory) : directory_(directory) {}

  // Empty for events that are only for the owner. The bytes live until the next call.
  Bytes encode(const Event& event, std::uint64_t now_ns);
  Bytes system_event(char code, std::uint64_t now_ns);
  Bytes stock_directory(Symbol symbol, std::uint64_t now_ns);
  Bytes trading_action(Symbol symbol, char state, std::uint64_t now_ns);

 private:
  template <class Message>
  Writer<Message> begin(std::uint16_t locate, std::uint64_t now_ns);
  Bytes add(const Event& event, std::uint64_t now_ns);

  const Directory& directory_;
  std::array<std::uint8_t, itch::kMessageBytesMax> buffer_{};
};

}  // namespace hft::venue
