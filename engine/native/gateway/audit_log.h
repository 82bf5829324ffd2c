// Both logs and the one sequence that runs through them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/files.h"
#include "gateway/line_log.h"

namespace hft::gateway {

class AuditLog {
 public:
  base::Failure open(const std::string& directory) {
    for (auto [log, name] : {std::pair{&messages_, "/messages.jsonl"}, std::pair{&refusals_, "/refusals.jsonl"}})
      if (auto failure = log->open(directory + name); !failure.empty()) return failure;
    seq_ = std::max(messages_.last_seq(), refusals_.last_seq());
    last_forwarded_ = messages_.last_seq();
    return {};
  }

  std::uint64_t seq() const { return seq_; }
  std::uint64_t last_forwarded() const { return last_forwarded_; }

  // An engine's message that is about to leave. False: not logged.
  bool forward(LogLine line) {
    line.event = "forward";
    if (!put(messages_, line)) return false;
    last_forwarded_ = seq_;
    return true;
  }
  bool event(std::string_view name, LogLine line) {
    line.event = name;
    return put(messages_, line);
  }
  bool refuse(LogLine line, Reason reason) {
    line.event = "refuse";
    line.reason = reason;
    return put(refusals_, line);
  }

 private:
  bool put(LineLog& log, LogLine& line) {
    line.t_ns = base::realtime_ns();
    line.seq = seq_ + 1;
    if (!log.append(line)) return false;
    seq_ = line.seq;
    return true;
  }

  LineLog messages_;
  LineLog refusals_;
  std::uint64_t seq_ = 0;
  std::uint64_t last_forwarded_ = 0;
};

}  // namespace hft::gateway
