// What is asked of the request server, and what is on its way: several requests at once, none of them twice.
//
// A server may answer with less than was asked for, usually with what fits into one datagram. The rest is asked for
// again when nothing of the answer came for `gap_wait_ns`; the next requests are as large as such an answer was, and
// grow again by an eighth with each answer that was whole. So many small requests are under way as keep a fast feed
// from running ahead of its own recovery. A request that nothing came back for ends after `request_timeout_ns`.
#pragma once

#include <algorithm>
#include <array>
#include <optional>

#include "feed/arbiter_config.h"

namespace hft::feed {

// Messages [first, end).
struct Run {
  std::uint64_t first = 0, end = 0;
};

class Recovery {
 public:
  explicit Recovery(const Config& config)
      : gap_wait_ns_(config.gap_wait_ns),
        timeout_ns_(config.request_timeout_ns),
        most_(config.request_count_max),
        piece_(config.request_count_max) {}

  // Nothing is asked for any more; what the server fits into a datagram stays known.
  void clear() { under_way_ = 0; }
  bool is_full() const { return under_way_ == asked_.size(); }

  // Of this hole the first part that is not asked for, as large as one request may be.
  std::optional<Run> open_part(std::uint64_t first, std::uint64_t end) const {
    for (bool moved = true; moved && first < end;) {
      moved = false;
      for_each([&](const Asked& asked) {
        if (asked.rest.first > first || first >= asked.rest.end) return;
        first = asked.rest.end;
        moved = true;
      });
    }
    if (first >= end) return std::nullopt;
    end = std::min(end, first + piece_);
    for_each([&](const Asked& asked) {
      if (asked.rest.first > first) end = std::min(end, asked.rest.first);
    });
    return Run{first, end};
  }

  void ask(const Run& run, std::uint64_t now_ns) { asked_[under_way_++] = {run, run.end - run.first, now_ns, false}; }

  // Something came from the server.
  void answered(const Run& came, std::uint64_t now_ns) {
    for (std::size_t i = 0; i < under_way_; ++i) {
      Asked& asked = asked_[i];
      if (came.first >= asked.rest.end || came.end <= asked.rest.first) continue;
      asked.answered = true;
      asked.since_ns = now_ns;
      if (came.first <= asked.rest.first) asked.rest.first = std::min(came.end, asked.rest.end);
      if (asked.rest.first < asked.rest.end) continue;
      piece_ = std::max(piece_, std::min(most_, asked.count + asked.count / 8 + 1));
      remove(i--);
    }
  }

  // Ends what is delivered, what nobody answered in time, and answers that stopped short; true when it ended any.
  bool expire(std::uint64_t expected, std::uint64_t now_ns) {
    const std::size_t before = under_way_;
    for (std::size_t i = 0; i < under_way_; ++i) {
      const Asked& asked = asked_[i];
      const std::uint64_t wait_ns = asked.answered ? gap_wait_ns_ : timeout_ns_;
      const bool is_over = now_ns >= asked.since_ns && now_ns - asked.since_ns >= wait_ns;
      if (asked.rest.end > expected && !is_over) continue;
      const std::uint64_t came = asked.count - (asked.rest.end - asked.rest.first);
      if (is_over && asked.answered && came > 0) piece_ = came;
      remove(i--);
    }
    return under_way_ < before;
  }

  bool covers(std::uint64_t sequence) const {
    bool found = false;
    for_each([&](const Asked& asked) { found = found || (asked.rest.first <= sequence && sequence < asked.rest.end); });
    return found;
  }

 private:
  struct Asked {
    Run rest;                 // what has not come
    std::uint64_t count = 0;  // as it was asked for
    std::uint64_t since_ns = 0;
    bool answered = false;
  };

  template <class Visit>
  void for_each(Visit&& visit) const {
    for (std::size_t i = 0; i < under_way_; ++i) visit(asked_[i]);
  }
  void remove(std::size_t i) { asked_[i] = asked_[--under_way_]; }

  std::uint64_t gap_wait_ns_, timeout_ns_, most_, piece_;
  std::array<Asked, kRequestsUnderWay> asked_{};
  std::size_t under_way_ = 0;
};

}  // namespace hft::feed
