// What one account has at the venue: open orders, the last user reference number, shares bought and sold. Pure.
//
// Fed from what the gateway forwards and from every sequenced response, replayed from the day's first one after
// a restart. It exists so that a fence or a kill can name and cancel what is open without asking the engine.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gateway/venue_rules.h"
#include "wire/clordid.h"

namespace hft::gateway {

struct OpenOrder {
  std::uint32_t urn = 0;
  std::uint32_t quantity = 0;  // still open, in shares
  std::uint64_t price_e4 = 0;
  char side = 'B';
  bool is_answered = false;  // the venue has accepted it; otherwise it is in flight
  std::string symbol;
  std::string clordid;
};

class Orders {
 public:
  Orders() { open_.reserve(1 << 14); }

  std::uint32_t last_urn() const { return std::max(last_forwarded_, last_answered_); }
  std::uint32_t last_answered() const { return last_answered_; }
  // The ClOrdID of the order that has the last number; empty when the number is not an order's.
  std::string_view last_clordid() const { return named_urn_ == last_urn() ? std::string_view(named_) : ""; }
  // The highest epoch in the ClOrdID of an order that the venue has taken (wire/clordid.h).
  std::uint64_t highest_epoch() const { return highest_epoch_; }
  std::size_t open_count() const { return open_.size(); }
  std::uint64_t fills() const { return fills_; }
  std::uint64_t cancels_acked() const { return cancels_acked_; }
  const Shares& position() const { return position_; }
  Held held(std::string_view symbol) const {
    const auto sales = sales_.find(symbol);
    const auto position = position_.find(symbol);
    auto held = sales == sales_.end() ? Held{} : sales->second;
    held.position = position == position_.end() ? 0 : position->second;
    return held;
  }

  const OpenOrder* find(std::uint32_t urn) const {
    const auto found = open_.find(urn);
    return found == open_.end() ? nullptr : &found->second;
  }

  std::vector<OpenOrder> open() const {
    std::vector<OpenOrder> listed;
    for (const auto& [urn, order] : open_) listed.push_back(order);
    std::sort(listed.begin(), listed.end(), [](auto& left, auto& right) { return left.urn < right.urn; });
    return listed;
  }

  // Forwarded, not answered yet. A resent number that the venue knows already changes nothing.
  void sent(const OpenOrder& order) {
    last_forwarded_ = std::max(last_forwarded_, order.urn);
    name(order.urn, order.clordid);
    if (order.urn > last_answered_ && !open_.contains(order.urn)) put(order);
  }
  void urn_used(std::uint32_t urn) { last_forwarded_ = std::max(last_forwarded_, urn); }

  void accepted(OpenOrder order, bool is_live) {
    answered(order.urn);
    name(order.urn, order.clordid);
    if (const auto parts = clordid::decode(order.clordid)) highest_epoch_ = std::max(highest_epoch_, parts->epoch);
    order.is_answered = true;
    drop(order.urn);
    if (is_live) put(std::move(order));
  }

  void replaced(std::uint32_t original, OpenOrder order, bool is_live) {
    drop(original);
    accepted(std::move(order), is_live);
  }

  void rejected(std::uint32_t urn, std::string_view clordid) {
    answered(urn);
    name(urn, clordid);
    drop(urn);
  }

  void canceled(std::uint32_t urn, std::uint32_t shares) {
    ++cancels_acked_;
    reduce(urn, shares);
  }

  // False when nothing is known of the order, and so not whose position it moved.
  bool executed(std::uint32_t urn, std::uint32_t shares) {
    const auto found = open_.find(urn);
    if (found == open_.end()) return false;
    ++fills_;
    const auto change = static_cast<std::int64_t>(shares);
    const auto& order = found->second;
    position_[order.symbol] += order.side == 'B' ? change : -change;
    if (is_short(order.side)) sales_[order.symbol].sold_short += change;
    reduce(urn, shares);
    return true;
  }

  void repriced(std::uint32_t urn, std::uint64_t price_e4) {
    if (const auto found = open_.find(urn); found != open_.end()) found->second.price_e4 = price_e4;
  }

  void modified(std::uint32_t urn, char side, std::uint32_t quantity) {
    const auto found = open_.find(urn);
    if (found == open_.end()) return;
    auto order = found->second;
    drop(urn);
    order.side = side;
    order.quantity = quantity;
    if (quantity > 0) put(std::move(order));
  }

  // The venue says itself which number comes next (account query); everything below it is answered.
  void next_at_venue(std::uint32_t next_urn) {
    if (next_urn == 0) return;
    answered(next_urn - 1);
    // Answered, and by nothing that made it live: a replace that only cancelled the old order.
    drop_where([&](const OpenOrder& order) { return !order.is_answered && order.urn < next_urn; });
  }

  // What a lost venue session left in flight never arrived or comes back with the replay.
  void forget_unanswered() {
    drop_where([](const OpenOrder& order) { return !order.is_answered; });
    last_forwarded_ = last_answered_;
  }

 private:
  void answered(std::uint32_t urn) { last_answered_ = std::max(last_answered_, urn); }
  void name(std::uint32_t urn, std::string_view clordid) {
    if (urn < named_urn_) return;
    named_urn_ = urn;
    named_ = clordid;
  }

  // Everything that opens or closes goes through these two, so that what works to be sold is known without a walk.
  void put(OpenOrder order) {
    count(order, order.quantity);
    const auto urn = order.urn;
    open_.insert_or_assign(urn, std::move(order));
  }
  void drop(std::uint32_t urn) {
    const auto found = open_.find(urn);
    if (found == open_.end()) return;
    count(found->second, -static_cast<std::int64_t>(found->second.quantity));
    open_.erase(found);
  }
  template <class Meant>
  void drop_where(Meant&& is_meant) {
    std::vector<std::uint32_t> numbers;
    for (const auto& [urn, order] : open_)
      if (is_meant(order)) numbers.push_back(urn);
    for (const auto urn : numbers) drop(urn);
  }
  void count(const OpenOrder& order, std::int64_t shares) {
    if (order.side == 'S') sales_[order.symbol].selling += shares;
    if (is_short(order.side)) sales_[order.symbol].selling_short += shares;
  }
  static bool is_short(char side) { return side == 'T' || side == 'E'; }

  void reduce(std::uint32_t urn, std::uint32_t shares) {
    const auto found = open_.find(urn);
    if (found == open_.end()) return;
    auto& order = found->second;
    if (order.quantity <= shares) return drop(urn);
    count(order, -static_cast<std::int64_t>(shares));
    order.quantity -= shares;
  }

  std::unordered_map<std::uint32_t, OpenOrder> open_;
  Shares position_;
  std::map<std::string, Held, std::less<>> sales_;  // without the position
  std::uint32_t last_forwarded_ = 0;
  std::uint32_t last_answered_ = 0;
  std::uint32_t named_urn_ = 0;
  std::string named_;
  std::uint64_t highest_epoch_ = 0;
  std::uint64_t fills_ = 0;
  std::uint64_t cancels_acked_ = 0;
};

}  // namespace hft::gateway
