// Seeded random histories of fences, claims, latches and messages against a model that is written differently:
// the model keeps the whole history and asks it, the gate keeps only the newest state.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "gateway/admission.h"

namespace hft::gateway {
namespace {

constexpr int kHistories = 2000;
constexpr int kSteps = 60;

struct History {
  std::vector<std::uint64_t> fences;
  std::vector<bool> latches;  // true set, false cleared

  bool is_stale(std::uint64_t epoch) const {
    return std::any_of(fences.begin(), fences.end(), [&](auto fence) { return fence > epoch; });
  }
  bool is_latched() const { return !latches.empty() && latches.back(); }
};

struct World {
  explicit World(bool is_enforced) {
    gate.house.is_test = true;
    gate.needs_limits = false;
    gate.is_epoch_enforced = is_enforced;
    for (int index = 0; index < 3; ++index) parties.push_back(fresh());
  }
  static Party fresh() { return {Egress::test, "a", {}, false, 0, {}, 0}; }

  Gate gate;
  Account account{"ACC1", "s", {}, {}};
  std::vector<Party> parties;
  History history;
  std::uint32_t urn = 0;
  int violations = 0;
  int passed = 0;
};

void fence(World& world, std::mt19937_64& dice) {
  const auto epoch = world.gate.epoch.highest() + dice() % 3;  // sometimes the same again
  if (world.gate.epoch.raise({epoch, "", {}}) != Reason::ok) return;
  world.gate.epoch.made_durable();
  world.history.fences.push_back(epoch);
}

void claim(World& world, std::mt19937_64& dice) {
  auto& party = world.parties[dice() % world.parties.size()];
  if (dice() % 2 == 0) party = World::fresh();
  const auto highest = world.gate.epoch.highest();
  const auto epoch = highest - std::min<std::uint64_t>(highest, dice() % 3);
  const bool is_granted = judge_claim(world.gate, party, epoch, {"a", "", ""}) == Reason::ok;
  if (is_granted && world.history.is_stale(epoch)) ++world.violations;
  if (!is_granted) return;
  party.is_claimed = true;
  party.epoch = epoch;
}

void send(World& world, std::mt19937_64& dice) {
  auto& party = world.parties[dice() % world.parties.size()];
  Message message{dice() % 2 == 0 ? Kind::enter : Kind::cancel, 'O', ++world.urn, 0, 'B', 1, 1, "AAPL", {}};
  if (judge(world.gate, party, world.account, message, {}) != Reason::ok) return;
  forwarded(world.gate, party, world.account, message, {});
  ++world.passed;
  if (world.history.is_stale(party.epoch)) ++world.violations;
  if (message.kind == Kind::enter && world.history.is_latched()) ++world.violations;
}

void step(World& world, std::mt19937_64& dice) {
  switch (dice() % 8) {
    case 0: return fence(world, dice);
    case 1:
    case 2: return claim(world, dice);
    case 3:
      if (dice() % 4 == 0) {
        world.gate.latch.set({Scope::site, "", "", 0});
        world.history.latches.push_back(true);
      } else {
        world.gate.latch = Latch{};
        world.history.latches.push_back(false);
      }
      return;
    default: return send(world, dice);
  }
}

std::pair<int, int> run(bool is_enforced) {
  int violations = 0;
  int passed = 0;
  for (int seed = 0; seed < kHistories; ++seed) {
    std::mt19937_64 dice(static_cast<std::uint64_t>(seed));
    World world(is_enforced);
    for (int index = 0; index < kSteps; ++index) step(world, dice);
    violations += world.violations;
    passed += world.passed;
  }
  return {violations, passed};
}

TEST(GateModel, NoHistoryLetsAStaleEpochOrALatchedOrderThrough) {
  const auto [violations, passed] = run(true);
  EXPECT_EQ(violations, 0);
  EXPECT_GT(passed, kHistories) << "a gate that refuses everything would pass too";
}

TEST(GateModel, TheModelFindsViolationsOnceEnforcementIsOff) {
  const auto [violations, passed] = run(false);
  EXPECT_GT(violations, kHistories);
}

}  // namespace
}  // namespace hft::gateway
