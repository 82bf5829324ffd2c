// A seeded ITCH 5.0 stream that hangs together: every execute, cancel, delete and replace names a live order.
//
// For tests and the benchmark. References are counters multiplied by an odd number modulo 2^64: unique, and as
// far from dense as a venue's. Which orders go is the mix: `recent_delete` takes half of them from among the newest
// `recent` orders, a quarter from twice as many, and so on (on real feeds most orders live for milliseconds);
// `uniform` takes any order (worst for caches). A symbol's prices lie around its own middle, most near the best.
#pragma once

#include <bit>
#include <vector>

#include "wire/itch.h"
#include "wire/mix.h"

namespace hft::book {

enum class Mix : std::uint8_t { recent_delete, uniform };

struct StreamPlan {
  std::uint64_t seed = 1;
  std::uint16_t symbols = 8000;
  std::size_t live_orders = 1'000'000;  // adds only until so many live; from then on as many go as come
  Mix mix = Mix::recent_delete;
  std::size_t recent = 1024;
};

class Generator {
 public:
  explicit Generator(const StreamPlan& plan) : plan_(plan), state_(plan.seed) { live_.reserve(plan.live_orders * 2); }

  // The next message, written into `out` (at least itch::kMessageBytesMax bytes).
  Bytes next(MutableBytes out) {
    const bool filling = live_.size() < plan_.live_orders;
    const std::uint64_t dice = random() % 100;
    // Shares of a real open (2019-12-30): adds 56, replaces 22, deletes 17, executions 3 in 100; here adds and
    // what ends orders are balanced, so that the number of live orders stays.
    if (filling || dice < 40) return add(out, !filling && dice % 8 == 0);
    if (dice < 80) return remove(out);
    if (dice < 93) return replace(out);
    if (dice < 97) return execute(out, dice == 93);
    if (dice < 99) return cancel(out);
    return trade(out);
  }

  std::size_t live() const { return live_.size(); }

 private:
  struct Live {
    std::uint64_t reference;
    std::uint32_t shares;
    std::uint16_t locate;
    char side;
  };

  std::uint64_t random() {
    state_ += kMixA;
    return mix64(state_ ^ kMixB, state_ | 1);
  }

  std::uint64_t fresh_reference() { return ++references_ * kMixC; }

  // Position of an order that goes.
  std::size_t victim() {
    if (plan_.mix == Mix::uniform) return random() % live_.size();
    const auto doublings = static_cast<unsigned>(std::countr_zero(random() | (std::uint64_t{1} << 20)));
    const std::size_t distance = random() % std::min(plan_.recent << doublings, live_.size());
    return live_.size() - 1 - distance;
  }

  std::uint32_t price(std::uint16_t locate, char side) {
    const auto middle = static_cast<std::uint32_t>(100'000 + locate * 100);
    const auto away = static_cast<std::uint32_t>(100 * (1 + std::min(random() % 24, random() % 24)));
    return side == itch::kBuy ? middle - away : middle + away;
  }

  template <class Message>
  Writer<Message> begin(MutableBytes out, std::uint16_t locate) {
    Writer<Message> writer(out.data());
    clock_ns_ += 100 + random() % 1000;
    writer.set(itch::locate, locate).set(itch::timestamp, 34'200'000'000'000 + clock_ns_);
    return writer;
  }

  Bytes add(MutableBytes out, bool attributed) {
    const auto locate = static_cast<std::uint16_t>(1 + random() % plan_.symbols);
    const char side = random() % 2 == 0 ? itch::kBuy : itch::kSell;
    const Live order{fresh_reference(), static_cast<std::uint32_t>(100 * (1 + random() % 10)), locate, side};
    live_.push_back(order);
    std::array<char, 9> stock{"S       "};
    for (std::size_t i = 5, n = locate; i > 0; --i, n /= 10) stock[i] = static_cast<char>('0' + n % 10);
    const auto fill = [&](auto writer) {
      writer.set(itch::AddOrder::reference, order.reference).set(itch::AddOrder::side, side);
      writer.set(itch::AddOrder::shares, order.shares).set(itch::AddOrder::stock, {stock.data(), 8});
      return writer.set(itch::AddOrder::price, price(locate, side));
    };
    if (!attributed) return fill(begin<itch::AddOrder>(out, locate)).bytes();
    return fill(begin<itch::AddOrderMpid>(out, locate)).set(itch::AddOrderMpid::attribution, "MPID").bytes();
  }

  Bytes remove(MutableBytes out) {
    const std::size_t at = victim();
    auto writer = begin<itch::OrderDelete>(out, live_[at].locate);
    writer.set(itch::OrderDelete::reference, live_[at].reference);
    forget(at);
    return writer.bytes();
  }

  Bytes replace(MutableBytes out) {
    Live& order = live_[victim()];
    auto writer = begin<itch::OrderReplace>(out, order.locate);
    writer.set(itch::OrderReplace::reference, order.reference);
    order.reference = fresh_reference();
    order.shares = static_cast<std::uint32_t>(100 * (1 + random() % 10));
    writer.set(itch::OrderReplace::new_reference, order.reference).set(itch::OrderReplace::shares, order.shares);
    return writer.set(itch::OrderReplace::price, price(order.locate, order.side)).bytes();
  }

  Bytes execute(MutableBytes out, bool at_price) {
    const std::size_t at = victim();
    const Live order = live_[at];
    const std::uint32_t shares = some_of(at);
    const auto fill = [&](auto writer) {
      writer.set(itch::OrderExecuted::reference, order.reference).set(itch::OrderExecuted::shares, shares);
      return writer.set(itch::OrderExecuted::match, ++matches_);
    };
    if (!at_price) return fill(begin<itch::OrderExecuted>(out, order.locate)).bytes();
    auto writer = fill(begin<itch::OrderExecutedPrice>(out, order.locate));
    writer.set(itch::OrderExecutedPrice::printable, 'Y');
    return writer.set(itch::OrderExecutedPrice::price, price(order.locate, order.side)).bytes();
  }

  Bytes cancel(MutableBytes out) {
    const std::size_t at = victim();
    auto writer = begin<itch::OrderCancel>(out, live_[at].locate);
    writer.set(itch::OrderCancel::reference, live_[at].reference);
    return writer.set(itch::OrderCancel::shares, some_of(at)).bytes();
  }

  Bytes trade(MutableBytes out) {
    const auto locate = static_cast<std::uint16_t>(1 + random() % plan_.symbols);
    auto writer = begin<itch::Trade>(out, locate);
    writer.set(itch::Trade::side, itch::kBuy).set(itch::Trade::shares, 100);
    return writer.set(itch::Trade::price, price(locate, itch::kBuy)).set(itch::Trade::match, ++matches_).bytes();
  }

  // Half the time all of it, else a part.
  std::uint32_t some_of(std::size_t at) {
    Live& order = live_[at];
    const std::uint32_t part = order.shares / 2;
    if (part == 0 || random() % 2 == 0) {
      const std::uint32_t all = order.shares;
      forget(at);
      return all;
    }
    order.shares -= part;
    return part;
  }

  void forget(std::size_t at) {
    live_[at] = live_.back();
    live_.pop_back();
  }

  StreamPlan plan_;
  std::uint64_t state_;
  std::uint64_t references_ = 0;
  std::uint64_t matches_ = 0;
  std::uint64_t clock_ns_ = 0;
  std::vector<Live> live_;
};

}  // namespace hft::book
