// A second book, written for being obviously right: ordered maps of price to a list of orders, a digest from
// scratch. It shares with the fast one only the field offsets and the formula of a term; tests, fuzzing and the
// benchmark hold the fast book to it.
#pragma once

#include <list>
#include <map>
#include <unordered_map>

#include "book/book.h"

namespace hft::book {

class ReferenceBook {
 public:
  void apply(Bytes message) {
    itch::visit(message, [this](auto view) { take(view); });
  }

  std::uint64_t digest() const {
    std::uint64_t sum = 0;
    for (const auto& [key, queue] : levels_) {
      std::uint64_t ahead = 0;
      for (const Order& order : queue) {
        sum += order_term(order, ahead);
        ahead = order.reference;
      }
    }
    return sum;
  }

  std::size_t orders_live() const { return where_.size(); }
  std::size_t levels_live() const { return levels_.size(); }

  // Best price of a side with its shares and orders.
  Top top(std::uint16_t locate, Side side) const {
    const Queue* best = nullptr;
    const Key low{locate, side, 0};
    const Key high{locate, side, 0xFFFFFFFF};
    const auto first = levels_.lower_bound(low);
    const auto behind = levels_.upper_bound(high);
    if (first == behind) return {};
    best = side == Side::bid ? &std::prev(behind)->second : &first->second;
    Top top{best->front().price, 0, 0};
    for (const Order& order : *best) top.shares += order.shares, ++top.orders;
    return top;
  }

 private:
  using Queue = std::list<Order>;
  using Key = std::tuple<std::uint16_t, Side, std::uint32_t>;

  static Key key_of(const Order& order) { return {order.locate, order.side, order.price}; }

  void take(View<itch::AddOrder> view) { add(view); }
  void take(View<itch::AddOrderMpid> view) { add(View<itch::AddOrder>(view.data())); }
  void take(View<itch::OrderExecuted> view) {
    reduce(view[itch::OrderExecuted::reference], view[itch::OrderExecuted::shares]);
  }
  void take(View<itch::OrderExecutedPrice> view) {
    reduce(view[itch::OrderExecuted::reference], view[itch::OrderExecuted::shares]);
  }
  void take(View<itch::OrderCancel> view) {
    reduce(view[itch::OrderCancel::reference], view[itch::OrderCancel::shares]);
  }
  void take(View<itch::OrderDelete> view) { drop(view[itch::OrderDelete::reference]); }
  void take(View<itch::OrderReplace> view) {
    const auto old = where_.find(view[itch::OrderReplace::reference]);
    const auto fresh = view[itch::OrderReplace::new_reference];
    if (old == where_.end() || view[itch::OrderReplace::shares] == 0) return;
    if (fresh != old->first && where_.contains(fresh)) return;
    Order order = *old->second;
    drop(old->first);
    order.reference = fresh;
    order.shares = view[itch::OrderReplace::shares];
    order.price = view[itch::OrderReplace::price];
    enter(order);
  }
  template <class Message>
  void take(View<Message>) {}

  void add(View<itch::AddOrder> view) {
    const char side = view[itch::AddOrder::side];
    Order order;
    order.reference = view[itch::AddOrder::reference];
    order.locate = view[itch::locate];
    order.shares = view[itch::AddOrder::shares];
    order.price = view[itch::AddOrder::price];
    order.side = side == 'B' ? Side::bid : Side::ask;
    if ((side == 'B' || side == 'S') && order.shares > 0 && !where_.contains(order.reference)) enter(order);
  }

  void enter(const Order& order) {
    Queue& queue = levels_[key_of(order)];
    queue.push_back(order);
    where_[order.reference] = std::prev(queue.end());
  }

  void reduce(std::uint64_t reference, std::uint32_t shares) {
    const auto found = where_.find(reference);
    if (found == where_.end()) return;
    if (shares >= found->second->shares) return drop(reference);
    found->second->shares -= shares;
  }

  void drop(std::uint64_t reference) {
    const auto found = where_.find(reference);
    if (found == where_.end()) return;
    const auto level = levels_.find(key_of(*found->second));
    level->second.erase(found->second);
    if (level->second.empty()) levels_.erase(level);
    where_.erase(found);
  }

  std::map<Key, Queue> levels_;
  std::unordered_map<std::uint64_t, Queue::iterator> where_;
};

}  // namespace hft::book
