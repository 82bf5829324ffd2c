// The rules in constant time beside the rules as they read: every verdict of a long seeded day must be the same.
//
// The model keeps every order and every message ever sent and looks through all of them each time.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "core/tests/bench.h"

namespace hft::core {
namespace {

using test::Bench;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kSteps = 2'000;  // not optimized, and 20 times as slow
#else
constexpr int kSteps = 30'000;
#endif
constexpr std::array<const char*, 2> kSymbols{"AAPL", "MSFT"};
constexpr std::array<std::uint64_t, 2> kBids{999'900, 499'900}, kAsks{1'000'100, 500'100};

struct Wish {
  std::size_t symbol;
  char side;
  std::uint32_t quantity;
  std::uint64_t price_e4;
  bool operator==(const Wish&) const = default;
};

struct Naive {
  struct Known {
    std::uint32_t urn;
    Wish wish;
    bool live = false;
  };
  struct Sent {
    Wish wish;
    std::uint64_t at_ns;
  };

  Limits limits;
  std::vector<Known> open;
  std::vector<Sent> sent;
  std::vector<std::uint64_t> messages;
  std::array<std::int64_t, 2> position{};

  std::string_view judge(const Wish& wish, std::uint64_t now_ns) const {
    const std::uint64_t value = wish.quantity * wish.price_e4;
    if (wish.quantity == 0 || wish.quantity > limits.order_quantity_max) return "risk.size";
    if (beyond_collar(wish)) return "risk.collar";
    if (value > limits.order_notional_max_e4) return "risk.notional";
    std::uint64_t gross = value;
    std::int64_t worst = position[wish.symbol] * (wish.side == 'B' ? 1 : -1) + wish.quantity;
    bool meets_own = false;
    for (const Known& order : open) {
      gross += order.wish.quantity * order.wish.price_e4;
      if (order.wish.symbol != wish.symbol) continue;
      if (order.wish.side == wish.side) worst += order.wish.quantity;
      else meets_own |= wish.side == 'B' ? wish.price_e4 >= order.wish.price_e4 : wish.price_e4 <= order.wish.price_e4;
    }
    if (gross > limits.gross_notional_max_e4) return "risk.gross";
    if (worst > static_cast<std::int64_t>(limits.position_max)) return "risk.position";
    if (open.size() >= limits.open_orders_max) return "risk.open_orders";
    const std::uint64_t window_ns = limits.duplicate_window_ms * 1'000'000;
    for (const Sent& old : sent) {
      if (old.wish == wish && now_ns - old.at_ns < window_ns) return "risk.duplicate";
    }
    if (meets_own) return "risk.self_trade";
    const auto within = std::count_if(messages.begin(), messages.end(),
                                      [&](std::uint64_t at_ns) { return now_ns - at_ns < 1'000'000'000; });
    return within >= static_cast<std::int64_t>(limits.messages_per_second_max) ? "risk.rate" : "";
  }

  bool beyond_collar(const Wish& wish) const {
    if (wish.side == 'B') return wish.price_e4 * 10'000 > kAsks[wish.symbol] * (10'000 + limits.collar_bps);
    return wish.price_e4 * 10'000 < kBids[wish.symbol] * (10'000 - limits.collar_bps);
  }

  void take(Known& order, std::uint32_t quantity) {
    order.wish.quantity -= std::min(quantity, order.wish.quantity);
    if (order.wish.quantity == 0) open.erase(open.begin() + (&order - open.data()));
  }
};

// One seeded day: a wish or an answer of the venue in each step.
class Day {
 public:
  Day(std::uint64_t seed, const Limits& limits) : random_(seed), bench_(patient(), limits) {
    naive_.limits = limits;
    bench_.go_active();
  }

  void step() {
    bench_.out.clear();
    bench_.now_ns += below(3) == 0 ? below(60) * 1'000'000 : below(3);
    const std::uint64_t what = naive_.open.empty() ? 0 : below(20);
    if (what < 11) return order();
    Naive::Known& known = naive_.open[below(naive_.open.size())];
    if (what == 11) cancel(known);
    else if (what < 14) accept(known);
    else if (what < 16) fill(known);
    else if (what == 16) canceled(known);
    else if (what == 17) replaced(known);
    else if (what == 18) reject(known);
    else restated(known);
  }

  std::map<std::string, int> verdicts;
  std::size_t most_open = 0;

 private:
  static CoreConfig patient() {
    CoreConfig config;
    config.feed_stale_ms = 1'000'000'000;
    return config;
  }
  std::uint64_t below(std::uint64_t end) { return random_() % end; }

  Wish wish() {
    const std::size_t symbol = below(2);
    const char side = below(2) == 0 ? 'B' : 'S';
    const auto quantity = static_cast<std::uint32_t>(below(9));
    return {symbol, side, quantity, (kBids[symbol] + kAsks[symbol]) / 2 + 100 * below(9) - 400};
  }

  void order() {
    const Wish wanted = wish();
    const std::string_view model = naive_.judge(wanted, bench_.now_ns);
    const Answer answer = bench_.order(wanted.side, wanted.quantity, kSymbols[wanted.symbol], wanted.price_e4);
    ++verdicts[answer.code];
    ASSERT_EQ(answer.code, model) << naive_.open.size() << " open";
    if (!answer.ok()) return;
    naive_.open.push_back({answer.urn, wanted});
    naive_.sent.push_back({wanted, bench_.now_ns});
    naive_.messages.push_back(bench_.now_ns);
    most_open = std::max(most_open, naive_.open.size());
  }
  void cancel(const Naive::Known& known) {
    bench_.command(R"({"verb":"intent","type":"cancel","urn":)" + std::to_string(known.urn) + "}");
    naive_.messages.push_back(bench_.now_ns);
  }
  void accept(Naive::Known& known) {
    bench_.accept(known.urn);
    known.live = true;
  }
  void fill(Naive::Known& known) {
    const auto quantity = static_cast<std::uint32_t>(1 + below(known.wish.quantity));
    bench_.execute(known.urn, quantity, known.wish.price_e4);
    naive_.position[known.wish.symbol] += known.wish.side == 'B' ? quantity : -static_cast<std::int64_t>(quantity);
    naive_.take(known, quantity);
  }
  void canceled(Naive::Known& known) {
    const auto quantity = static_cast<std::uint32_t>(1 + below(known.wish.quantity));
    bench_.canceled(known.urn, quantity);
    naive_.take(known, quantity);
  }
  void replaced(const Naive::Known& known) {
    Wish now = known.wish;
    now.quantity = static_cast<std::uint32_t>(1 + below(8));
    now.price_e4 = wish().price_e4;
    const std::uint32_t old = known.urn, urn = bench_.core.next_urn();
    bench_.replace(old, urn, now.quantity, now.price_e4, now.side, kSymbols[now.symbol]);
    std::erase_if(naive_.open, [&](const Naive::Known& one) { return one.urn == old; });
    naive_.open.push_back({urn, now, true});
  }
  void reject(const Naive::Known& known) {
    const std::uint32_t urn = known.urn;
    bench_.rejected(urn);
    std::erase_if(naive_.open, [&](const Naive::Known& one) { return one.urn == urn; });
  }
  // What the venue changes by itself: another price, or less of it.
  void restated(Naive::Known& known) {
    if (below(2) == 0) {
      known.wish.price_e4 = wish().price_e4;
      return bench_.repriced(known.urn, known.wish.price_e4);
    }
    const auto left = static_cast<std::uint32_t>(below(known.wish.quantity + 1));
    bench_.modified(known.urn, left);
    naive_.take(known, known.wish.quantity - left);
  }

  std::mt19937_64 random_;
  Bench bench_;
  Naive naive_;
};

Limits tight_limits() {
  Limits limits = test::loose_limits();
  limits.order_quantity_max = 7;
  limits.order_notional_max_e4 = 6 * 1'000'000;
  limits.gross_notional_max_e4 = 60 * 1'000'000;
  limits.collar_bps = 3;
  limits.position_max = 30;
  limits.messages_per_second_max = 40;
  limits.open_orders_max = 25;
  limits.duplicate_window_ms = 40;
  limits.repeated_executions_max = 1'000'000;
  return limits;
}

// Nothing but duplicates, own orders and the rate stand in the way: thousands stay open.
Limits wide_limits() {
  Limits limits = tight_limits();
  limits.gross_notional_max_e4 = limits.position_max = 1'000'000'000'000;
  limits.open_orders_max = 5'000;
  limits.duplicate_window_ms = 5;
  limits.messages_per_second_max = 1'000;
  return limits;
}

void play(std::uint64_t seed, const Limits& limits, std::initializer_list<const char*> must_happen) {
  Day day(seed, limits);
  for (int i = 0; i < kSteps; ++i) {
    day.step();
    ASSERT_FALSE(testing::Test::HasFatalFailure()) << "seed " << seed << ", step " << i;
  }
  if constexpr (kSteps < 30'000) return;  // a short day need not see every verdict
  for (const char* verdict : must_happen) EXPECT_GT(day.verdicts[verdict], 0) << "seed " << seed << ": " << verdict;
}

TEST(RiskModel, EveryVerdictOfADayIsTheModels) {
  for (const std::uint64_t seed : {1U, 2U}) {
    play(seed, tight_limits(),
         {"", "risk.size", "risk.collar", "risk.notional", "risk.gross", "risk.position", "risk.open_orders",
          "risk.duplicate", "risk.self_trade"});
  }
}

TEST(RiskModel, EveryVerdictOfADayWithManyOpenOrdersIsTheModels) {
  for (const std::uint64_t seed : {3U, 4U}) play(seed, wide_limits(), {"", "risk.duplicate", "risk.self_trade"});
}

TEST(RiskModel, EveryVerdictOfADayAtTheRateIsTheModels) {
  Limits limits = wide_limits();
  limits.messages_per_second_max = 25;
  play(5, limits, {"", "risk.duplicate", "risk.rate"});
}

}  // namespace
}  // namespace hft::core
