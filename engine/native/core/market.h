// What the core knows of the market: the L3 book, the last good BBO of each symbol it may trade, the feed's health.
#pragma once

#include <algorithm>
#include <vector>

#include "book/run.h"
#include "core/types.h"
#include "wire/mold.h"

namespace hft::core {

class Market {
 public:
  explicit Market(const book::Limits& limits, std::pmr::memory_resource* memory)
      : book_(limits, memory), symbol_of_(limits.locates, kUnlearned) {}

  // The symbols of interest; `find` gives a symbol's number or kNoSymbol. Called when the allow-list changes.
  template <class Find>
  void follow(std::size_t symbols, Find&& find) {
    last_good_.resize(std::max(symbols, last_good_.size()));
    for (std::size_t locate = 0; locate < symbol_of_.size(); ++locate) {
      const auto stock = trimmed(book_.stock(static_cast<std::uint16_t>(locate)));
      if (!stock.empty()) symbol_of_[locate] = find(stock);
    }
  }

  // Applies the messages of one packet; `touched(symbol)` once for each message that changed a top we follow.
  template <class Find, class Touched>
  void apply(const mold::Packet& packet, Find&& find, Touched&& touched) {
    // As the book's own throughput run does it. For a message or two the waves only cost.
    if (packet.count >= kWorthPrefetch) {
      book::prefetch_index(book_, packet);
      book::apply_run(book_, packet, nullptr, [&](std::uint64_t, Bytes message, const book::Result& result) {
        follow_up(message, result, find, touched);
      });
    } else {
      mold::for_each(packet,
                     [&](std::uint64_t, Bytes message) { follow_up(message, book_.apply(message), find, touched); });
    }
    messages_ += packet.count;
  }

  // Another session: another day's book, names and prices.
  void clear() {
    book_.clear();
    std::fill(symbol_of_.begin(), symbol_of_.end(), kUnlearned);
    std::fill(last_good_.begin(), last_good_.end(), Bbo{});
  }

  [[nodiscard]] Bbo last_good(SymbolId symbol) const { return symbol < last_good_.size() ? last_good_[symbol] : Bbo{}; }
  [[nodiscard]] const book::Book& book() const { return book_; }
  [[nodiscard]] std::uint64_t messages() const { return messages_; }

 private:
  static constexpr SymbolId kUnlearned = kNoSymbol - 1;
  static constexpr std::uint16_t kWorthPrefetch = 4;

  template <class Find, class Touched>
  void follow_up(Bytes message, const book::Result& result, Find& find, Touched& touched) {
    if (!message.empty() && static_cast<char>(message[0]) == itch::StockDirectory::type) {
      learn(message, find);
      return;
    }
    if (!result.top_changed) return;
    SymbolId& symbol = symbol_of_[result.locate];
    // A feed joined mid-day has no directory; the book took the name from the first order.
    if (symbol == kUnlearned) symbol = find(trimmed(book_.stock(result.locate)));
    if (symbol == kNoSymbol) return;
    const book::Bbo top = book_.bbo(result.locate);
    const Bbo bbo{top.bid.price, top.ask.price, top.bid.shares, top.ask.shares};
    if (!bbo.good()) return;
    if (symbol >= last_good_.size()) last_good_.resize(symbol + 1);
    last_good_[symbol] = bbo;
    touched(symbol);
  }

  template <class Find>
  void learn(Bytes message, Find& find) {
    if (itch::check(message) != Reject::none) return;
    const std::uint16_t locate = itch::locate.load(message.data());
    if (locate < symbol_of_.size())
      symbol_of_[locate] = find(trimmed(itch::StockDirectory::stock.load(message.data())));
  }

  book::Book book_;
  std::vector<SymbolId> symbol_of_;
  std::vector<Bbo> last_good_;
  std::uint64_t messages_ = 0;
};

}  // namespace hft::core
