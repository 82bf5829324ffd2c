// The failover that no person starts: the holder falls silent by this gateway's clock, and the successor that the
// authority has named in advance is fenced in. Nobody ready, nothing signed or a hold: nothing moves, and it is said.
//
// A look comes every twentieth of the silence that is allowed. What lies unread in the holder's socket is read before
// he is called silent, and a look that comes late by more than a beat says why (holder_watch.h): whoever waited for a
// CPU goes on counting, whoever stood still begins anew.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/busy_time.h"
#include "base/fd.h"
#include "gateway/holder_watch.h"
#include "gateway/loop.h"
#include "gateway/reason.h"
#include "gateway/succession.h"

namespace hft::gateway {

class EngineLink;
class Hub;

class Takeover : public Source {
 public:
  explicit Takeover(Hub& hub);

  void on_events(std::uint32_t events) override;  // of its timer
  // The epoch, the succession or a hold has changed.
  void rearm();

  // From the links: of the epoch in force, and not a shadow's.
  void heard(const EngineLink& link);
  void logged_in(const EngineLink& link);
  void ended(const EngineLink& link);
  void left(const EngineLink& link);
  // It was not read for a while.
  void read_again(const EngineLink& link);
  // The venue's session came up: nobody was waited for meanwhile.
  void restart();

  const HolderWatch& watch() const { return watch_; }
  std::uint64_t made() const { return made_; }          // takeovers by this process
  std::uint64_t fence_ns() const { return fence_ns_; }  // how long the last one took to be on disk
  std::uint64_t held_off() const { return held_off_; }  // times that somebody had to be told instead
  Reason held_off_by() const { return held_off_by_; }   // `ok` while the holder is heard
  std::uint64_t late_looks() const { return late_looks_; }
  std::uint64_t stops() const { return stops_; }  // of them, those in which this gateway stood still

 private:
  // Before anything is concluded: what became of the time since this loop was seen last.
  void account(std::uint64_t now_ns);
  std::uint64_t silence_ns() const;
  std::uint64_t look_every_ns() const;
  bool is_holder(const EngineLink& link) const;
  void look(std::uint64_t now_ns);
  HolderWatch::Verdict judged(std::uint64_t now_ns) const;
  HolderWatch::Verdict listen(std::uint64_t now_ns);
  EngineLink* find_successor(const Succession& succession, SuccessorSeen& seen) const;
  void move(EngineLink& successor, HolderWatch::Verdict verdict, std::uint64_t now_ns);
  void tell(Reason reason, HolderWatch::Verdict verdict, std::uint64_t now_ns);

  Hub& hub_;
  base::Fd timer_;
  HolderWatch watch_;
  std::uint64_t holder_feed_ = 0;  // what the holder waited for when it was heard last
  base::BusyTime busy_time_;
  std::optional<std::uint64_t> busy_ns_;
  std::uint64_t seen_ns_ = 0;      // when this loop was seen last
  std::uint64_t gap_most_ns_ = 0;  // so long may it be until it is seen again; 0: nobody is watched
  std::uint64_t told_ns_ = 0;
  Reason held_off_by_ = Reason::ok;
  std::uint64_t made_ = 0;
  std::uint64_t fence_ns_ = 0;
  std::uint64_t held_off_ = 0;
  std::uint64_t late_looks_ = 0;
  std::uint64_t stops_ = 0;
};

}  // namespace hft::gateway
