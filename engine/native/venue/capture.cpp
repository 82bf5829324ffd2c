// Reading captures; a file that ends inside a message keeps what came before and says where it broke.
#include "venue/capture.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

namespace hft::venue {

Capture parse_capture(std::vector<std::uint8_t> bytes) {
  Capture capture;
  capture.bytes = std::move(bytes);
  const Bytes all(capture.bytes);
  capture.zero_prefixed = all.size() >= 2 && load_be<2>(all.data()) == 0;
  std::size_t at = 0;
  const auto broken = [&](std::string_view why) {
    capture.problem = std::string(why) + " at byte " + std::to_string(at);
  };
  while (at < all.size() && capture.problem.empty()) {
    if (all.size() - at < 3) {
      broken("cut inside a length prefix");
      break;
    }
    std::size_t length = load_be<2>(all.data() + at);
    const Bytes rest = all.subspan(at + 2);
    if (capture.zero_prefixed) {
      const auto by_type = itch::check_by_type(rest);
      length = by_type.length;
      if (by_type.why != Reject::none) broken(hft::to_text(by_type.why));
    } else if (length > rest.size()) {
      broken("cut inside a message");
    } else if (const Reject why = itch::check(rest.first(length)); why != Reject::none) {
      broken(hft::to_text(why));
    }
    if (!capture.problem.empty()) break;
    capture.messages.push_back({itch::timestamp.load(rest.data()), at + 2, length});
    at += 2 + length;
  }
  return capture;
}

Capture read_capture(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    Capture capture;
    capture.problem = path + ": " + std::strerror(errno);
    return capture;
  }
  Capture capture = parse_capture({std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()});
  if (!capture.problem.empty()) capture.problem = path + ": " + capture.problem;
  return capture;
}

}  // namespace hft::venue
