// See takeover.h.
#include "gateway/takeover.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>

#include "base/clock.h"
#include "gateway/engine_link.h"
#include "gateway/hub.h"
#include "gateway/venue_session.h"

namespace hft::gateway {
namespace {

constexpr std::uint64_t kLooksInASilence = 20;
constexpr std::uint64_t kLookLeastNs = 1'000'000;
constexpr std::uint64_t kLookMostNs = 50'000'000;
constexpr std::uint64_t kBeatsInASilence = 5;
constexpr std::uint64_t kTellEveryNs = 5'000'000'000;
constexpr int kPiecesMost = 256;  // of 64 KiB: more than a socket holds

std::string to_ms(std::uint64_t ns) { return std::to_string(ns / base::kNsPerMs) + " ms"; }

}  // namespace

Takeover::Takeover(Hub& hub) : hub_(hub), timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
  hub_.loop.add(timer_.get(), EPOLLIN, *this);
}

// Without a succession the holder is watched all the same, where he beats: that he is gone is worth a page.
std::uint64_t Takeover::silence_ns() const {
  const auto& one = hub_.state.succession;
  const auto usual_ms = kBeatsInASilence * hub_.config.beat_ms;
  return (one ? one->silence_ms : usual_ms) * base::kNsPerMs;
}

std::uint64_t Takeover::look_every_ns() const {
  const auto silence = silence_ns();
  return silence == 0 ? 0 : std::clamp(silence / kLooksInASilence, kLookLeastNs, kLookMostNs);
}

void Takeover::rearm() {
  account(base::monotonic_ns());
  watch_.follow(hub_.gate.epoch.highest());
  gap_most_ns_ = silence_ns() == 0 ? 0 : silence_ns() / kBeatsInASilence + look_every_ns();
  const timespec span{0, static_cast<long>(look_every_ns())};
  const itimerspec timer{span, span};
  ::timerfd_settime(timer_.get(), 0, &timer, nullptr);
}

bool Takeover::is_holder(const EngineLink& link) const {
  const auto& party = link.party();
  return party.is_claimed && party.egress != Egress::shadow && party.epoch == hub_.gate.epoch.highest();
}

void Takeover::heard(const EngineLink& link) {
  if (!is_holder(link)) return;
  watch_.follow(link.party().epoch);
  watch_.heard(base::monotonic_ns());
  if (link.beat()) holder_feed_ = link.beat()->next_feed;
}

void Takeover::logged_in(const EngineLink& link) {
  if (!is_holder(link)) return;
  watch_.follow(link.party().epoch);
  watch_.logged_in(base::monotonic_ns(), link.will_beat());
}

void Takeover::ended(const EngineLink& link) {
  if (!is_holder(link) || watch_.epoch() != link.party().epoch) return;
  account(base::monotonic_ns());
  watch_.ended(base::monotonic_ns(), silence_ns());
}

void Takeover::left(const EngineLink& link) {
  if (is_holder(link)) watch_.left();
}

void Takeover::read_again(const EngineLink& link) {
  if (is_holder(link)) restart();
}

void Takeover::restart() { watch_.count_anew(base::monotonic_ns()); }

void Takeover::on_events(std::uint32_t) {
  std::uint64_t expired = 0;
  if (::read(timer_.get(), &expired, sizeof expired) <= 0) return;
  look(base::monotonic_ns());
}

void Takeover::account(std::uint64_t now_ns) {
  const auto busy = busy_time_.ns();
  const auto gap = now_ns - seen_ns_;
  const auto spent = busy && busy_ns_ ? std::optional(*busy - *busy_ns_) : std::nullopt;
  const auto late = gap_most_ns_ == 0 ? Lateness::none : lateness(gap, spent, gap_most_ns_);
  seen_ns_ = now_ns;
  busy_ns_ = busy;
  if (late == Lateness::none) return;
  ++late_looks_;
  if (late == Lateness::starved) return watch_.was_starved(now_ns, gap - gap_most_ns_, silence_ns());
  ++stops_;
  watch_.stood_still(now_ns, gap, silence_ns());
}

HolderWatch::Verdict Takeover::judged(std::uint64_t now_ns) const {
  return watch_.verdict(now_ns, silence_ns(), hub_.config.end_grace_ms * base::kNsPerMs);
}

void Takeover::look(std::uint64_t now_ns) {
  watch_.follow(hub_.gate.epoch.highest());
  account(now_ns);
  auto verdict = judged(now_ns);
  if (verdict == HolderWatch::Verdict::silent) verdict = listen(now_ns);
  if (verdict == HolderWatch::Verdict::heard) {
    held_off_by_ = Reason::ok;
    return;
  }
  const auto& fence = hub_.gate.epoch.fence();
  const auto& one = hub_.state.succession;
  TakeoverSeen seen{.epoch = fence.epoch,
                    .holder = fence.holder,
                    .now_s = base::realtime_ns() / 1'000'000'000,
                    .is_paused = hub_.holds.is_held(now_ns),
                    .is_session_up = hub_.has_sessions(),
                    .is_latched = false,
                    .successor = {}};
  EngineLink* successor = nullptr;
  if (one) {
    successor = find_successor(*one, seen.successor);
    const auto next = next_epoch(fence.epoch, hub_.config.residue);
    seen.is_latched = hub_.gate.latch.stops({one->successor, {}, {}}) ||
                      (successor != nullptr && hub_.is_promotion_barred(successor->slot(), one->successor, next));
  }
  const auto reason = may_succeed(one, seen);
  if (reason == Reason::ok) move(*successor, verdict, now_ns);
  else tell(reason, verdict, now_ns);
}

// What the holder has sent and nobody has read yet counts, however much it is; a link that is not read now says nothing
// about him.
HolderWatch::Verdict Takeover::listen(std::uint64_t now_ns) {
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, link] : hub_.links)
    if (is_holder(*link)) numbers.push_back(number);
  for (const auto number : numbers) {
    auto found = hub_.links.find(number);
    for (int piece = 0; piece < kPiecesMost && found != hub_.links.end() && found->second->has_unread(); ++piece) {
      found->second->on_events(EPOLLIN);
      found = hub_.links.find(number);
      if (judged(now_ns) != HolderWatch::Verdict::silent) break;
    }
    if (found != hub_.links.end() && !found->second->is_reading()) watch_.count_anew(now_ns);
  }
  return judged(base::monotonic_ns());
}

EngineLink* Takeover::find_successor(const Succession& succession, SuccessorSeen& seen) const {
  const auto now = base::monotonic_ns();
  EngineLink* found = nullptr;
  for (const auto& [number, link] : hub_.links) {
    const auto& party = link->party();
    if (!link->is_waiting() || party.holder != succession.successor || party.egress == Egress::shadow) continue;
    found = link.get();  // the newest one
    const auto& runs = succession.approved;
    const auto beat = link->beat().value_or(link::Beat{});
    seen = {.is_linked = true,
            .is_beating = link->beat().has_value() && now - link->heard_ns() < silence_ns(),
            .is_standby = beat.is_standby,
            .is_fresh = beat.is_fresh,
            .is_latched = beat.is_latched,
            .is_approved = hub_.gate.house.is_test || std::find(runs.begin(), runs.end(), party.runs) != runs.end(),
            .loss_records = holder_feed_ > beat.next_feed ? holder_feed_ - beat.next_feed : 0};
  }
  return found;
}

void Takeover::move(EngineLink& successor, HolderWatch::Verdict verdict, std::uint64_t now_ns) {
  const auto one = *hub_.state.succession;
  const Fence fence{next_epoch(one.epoch_seen, hub_.config.residue), one.successor, one.approved};
  Succeeded made{.epoch = fence.epoch,
                 .epoch_before = one.epoch_seen,
                 .from = one.holder,
                 .to = one.successor,
                 .has_ended = verdict == HolderWatch::Verdict::ended,
                 .silent_ns = watch_.silence_ns(now_ns),
                 .detected_utc_ns = base::realtime_ns()};
  base::Failure failure;
  const auto reason = hub_.fence(fence, failure, &made);
  if (reason != Reason::ok) {
    hub_.not_fenced(fence, reason, failure);
    return tell(reason, verdict, now_ns);
  }
  fence_ns_ = base::monotonic_ns() - now_ns;
  successor.fenced_in(fence.epoch);
  hub_.audit_log.event("takeover", {.party = one.successor,
                                    .epoch = fence.epoch,
                                    .detail = one.holder + (made.has_ended ? ": end of stream, heard " : ": heard ") +
                                              to_ms(made.silent_ns) + " before; fenced in " + to_ms(fence_ns_)});
  ++made_;
  held_off_by_ = Reason::ok;
  hub_.fenced(fence, "the succession of epoch " + std::to_string(one.epoch_seen));
  rearm();
  watch_.heard(base::monotonic_ns());  // he is expected: one who does not come is worth a page, too
}

// Nobody trades, or soon nobody will: said at once when it is news, and again while it lasts.
void Takeover::tell(Reason reason, HolderWatch::Verdict verdict, std::uint64_t now_ns) {
  if (reason == held_off_by_ && now_ns - told_ns_ < kTellEveryNs) return;
  held_off_by_ = reason;
  told_ns_ = now_ns;
  ++held_off_;
  const auto& fence = hub_.gate.epoch.fence();
  const std::string gone = verdict == HolderWatch::Verdict::ended ? "its stream ended" : "it is silent";
  hub_.audit_log.refuse({.party = fence.holder,
                         .epoch = fence.epoch,
                         .detail = "PAGE no failover: " + gone + " for " + to_ms(watch_.silence_ns(now_ns)) + ", and " +
                                   std::string(text_of(reason).sentence)},
                        reason);
}

}  // namespace hft::gateway
