// States of the engine: a table of edges with their triggers, as in engine/contract/states.py.
//
// Whatever is not in the table is refused and changes nothing. Shadow is an egress mode and not a state.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace hft::core {

enum class State : std::uint8_t { init, syncing, standby, active, reducing, halted, draining, stopped };
constexpr std::size_t kStates = 8;

enum class Trigger : std::uint8_t {
  start,
  feed_fresh,
  feed_lost,
  promote,
  reduce,
  daily_loss,
  repeated_executions,
  resume,
  demote,
  stale_epoch,
  kill,
  latch_unreadable,
  unkill,
  drain,
  drained,
  drain_timeout,
  force,
};

struct Edge {
  State from;
  State to;
  Trigger trigger;
};

constexpr std::array kEdges = std::to_array<Edge>({
    {State::init, State::syncing, Trigger::start},
    {State::syncing, State::standby, Trigger::feed_fresh},
    {State::standby, State::syncing, Trigger::feed_lost},
    {State::standby, State::active, Trigger::promote},
    {State::active, State::reducing, Trigger::reduce},
    {State::active, State::reducing, Trigger::daily_loss},
    {State::active, State::reducing, Trigger::repeated_executions},
    {State::active, State::reducing, Trigger::feed_lost},
    {State::reducing, State::active, Trigger::resume},
    {State::active, State::standby, Trigger::demote},
    {State::active, State::standby, Trigger::stale_epoch},
    {State::reducing, State::standby, Trigger::demote},
    {State::reducing, State::standby, Trigger::stale_epoch},
    {State::init, State::halted, Trigger::kill},
    {State::init, State::halted, Trigger::latch_unreadable},
    {State::syncing, State::halted, Trigger::kill},
    {State::standby, State::halted, Trigger::kill},
    {State::active, State::halted, Trigger::kill},
    {State::reducing, State::halted, Trigger::kill},
    {State::draining, State::halted, Trigger::kill},
    {State::halted, State::syncing, Trigger::unkill},
    {State::init, State::draining, Trigger::drain},
    {State::syncing, State::draining, Trigger::drain},
    {State::standby, State::draining, Trigger::drain},
    {State::active, State::draining, Trigger::drain},
    {State::reducing, State::draining, Trigger::drain},
    {State::halted, State::draining, Trigger::drain},
    {State::draining, State::stopped, Trigger::drained},
    {State::draining, State::stopped, Trigger::drain_timeout},
    {State::draining, State::stopped, Trigger::force},
});

constexpr std::string_view name_of(State state) {
  constexpr std::array<std::string_view, kStates> names{"INIT",     "SYNCING", "STANDBY",  "ACTIVE",
                                                        "REDUCING", "HALTED",  "DRAINING", "STOPPED"};
  return names[static_cast<std::size_t>(state)];
}

constexpr std::string_view name_of(Trigger trigger) {
  constexpr std::array<std::string_view, 17> names{
      "start",   "feed_fresh",    "feed_lost",   "promote", "reduce",           "daily_loss", "repeated_executions",
      "resume",  "demote",        "stale_epoch", "kill",    "latch_unreadable", "unkill",     "drain",
      "drained", "drain_timeout", "SIGTERM"};
  return names[static_cast<std::size_t>(trigger)];
}

// The state a trigger leads to from here; the same state when the table has no such edge.
constexpr State next_state(State from, Trigger trigger) {
  for (const Edge& edge : kEdges) {
    if (edge.from == from && edge.trigger == trigger) return edge.to;
  }
  return from;
}

constexpr bool has_edge(State from, Trigger trigger) { return next_state(from, trigger) != from; }

// States in which order messages other than cancels may leave.
constexpr bool may_trade(State state) { return state == State::active || state == State::reducing; }

}  // namespace hft::core
