// Orders of the core: from a wish through the risk rules to an intent, and what the venue answered.
#include <algorithm>
#include <array>
#include <cstring>

#include "core/core.h"
#include "wire/clordid.h"

namespace hft::core {
namespace {

// After a standstill everything that waited is read within this time; none of it may become an order.
constexpr std::uint64_t kThawNs = 200'000'000;

}  // namespace

RiskView Core::risk_view(SymbolId symbol) const {
  const bool allowed = symbol < allowed_.size() && allowed_[symbol];
  const bool stale = !feed_.heard || stamp_.monotonic_ns - feed_.heard_ns > config_.feed_stale_ms * 1'000'000;
  return RiskView{*limits_,
                  ledger_,
                  orders_,
                  rate_,
                  recent_,
                  market_.last_good(symbol),
                  allowed,
                  stale,
                  feed_.gapped || feed_.ended || feed_.lost,
                  executions_since_resume_,
                  stamp_.monotonic_ns,
                  stamp_.utc_ns};
}

// Empty when the order may leave now; the state is asked first, then the rules, then what REDUCING allows.
std::string_view Core::why_not(const OrderRequest& order) const {
  if (!may_trade(state_) || latch_.set || !limits_) return "not_active";
  if (config_.egress != Egress::shadow && (!link_up_ || !resent_)) return "disconnected";
  if (journal_broken_) return "journal";
  if (thawed_ns_ != 0 && stamp_.monotonic_ns - thawed_ns_ < kThawNs) return "risk.aged";
  if (const auto refused = judge(order, risk_view(order.symbol)); !refused.empty()) return refused;
  if (state_ == State::reducing && !only_reduces(order, ledger_.of(order.symbol))) return "reducing";
  if (orders_.free_from(next_urn_) == 0) return "risk.open_orders";
  return {};
}

std::string_view Core::request(const OrderRequest& order) {
  const std::string_view code = why_not(order);
  if (code.empty()) send_enter(order);
  else refuse(order, ledger_.of(order.symbol).symbol, code);
  return code;
}

void Core::refuse(const OrderRequest& order, std::string_view symbol, std::string_view code) {
  Refusal refusal{};
  std::copy_n(code.begin(), std::min(code.size(), sizeof refusal.code - 1), refusal.code);
  std::copy_n(symbol.begin(), std::min(symbol.size(), sizeof refusal.symbol), refusal.symbol);
  refusal.price_e4 = order.price_e4;
  refusal.quantity = order.quantity;
  refusal.side = order.side;
  ++counters_.refused;
  emit(Kind::refusal, bytes_of(refusal));
}

void Core::send_enter(const OrderRequest& order) {
  std::array<std::uint8_t, kOuchBytesMax> buffer{};
  const auto id = clordid::encode({epoch_, clordid_sequence_ + 1});
  if (!id) return;
  using Enter = ouch::EnterOrder;
  ouch::Encoder<Enter> enter(buffer, config_.profile);
  enter.set(Enter::urn, orders_.free_from(next_urn_)).set(Enter::side, order.side).set(Enter::quantity, order.quantity);
  enter.set(Enter::symbol, ledger_.of(order.symbol).symbol).set(Enter::price, order.price_e4);
  enter.set(Enter::time_in_force, order.time_in_force).set(Enter::display, 'Y').set(Enter::capacity, 'P');
  enter.set(Enter::sweep, 'N').set(Enter::cross_type, 'N').set(Enter::clordid, clordid::to_text(*id));
  const auto message = std::as_bytes(enter.bytes());
  emit(Kind::intent, message);
  commit_enter(message);
}

std::string Core::last_clordid() const {
  const auto id = clordid::encode({epoch_, clordid_sequence_});
  return id ? std::string(clordid::to_text(*id)) : std::string();
}

void Core::send_cancel(Order& order) {
  if (adopting_ || !link_up_) return;
  std::array<std::uint8_t, kOuchBytesMax> buffer{};
  ouch::Encoder<ouch::CancelOrder> cancel(buffer, config_.profile);
  cancel.set(ouch::CancelOrder::urn, order.urn).set(ouch::CancelOrder::quantity, 0);
  const auto message = std::as_bytes(cancel.bytes());
  emit(Kind::intent, message);
  commit_cancel(message);
}

void Core::cancel_all() {
  orders_.for_each([this](Order& order) { send_cancel(order); });
}

void Core::retry_cancels(std::uint64_t after_ns) {
  orders_.for_each([&](Order& order) {
    if (!order.cancel_sent || stamp_.monotonic_ns - order.cancel_ns >= after_ns) send_cancel(order);
  });
}

// The state change of an order that was journaled; the same whether just decided or read back.
bool Core::commit_enter(std::span<const std::byte> bytes) {
  const ouch::Message message = ouch::decode_inbound(wire_bytes(bytes));
  if (!message.is<ouch::EnterOrder>() || bytes.size() > kOuchBytesMax) return false;
  const auto enter = message.as<ouch::EnterOrder>();
  rate_.add(stamp_.monotonic_ns);
  last_sent_ns_ = stamp_.monotonic_ns;
  const std::uint32_t urn = enter[ouch::EnterOrder::urn];
  if (Order* known = orders_.find(urn); known != nullptr) {  // sent again after a reconnect
    known->resent = true;
    ++counters_.resent;
    return true;
  }
  Order* order = orders_.open(urn);
  if (order == nullptr) return false;
  order->symbol = ledger_.id_of(trimmed(enter[ouch::EnterOrder::symbol]));
  order->side = enter[ouch::EnterOrder::side];
  order->leaves = enter[ouch::EnterOrder::quantity];
  order->price_e4 = enter[ouch::EnterOrder::price];
  order->sent_ns = stamp_.monotonic_ns;
  order->bytes_length = static_cast<std::uint32_t>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), order->bytes.begin());
  orders_.price(*order);
  ledger_.work(order->symbol, order->side, order->leaves, order->price_e4);
  recent_.add({order->symbol, order->side, order->leaves, order->price_e4, '0'}, stamp_.monotonic_ns);
  next_urn_ = std::max(next_urn_, urn + 1);
  if (const auto id = clordid::decode(enter[ouch::EnterOrder::clordid])) clordid_sequence_ = id->sequence;
  ++counters_.orders_sent;
  if (config_.egress == Egress::shadow) close(*order);  // nobody will ever answer it
  return true;
}

bool Core::commit_cancel(std::span<const std::byte> bytes) {
  const ouch::Message message = ouch::decode_inbound(wire_bytes(bytes));
  if (!message.is<ouch::CancelOrder>()) return false;
  rate_.add(stamp_.monotonic_ns);
  last_sent_ns_ = stamp_.monotonic_ns;
  ++counters_.cancels_sent;
  ++cleanup_.cancels_sent;
  Order* order = orders_.find(message.as<ouch::CancelOrder>()[ouch::CancelOrder::urn]);
  if (order == nullptr) return true;
  order->cancel_sent = true;
  order->cancel_ns = stamp_.monotonic_ns;
  return true;
}

void Core::close(Order& order) {
  ledger_.unwork(order.symbol, order.side, order.leaves, order.price_e4);
  order.leaves = 0;
  orders_.close(order);
}

void Core::reduce(Order& order, std::uint32_t quantity) {
  const std::uint32_t taken = std::min(quantity, order.leaves);
  ledger_.unwork(order.symbol, order.side, taken, order.price_e4);
  order.leaves -= taken;
  if (order.leaves == 0) close(order);
}

// An order of this account that another process sent, or what a replace made of one: ours to count and, if need be, to
// cancel. Accepted and Replaced have the same fields for it.
template <class M>
Order* Core::adopt_foreign(View<M> view) {
  const std::uint32_t urn = view[M::urn];
  next_urn_ = std::max(next_urn_, urn + 1);
  Order* order = orders_.open(urn);
  if (order == nullptr) {
    doubt();
    return nullptr;
  }
  order->symbol = ledger_.id_of(trimmed(view[M::symbol]));
  order->side = view[M::side] == 'B' ? 'B' : 'S';  // T and E are sells, too (short, short exempt)
  order->leaves = view[M::quantity];
  order->price_e4 = view[M::price];
  order->sent_ns = stamp_.monotonic_ns;
  order->status = Order::Status::live;
  orders_.price(*order);
  ledger_.work(order->symbol, order->side, order->leaves, order->price_e4);
  return order;
}

// Something was said about the account that nobody can compute here: a person must look before more is traded.
void Core::doubt() {
  ++counters_.responses_unknown;
  doubted_ = true;
}

void Core::on_accepted(View<ouch::Accepted> accepted) {
  Order* order = orders_.find(accepted[ouch::Accepted::urn]);
  if (order == nullptr) order = adopt_foreign(accepted);
  if (order == nullptr) return;
  order->status = Order::Status::live;
  if (accepted[ouch::Accepted::state] == 'D') close(*order);  // accepted and dead at once
}

// The old number is over, whatever of it was left lives under the new one.
void Core::on_replaced(View<ouch::Replaced> replaced) {
  if (Order* old = orders_.find(replaced[ouch::Replaced::original_urn])) close(*old);
  Order* order = orders_.find(replaced[ouch::Replaced::urn]);
  if (order != nullptr) close(*order);
  order = adopt_foreign(replaced);
  if (order != nullptr && replaced[ouch::Replaced::state] == 'D') close(*order);
}

void Core::on_executed(View<ouch::Executed> executed) {
  Order* order = orders_.find(executed[ouch::Executed::urn]);
  if (order == nullptr) return doubt();  // a position of nobody knows what
  const std::uint32_t quantity = executed[ouch::Executed::quantity];
  ledger_.fill(order->symbol, order->side, quantity, executed[ouch::Executed::price]);
  order->status = Order::Status::live;
  reduce(*order, quantity);
  ++counters_.executions;
  ++executions_since_resume_;
  ++cleanup_.fills_since;
}

void Core::on_gone(std::uint32_t urn, std::uint32_t quantity) {
  Order* order = orders_.find(urn);
  if (order == nullptr) return;
  if (order->cancel_sent) ++cleanup_.cancels_acked;
  reduce(*order, quantity);
}

// What is open now; a quantity can only fall here.
void Core::on_modified(View<ouch::Modified> modified) {
  Order* order = orders_.find(modified[ouch::Modified::urn]);
  if (order == nullptr) return;
  const std::uint32_t left = modified[ouch::Modified::quantity];
  if (left > order->leaves) return doubt();
  reduce(*order, order->leaves - left);
}

void Core::on_price(std::uint32_t urn, std::uint64_t price_e4) {
  Order* order = orders_.find(urn);
  if (order == nullptr) return;
  ledger_.unwork(order->symbol, order->side, order->leaves, order->price_e4);
  order->price_e4 = price_e4;
  orders_.price(*order);
  ledger_.work(order->symbol, order->side, order->leaves, order->price_e4);
}

// Every outbound event of the protocol by name: a type without a line here does not compile.
struct Core::Event {
  Core& core;

  void operator()(View<ouch::Accepted> view) const { core.on_accepted(view); }
  void operator()(View<ouch::Replaced> view) const { core.on_replaced(view); }
  void operator()(View<ouch::Executed> view) const { core.on_executed(view); }
  void operator()(View<ouch::Modified> view) const { core.on_modified(view); }
  void operator()(View<ouch::Canceled> view) const {
    core.on_gone(view[ouch::Canceled::urn], view[ouch::Canceled::quantity]);
  }
  void operator()(View<ouch::AiqCanceled> view) const {
    core.on_gone(view[ouch::AiqCanceled::urn], view[ouch::AiqCanceled::decrement]);
  }
  void operator()(View<ouch::Rejected> view) const { core.on_gone(view[ouch::Rejected::urn], UINT32_MAX); }
  void operator()(View<ouch::PriorityUpdate> view) const {
    core.on_price(view[ouch::PriorityUpdate::urn], view[ouch::PriorityUpdate::price]);
  }
  void operator()(View<ouch::CancelReject> view) const {
    if (Order* order = core.orders_.find(view[ouch::CancelReject::urn])) order->cancel_sent = false;
  }
  // It leaves a position that nobody can compute here.
  void operator()(View<ouch::BrokenTrade>) const { core.doubt(); }
  // These move neither an order nor a position: the cancels of a mass cancel and of a disable come one by one.
  void operator()(View<ouch::SystemEvent>) const {}
  void operator()(View<ouch::CancelPending>) const {}
  void operator()(View<ouch::Restated>) const {}
  void operator()(View<ouch::QueryResponse>) const {}
  void operator()(View<ouch::MassCancelResponse>) const {}
  void operator()(View<ouch::DisableResponse>) const {}
  void operator()(View<ouch::EnableResponse>) const {}
};

bool Core::on_response(Bytes bytes) {
  ++responses_;
  pending_since_ns_ = stamp_.monotonic_ns;
  const ouch::Message message = ouch::decode_outbound(bytes);
  if (message.why != Reject::none) {
    ++counters_.responses_bad;
    doubted_ = true;
    return true;
  }
  ouch::visit_outbound(message, Event{*this});
  return true;
}

bool Core::on_egress_drop(std::uint32_t urn, bool is_cancel) {
  Order* order = orders_.find(urn);
  if (order == nullptr) return true;
  if (is_cancel) order->cancel_sent = false;
  else if (!order->resent) close(*order);
  return true;
}

void Core::run_strategy(SymbolId symbol) {
  if (adopting_ || !strategy_.trades() || !may_trade(state_) || latch_.set || !limits_) return;
  const auto wish = strategy_.decide(symbol, market_.last_good(symbol), ledger_.of(symbol), stamp_.monotonic_ns);
  if (wish) request(*wish);
}

}  // namespace hft::core
