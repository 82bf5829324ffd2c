// One thread, one epoll: sources are told what happened; closing is deferred to the end of a round.
//
// A round is one wait and what it reported. What a wait did not report was not there when it began (epoll(7),
// level-triggered), and that is how old the next thing there may be: see waiting.h.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"

namespace hft::gateway {

class Source {
 public:
  virtual ~Source() = default;
  virtual void on_events(std::uint32_t events) = 0;
};

class Loop {
 public:
  Loop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

  bool add(int fd, std::uint32_t events, Source& source) { return control(EPOLL_CTL_ADD, fd, events, &source); }
  bool change(int fd, std::uint32_t events, Source& source) { return control(EPOLL_CTL_MOD, fd, events, &source); }
  void remove(int fd) { control(EPOLL_CTL_DEL, fd, 0, nullptr); }

  // Keeps a source alive until the round is over: later events of the same round may still point to it.
  void bury(std::unique_ptr<Source> source) { graveyard_.push_back(std::move(source)); }

  void stop() { is_stopped_ = true; }

  std::uint64_t round() const { return round_; }
  // When the wait of the round before this one began.
  std::uint64_t waited_before_ns() const { return waited_before_ns_; }

  void run() {
    while (!is_stopped_) {
      epoll_event events[64];
      waited_before_ns_ = waited_ns_;
      waited_ns_ = base::monotonic_ns();
      ++round_;
      const int count = ::epoll_wait(epoll_.get(), events, 64, -1);
      for (int index = 0; index < count; ++index)
        static_cast<Source*>(events[index].data.ptr)->on_events(events[index].events);
      graveyard_.clear();
    }
  }

 private:
  bool control(int operation, int fd, std::uint32_t events, Source* source) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = source;
    return ::epoll_ctl(epoll_.get(), operation, fd, &event) == 0;
  }

  base::Fd epoll_;
  bool is_stopped_ = false;
  std::uint64_t round_ = 0;
  std::uint64_t waited_ns_ = 0;
  std::uint64_t waited_before_ns_ = 0;
  std::vector<std::unique_ptr<Source>> graveyard_;
};

}  // namespace hft::gateway
