// JSON lines for decoded messages, packets and book depth; bytes of text fields come out one character each
// (Latin-1), so that a reader gets back exactly what was on the wire.
#pragma once

#include <concepts>
#include <cstdio>
#include <string>

#include "book/book.h"
#include "wire/each.h"

namespace hft::itch_tool {

inline std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char letter : text) {
    const auto byte = static_cast<unsigned char>(letter);
    if (byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\') {
      out += letter;
      continue;
    }
    std::array<char, 8> escape;
    std::snprintf(escape.data(), escape.size(), "\\u%04x", byte);
    out += escape.data();
  }
  return out + "\"";
}

inline std::string json(std::string_view text) { return quoted(text); }
inline std::string json(char letter) { return quoted({&letter, 1}); }
template <std::unsigned_integral Whole>
inline std::string json(Whole number) {
  return std::to_string(number);
}

// All fields of a message behind its type, in wire order.
template <class Message>
std::string json_fields(View<Message> view) {
  std::string out;
  for_each_field<Message>([&](const auto& field) {
    out += ",";
    out += quoted(field.name);
    out += ":";
    out += json(view[field]);
  });
  return out;
}

template <class Message>
std::string json_itch(View<Message> view) {
  std::string out = "{\"type\":" + json(Message::type);
  out += ",\"stock_locate\":" + json(view[itch::locate]);
  out += ",\"tracking_number\":" + json(view[itch::tracking]);
  out += ",\"timestamp\":" + json(view[itch::timestamp]);
  return out + json_fields(view) + "}";
}

// Best level first: [[price, [[reference, shares], ...]], ...]
inline std::string json_side(const book::Book& book, std::uint16_t locate, book::Side side) {
  std::string out;
  book.for_each_level(locate, side, [&](const book::Level& level) {
    std::string orders;
    book.for_each_order(level, [&](const book::Order& order) {
      orders += orders.empty() ? "[" : ",[";
      orders += std::to_string(order.reference) + "," + std::to_string(order.shares) + "]";
    });
    out += out.empty() ? "[" : ",[";
    out += std::to_string(level.price) + ",[" + orders + "]]";
  });
  return "[" + out + "]";
}

inline std::string json_depth(const book::Book& book, std::uint16_t locate) {
  return "\"locate\":" + std::to_string(locate) + ",\"stock\":" + quoted(trimmed(book.stock(locate))) +
         ",\"bids\":" + json_side(book, locate, book::Side::bid) +
         ",\"asks\":" + json_side(book, locate, book::Side::ask);
}

}  // namespace hft::itch_tool
