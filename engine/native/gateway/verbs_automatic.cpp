// See verbs_automatic.h.
#include "gateway/verbs_automatic.h"

#include "base/clock.h"
#include "base/words.h"

namespace hft::gateway {
namespace {

constexpr std::uint64_t kNsPerS = 1'000'000'000;

struct Person {
  std::string name;
  std::string reason;
  bool is_named() const { return base::has_word(name) && base::has_word(reason); }
};

Person person_in(const Json& request) {
  return {base::cleaned(text_at(request, "operator").value_or(""), kReasonBytesMax),
          base::cleaned(text_at(request, "reason").value_or(""), kReasonBytesMax)};
}

Json holds_of(const Hub& hub) {
  auto holds = Json::object();
  const auto now = base::monotonic_ns();
  for (const auto kind : kHoldKinds) {
    const auto& hold = hub.holds.of(kind);
    const auto left = hub.holds.left_ns(kind, now);
    if (hold && left > 0)
      holds[std::string(name_of(kind))] = {{"left_s", (left + kNsPerS - 1) / kNsPerS},
                                           {"until_utc_ns", hold->until_utc_ns},
                                           {"by", hold->by},
                                           {"reason", hold->reason}};
  }
  return holds;
}

Reason judge(const Hub& hub, const Succession& one) {
  const auto& fence = hub.gate.epoch.fence();
  if (one.epoch_seen != fence.epoch) return Reason::epoch_moved;
  if (one.holder != fence.holder) return Reason::succession_none;
  if (!EpochState::is_usable(next_epoch(fence.epoch, hub.config.residue))) return Reason::succession_malformed;
  if (base::realtime_ns() / kNsPerS >= one.not_after_s) return Reason::succession_expired;
  const bool is_short = hub.config.beat_ms == 0 || one.silence_ms < 5 * hub.config.beat_ms;
  return is_short ? Reason::succession_silence : Reason::ok;
}

void forget(Hub& hub, const Json& request, const Asker& asker, const Reply& reply) {
  const auto person = person_in(request);
  if (!person.is_named()) return reply(refusal(Reason::operator_missing));
  auto next = hub.state;
  next.succession.reset();
  if (const auto failure = hub.keep(std::move(next)); !failure.empty())
    return reply(refusal(Reason::epoch_not_durable, failure));
  hub.audit_log.event("succession_forgotten",
                      {.party = person.name, .detail = person.reason + " (" + who(asker) + ")"});
  reply({{"ok", true}, {"automatic", automatic_of(hub)}});
}

}  // namespace

void run_succession(Hub& hub, const Json& request, const Asker& asker, const Reply& reply) {
  if (!request.contains("succession")) return forget(hub, request, asker, reply);
  const auto one = succession_from(request["succession"]);
  if (!one) return reply(refusal(Reason::succession_malformed));
  auto reason = judge(hub, *one);
  if (!hub.is_authentic(*one, text_at(request, "signature").value_or(""))) reason = Reason::succession_signature;
  base::Failure failure;
  if (reason == Reason::ok) {
    auto next = hub.state;
    next.succession = one;
    failure = hub.keep(std::move(next));
    if (!failure.empty()) reason = Reason::epoch_not_durable;
  }
  if (reason != Reason::ok) {
    hub.audit_log.refuse({.party = one->successor, .epoch = one->epoch_seen, .detail = failure}, reason);
    return reply(refusal(reason, failure));
  }
  hub.audit_log.event("succession", {.party = one->successor, .epoch = one->epoch_seen, .detail = who(asker)});
  reply({{"ok", true}, {"automatic", automatic_of(hub)}});
}

void run_pause(Hub& hub, const Json& request, const Asker& asker, const Reply& reply) {
  const auto kind = hold_named(text_at(request, "kind").value_or("pause"));
  const auto for_s = number_at(request, "for_s").value_or(0);
  const auto person = person_in(request);
  if (!kind || for_s == 0 || for_s > kHoldSecondsMax) return reply(refusal(Reason::hold_malformed));
  if (!person.is_named()) return reply(refusal(Reason::operator_missing));
  const auto now_utc = base::realtime_ns();
  const Hold hold{now_utc + for_s * kNsPerS, for_s * kNsPerS, person.name + " (" + who(asker) + ")", person.reason};
  auto next = hub.state;
  next.holds[static_cast<std::size_t>(*kind)] = hold;
  hub.holds.set(*kind, hold, base::monotonic_ns(), now_utc);  // holds from here on, whatever the disk says
  const auto failure = hub.keep(std::move(next));
  hub.audit_log.event("hold", {.party = person.name,
                               .reason = Reason::paused,
                               .detail = std::string(name_of(*kind)) + " for " + std::to_string(for_s) +
                                         " s: " + person.reason + " (" + who(asker) + ")"});
  reply({{"ok", true}, {"durable", failure.empty()}, {"detail", failure}, {"automatic", automatic_of(hub)}});
}

void run_unpause(Hub& hub, const Json& request, const Asker& asker, const Reply& reply) {
  const auto kind = hold_named(text_at(request, "kind").value_or("pause"));
  const auto person = person_in(request);
  if (!kind) return reply(refusal(Reason::hold_malformed));
  if (!person.is_named()) return reply(refusal(Reason::operator_missing));
  auto next = hub.state;
  next.holds[static_cast<std::size_t>(*kind)].reset();
  if (const auto failure = hub.keep(std::move(next)); !failure.empty())
    return reply(refusal(Reason::epoch_not_durable, "still held: " + failure));
  hub.holds.lift(*kind);
  hub.audit_log.event(
      "hold_lifted",
      {.party = person.name, .detail = std::string(name_of(*kind)) + ": " + person.reason + " (" + who(asker) + ")"});
  reply({{"ok", true}, {"automatic", automatic_of(hub)}});
}

Json automatic_of(const Hub& hub) {
  const auto& takeover = hub.takeover;
  const auto& watch = takeover.watch();
  const auto& one = hub.state.succession;
  auto past = Json::array();
  for (const auto& made : hub.state.succeeded) past.push_back(to_json(made));
  const bool is_held_off = takeover.held_off_by() != Reason::ok;
  return {{"succession", one ? to_json(*one) : Json()},
          {"holds", holds_of(hub)},
          {"beat_ms", hub.config.beat_ms},
          {"holder",
           {{"watched", watch.is_watching()},
            {"stream_ended", watch.has_ended()},
            {"silent_ms", watch.is_watching() ? watch.silence_ns(base::monotonic_ns()) / base::kNsPerMs : 0}}},
          {"held_off_by", is_held_off ? Json(std::string(code_of(takeover.held_off_by()))) : Json()},
          {"takeovers", takeover.made()},
          {"fence_ns", takeover.fence_ns()},
          {"past", past},
          {"pages", takeover.held_off()},
          {"late_looks", takeover.late_looks()},
          {"stops", takeover.stops()}};
}

}  // namespace hft::gateway
