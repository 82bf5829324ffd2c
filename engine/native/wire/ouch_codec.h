// Decoding and encoding of OUCH 5.0 messages with their appendages, by venue profile.
//
// A decoder for profile `any` takes a message with or without the appendage length, since real captures carry
// Cancel as 9 bytes and Canceled as 18. A decoder or an encoder for one profile follows that profile's text.
#pragma once

#include <optional>

#include "wire/ouch.h"

namespace hft::ouch {

// Option tags, appendix B of the specification.
enum Tag : std::uint8_t {
  kSecondaryOrderReference = 1,
  kFirm = 2,
  kMinQuantity = 3,
  kCustomerType = 4,
  kMaxFloor = 5,
  kPriceType = 6,
  kPegOffset = 7,
  kDiscretionPrice = 9,
  kDiscretionPriceType = 10,
  kDiscretionPegOffset = 11,
  kPostOnly = 12,
  kRandomReserves = 13,
  kRoute = 14,
  kExpireTime = 15,
  kTradeNow = 16,
  kHandleInstruction = 17,
  kBboWeight = 18,
  kDisplayQuantity = 22,
  kDisplayPrice = 23,
  kGroupId = 24,
  kSharesLocated = 25,
};

struct Option {
  std::uint8_t tag;
  Bytes value;
};

// A message whose bytes were checked: its type, its fixed part and its option elements.
struct Message {
  Reject why = Reject::empty;
  char type = 0;
  bool has_appendage_length = false;
  Bytes fixed;
  Bytes options;

  template <class M>
  bool is() const {
    return why == Reject::none && type == M::type;
  }
  template <class M>
  View<M> as() const {
    return View<M>(fixed.data());
  }
};

// Elements are length1 (of what follows) tag1 value; each must hold a tag, and together they fill the bytes.
constexpr bool options_tile(Bytes options) {
  while (!options.empty()) {
    const std::size_t length = options[0];
    if (length == 0 || length >= options.size()) return false;
    options = options.subspan(1 + length);
  }
  return true;
}

// Call `take(Option)` for each element of checked option bytes.
template <class Take>
void for_each_option(Bytes options, Take&& take) {
  while (!options.empty()) {
    const std::size_t length = options[0];
    take(Option{options[1], options.subspan(2, length - 1)});
    options = options.subspan(1 + length);
  }
}

inline std::optional<Bytes> find_option(Bytes options, std::uint8_t tag) {
  std::optional<Bytes> found;
  for_each_option(options, [&](const Option& option) {
    if (option.tag == tag && !found) found = option.value;
  });
  return found;
}

constexpr bool knows(Profile profile, Appendage appendage) {
  return appendage != Appendage::later_only || profile != Profile::ouch5_2023_05;
}

// Does a message of this kind carry an appendage length when written for this profile?
constexpr bool carries_appendage(Profile profile, Appendage appendage) {
  switch (appendage) {
    case Appendage::none: return false;
    case Appendage::always:
    case Appendage::later_only: return true;
    case Appendage::later: break;
  }
  return profile == Profile::ouch5_later;
}

// Bytes of a message of this type with an empty appendage, as written for this profile.
template <class M>
constexpr std::size_t wire_length(Profile profile) {
  return M::length + (carries_appendage(profile, M::appendage) ? 2 : 0);
}

namespace detail {

struct Shape {
  std::uint8_t length = 0;
  Appendage appendage = Appendage::none;
};

template <class... Messages>
constexpr std::array<Shape, 256> shapes_of(MessageList<Messages...>) {
  static_assert((tiles(Messages::fields, 1, Messages::length) && ...), "a field is misplaced");
  std::array<Shape, 256> shapes{};
  ((shapes[static_cast<std::uint8_t>(Messages::type)] = {Messages::length, Messages::appendage}), ...);
  return shapes;
}

inline constexpr auto kInboundShapes = shapes_of(Inbound{});
inline constexpr auto kOutboundShapes = shapes_of(Outbound{});

// May the appendage length be absent in this profile?
constexpr bool may_lack_appendage(Profile profile, Appendage appendage) {
  return appendage == Appendage::none || (appendage == Appendage::later && profile != Profile::ouch5_later);
}

constexpr bool may_have_appendage(Profile profile, Appendage appendage) {
  return carries_appendage(profile == Profile::any ? Profile::ouch5_later : profile, appendage);
}

inline Reject check_appendage(Message& message, Bytes rest) {
  if (rest.size() < 2) return Reject::too_short;
  const std::size_t length = load_be<2>(rest.data());
  rest = rest.subspan(2);
  if (length != rest.size()) return length > rest.size() ? Reject::bad_length : Reject::too_long;
  if (!options_tile(rest)) return Reject::bad_appendage;
  message.has_appendage_length = true;
  message.options = rest;
  return Reject::none;
}

inline Message decode(Bytes bytes, Profile profile, const std::array<Shape, 256>& shapes) {
  Message message;
  if (bytes.empty()) return message;
  message.type = static_cast<char>(bytes[0]);
  const Shape shape = shapes[bytes[0]];
  if (shape.length == 0 || !knows(profile, shape.appendage)) {
    message.why = Reject::unknown_type;
  } else if (bytes.size() < shape.length) {
    message.why = Reject::too_short;
  } else {
    message.fixed = bytes.first(shape.length);
    const Bytes rest = bytes.subspan(shape.length);
    if (rest.empty() && may_lack_appendage(profile, shape.appendage)) {
      message.why = Reject::none;
    } else if (!may_have_appendage(profile, shape.appendage)) {
      message.why = Reject::too_long;
    } else {
      message.why = check_appendage(message, rest);
    }
  }
  return message;
}

}  // namespace detail

// What a venue reads from a client.
inline Message decode_inbound(Bytes bytes, Profile profile = Profile::any) {
  return detail::decode(bytes, profile, detail::kInboundShapes);
}

// What a client reads from a venue.
inline Message decode_outbound(Bytes bytes, Profile profile = Profile::any) {
  return detail::decode(bytes, profile, detail::kOutboundShapes);
}

namespace detail {

template <class Visitor, class... Messages>
void visit(const Message& message, Visitor& visitor, MessageList<Messages...>) {
  static_cast<void>(((message.type == Messages::type && (visitor(message.as<Messages>()), true)) || ...));
}

}  // namespace detail

// Call `visitor(View<M>)` for the one type a checked message is.
template <class Visitor>
void visit_inbound(const Message& message, Visitor&& visitor) {
  if (message.why == Reject::none) detail::visit(message, visitor, Inbound{});
}

template <class Visitor>
void visit_outbound(const Message& message, Visitor&& visitor) {
  if (message.why == Reject::none) detail::visit(message, visitor, Outbound{});
}

// Writes one message and its options into the caller's buffer, in the shape of a profile. The buffer must hold
// wire_length<M>(profile) and the options; `add` says no when an option does not fit or cannot be carried.
template <class M>
class Encoder {
 public:
  Encoder(MutableBytes out, Profile profile)
      : out_(out), carries_(carries_appendage(profile, M::appendage)), used_(wire_length<M>(profile)) {
    fits_ = out_.size() >= used_ && profile != Profile::any && knows(profile, M::appendage);
    if (!fits_) return;
    Writer<M> cleared(out_.data());
    if (carries_) store_be<2>(out_.data() + M::length, 0);
  }

  template <class Field>
  Encoder& set(const Field& field, typename Field::value_type value) {
    if (fits_) field.store(out_.data(), value);
    return *this;
  }

  bool add(std::uint8_t tag, Bytes value) {
    if (!fits_ || !carries_ || value.size() > 254 || out_.size() - used_ < 2 + value.size()) return false;
    out_[used_] = static_cast<std::uint8_t>(1 + value.size());
    out_[used_ + 1] = tag;
    std::copy(value.begin(), value.end(), out_.begin() + static_cast<std::ptrdiff_t>(used_ + 2));
    used_ += 2 + value.size();
    store_be<2>(out_.data() + M::length, used_ - M::length - 2);
    return true;
  }

  template <std::size_t Width>
  bool add_number(std::uint8_t tag, std::uint64_t value) {
    std::array<std::uint8_t, Width> bytes;
    store_be<Width>(bytes.data(), value);
    return add(tag, bytes);
  }

  // Empty when the buffer was too small or the profile has no such message.
  Bytes bytes() const { return fits_ ? Bytes(out_.first(used_)) : Bytes{}; }

 private:
  MutableBytes out_;
  bool carries_;
  bool fits_ = false;
  std::size_t used_;
};

inline std::optional<Profile> profile_of(std::string_view name) {
  if (name == "ouch5-2023-05") return Profile::ouch5_2023_05;
  if (name == "ouch5-later") return Profile::ouch5_later;
  return std::nullopt;
}

constexpr std::string_view to_text(Profile profile) {
  switch (profile) {
    case Profile::ouch5_2023_05: return "ouch5-2023-05";
    case Profile::ouch5_later: return "ouch5-later";
    case Profile::any: break;
  }
  return "any";
}

}  // namespace hft::ouch
