// Both logs and the one sequence that runs through them.
#pragma once

#include <algorithm>
#include <array>
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
  // Since the start, whether or not the line could be written.
  std::uint64_t forwards() const { return forwards_; }
  std::uint64_t refusals() const { return refusals_count_; }
  std::uint64_t refusals_of(Reason reason) const { return refused_[static_cast<std::size_t>(reason)]; }

  // An engine's message that is about to leave. False: not logged.
  bool forward(LogLine line) {
    line.event = "forward";
    if (!put(messages_, line)) return false;
    last_forwarded_ = seq_;
    ++forwards_;
    return true;
  }
  bool event(std::string_view name, LogLine line) {
    line.event = name;
    return put(messages_, line);
  }
  bool refuse(LogLine line, Reason reason) {
    line.event = "refuse";
    line.reason = reason;
    ++refusals_count_;
    ++refused_[static_cast<std::size_t>(reason)];
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
  std::uint64_t forwards_ = 0;
  std::uint64_t refusals_count_ = 0;
  std::array<std::uint64_t, static_cast<std::size_t>(Reason::count_)> refused_{};
};

}  // namespace hft::gateway
