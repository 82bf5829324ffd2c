// Messages of an ITCH file, one after the other, by their length prefix or by their type.
//
// Nasdaq's files are length2 + message. Some files of other origin keep the two bytes but leave them zero; with
// `by_type` the prefix is skipped and the type byte alone says how far a message goes.
#pragma once

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "wire/itch_decode.h"

namespace hft::itch_tool {

inline std::vector<std::uint8_t> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

struct Next {
  Reject framing = Reject::none;  // none, or why the file cannot be followed any further
  Bytes message;
};

class Source {
 public:
  Source(Bytes file, bool by_type) : rest_(file), by_type_(by_type) {}

  bool done() const { return rest_.empty(); }

  Next next() {
    if (rest_.size() < 2) return stop(Reject::too_short);
    const Bytes behind = rest_.subspan(2);
    std::size_t length = load_be<2>(rest_.data());
    if (by_type_) {
      const auto found = itch::check_by_type(behind);
      if (found.why != Reject::none) return stop(found.why);
      length = found.length;
    }
    if (length > behind.size()) return stop(Reject::bad_length);
    rest_ = behind.subspan(length);
    return {Reject::none, behind.first(length)};
  }

 private:
  Next stop(Reject why) {
    rest_ = {};
    return {why, {}};
  }

  Bytes rest_;
  bool by_type_;
};

}  // namespace hft::itch_tool
