// Options that the generator and the relay share, read the same way so that a pair of runs cannot differ by them.
#pragma once

#include <string>
#include <vector>

#include "base/arguments.h"
#include "base/net.h"
#include "load/idle.h"

namespace hft::load {

inline std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    parts.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return parts;
}

inline std::vector<base::Endpoint> lines_of(const base::Arguments& arguments) {
  std::vector<base::Endpoint> lines;
  try {
    for (const std::string& line : split(arguments.text("--lines"))) {
      lines.push_back(base::parse_endpoint(line));
      static_cast<void>(base::to_sockaddr(lines.back()));
    }
  } catch (const base::NetError& error) {
    throw base::UsageError(std::string("--lines: ") + error.what());
  }
  if (lines.empty()) throw base::UsageError("--lines ADDRESS:PORT[,ADDRESS:PORT]: at least one");
  return lines;
}

inline Idle idle_of(const base::Arguments& arguments) {
  const auto idle = find_idle(arguments.text("--idle", "backoff"));
  if (!idle) throw base::UsageError("--idle: spin, yield or backoff");
  return *idle;
}

}  // namespace hft::load
