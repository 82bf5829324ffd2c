// hft-risk-bench: what judging one order costs beside so many that are open already.
//
// The open orders lie in 64 symbols, half of them buys, all of them sent within the duplicate window; no wish is
// refused, so every rule is asked. `book` is the rest of an order's own cost: into the tables and out again.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <random>
#include <string>
#include <vector>

#include "core/risk.h"

namespace hft::core {
namespace {

constexpr std::uint32_t kCapacity = 1 << 14;
constexpr SymbolId kSymbols = 64;
constexpr std::uint64_t kBlock = 512;  // calls between two looks at the clock
constexpr std::uint64_t kBidE4 = 999'900, kAskE4 = 1'000'100;

std::uint64_t clock_ns(clockid_t clock) {
  timespec at{};
  clock_gettime(clock, &at);
  return static_cast<std::uint64_t>(at.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(at.tv_nsec);
}

struct Figures {
  double p50_ns = 0, p99_ns = 0;  // of one call, by blocks
  double stolen = 0;              // share of the time that went to others
};

// `work(i)` so many times; the time of each block is shared out among its calls.
template <class Work>
Figures timed(std::uint64_t calls, Work&& work) {
  std::vector<double> blocks;
  const std::uint64_t wall = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
  for (std::uint64_t first = 0; first < calls; first += kBlock) {
    const std::uint64_t begin = clock_ns(CLOCK_MONOTONIC);
    for (std::uint64_t i = first; i < first + kBlock; ++i) work(i);
    blocks.push_back(static_cast<double>(clock_ns(CLOCK_MONOTONIC) - begin) / static_cast<double>(kBlock));
  }
  const auto used = static_cast<double>(clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu);
  const auto passed = static_cast<double>(clock_ns(CLOCK_MONOTONIC) - wall);
  std::sort(blocks.begin(), blocks.end());
  return {blocks[blocks.size() / 2], blocks[blocks.size() * 99 / 100], std::max(0.0, 1 - used / passed)};
}

class Day {
 public:
  explicit Day(std::uint32_t open) : orders_(kCapacity) {
    limits_.not_after_utc_ns = INT64_MAX;
    limits_.order_quantity_max = 100'000;
    limits_.order_notional_max_e4 = limits_.gross_notional_max_e4 = limits_.position_max = 1ULL << 60;
    limits_.collar_bps = 1'000;
    limits_.messages_per_second_max = 100'000;
    limits_.open_orders_max = kCapacity;
    limits_.duplicate_window_ms = 9'000;
    limits_.daily_loss_max_e4 = 1ULL << 60;
    limits_.repeated_executions_max = 1ULL << 60;
    rate_.reserve(limits_.messages_per_second_max);
    recent_.reserve(orders_in_window(limits_));
    for (SymbolId i = 0; i < kSymbols; ++i) ledger_.id_of("S" + std::to_string(i));
    orders_.reserve(kSymbols);
    for (std::uint32_t i = 0; i < open; ++i) {
      const OrderRequest order = wish(i);
      recent_.add(order, kNow);
      enter(order);
    }
  }

  [[nodiscard]] bool passes(std::uint32_t i) const {
    const OrderRequest order = wish(kCapacity + i % 4096);
    const RiskView view{limits_, ledger_, orders_, rate_, recent_, {kBidE4, kAskE4, 100, 100},
                        true,    false,   false,   0,     kNow,    kUtc};
    return judge(order, view).empty();
  }
  void book(std::uint32_t i) {
    Order* order = enter(wish(2 * kCapacity + i % 4096));
    ledger_.unwork(order->symbol, order->side, order->leaves, order->price_e4);
    orders_.close(*order);
  }

 private:
  static constexpr std::uint64_t kNow = 10'000'000'000;
  static constexpr std::int64_t kUtc = 1;

  // Every number another order; buys stay below the bid, sells above the ask.
  static OrderRequest wish(std::uint32_t number) {
    const bool buys = number % 2 == 0;
    const std::uint64_t away = 100 * (1 + number / 128 % 400);
    return {number / 2 * 7 % kSymbols, buys ? 'B' : 'S', 1 + number, buys ? kBidE4 - away : kAskE4 + away, '0'};
  }
  Order* enter(const OrderRequest& wanted) {
    next_urn_ = orders_.free_from(next_urn_);
    Order* order = orders_.open(next_urn_++);
    order->symbol = wanted.symbol;
    order->side = wanted.side;
    order->leaves = wanted.quantity;
    order->price_e4 = wanted.price_e4;
    orders_.price(*order);
    ledger_.work(order->symbol, order->side, order->leaves, order->price_e4);
    return order;
  }

  Limits limits_;
  Ledger ledger_;
  OrderTable orders_;
  RateWindow rate_;
  RecentOrders recent_;
  std::uint32_t next_urn_ = 1;
};

int print(std::uint32_t open, std::uint64_t calls, bool json, bool first) {
  Day day(open);
  std::uint64_t passed = 0;
  const Figures judged = timed(calls, [&](std::uint64_t i) { passed += day.passes(static_cast<std::uint32_t>(i)); });
  const Figures booked = timed(calls, [&](std::uint64_t i) { day.book(static_cast<std::uint32_t>(i)); });
  if (passed < calls) {
    std::fprintf(stderr, "hft-risk-bench: %llu of the wishes were refused\n",
                 static_cast<unsigned long long>(calls - passed));
    return 70;
  }
  const double stolen = std::max(judged.stolen, booked.stolen);
  if (json) {
    std::printf(
        "%s{\"open\":%u,\"judge_ns\":%.1f,\"judge_p99_ns\":%.1f,\"book_ns\":%.1f,\"book_p99_ns\":%.1f,"
        "\"stolen\":%.4f}",
        first ? "" : ",", open, judged.p50_ns, judged.p99_ns, booked.p50_ns, booked.p99_ns, stolen);
  } else {
    std::printf("%6u open: judge %7.1f ns (p99 %7.1f), into the tables and out %7.1f ns (p99 %7.1f), %4.1f %% stolen\n",
                open, judged.p50_ns, judged.p99_ns, booked.p50_ns, booked.p99_ns, 100 * stolen);
  }
  return 0;
}

int usage(int code) {
  std::fputs(
      "hft-risk-bench [--open N]... [--calls N] [--json] | --help | --version\n"
      "  --open   orders that are open already, at most 16,000; without it 0, 1,000 and 10,000\n"
      "  --calls  of each kind, in blocks of 512; without it 1,048,576\n"
      "Exit codes: 0 measured, 70 a wish was refused, 64 wrong usage.\n",
      code == 0 ? stdout : stderr);
  return code;
}

bool number(const char* text, std::uint64_t least, std::uint64_t most, std::uint64_t& out) {
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), out);
  return error == std::errc{} && *end == '\0' && out >= least && out <= most;
}

int main_of(int count, char** words) {
  std::vector<std::uint32_t> opens;
  std::uint64_t calls = 1 << 20, value = 0;
  bool json = false;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word == "--help") return usage(0);
    if (word == "--version") return std::puts("{\"program\":\"hft-risk-bench\",\"version\":\"1.0.0\"}"), 0;
    if (word == "--json") json = true;
    else if (word == "--open" && i + 1 < count && number(words[++i], 0, 16'000, value)) {
      opens.push_back(static_cast<std::uint32_t>(value));
    } else if (word == "--calls" && i + 1 < count && number(words[++i], kBlock, 1ULL << 32, value)) {
      calls = value / kBlock * kBlock;
    } else return usage(64);
  }
  if (opens.empty()) opens = {0, 1'000, 10'000};
  if (json) std::printf("{\"calls\":%llu,\"rows\":[", static_cast<unsigned long long>(calls));
  for (std::size_t i = 0; i < opens.size(); ++i) {
    if (const int code = print(opens[i], calls, json, i == 0); code != 0) return code;
  }
  if (json) std::printf("]}\n");
  return 0;
}

}  // namespace
}  // namespace hft::core

int main(int count, char** words) { return hft::core::main_of(count, words); }
