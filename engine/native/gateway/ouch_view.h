// From OUCH bytes to what a decision needs, from responses to what an account has open, and our own cancels.
#pragma once

#include "gateway/gate.h"
#include "wire/clordid.h"
#include "wire/ouch_codec.h"

namespace hft::gateway {

namespace detail {

struct ToMessage {
  Message& read;

  void operator()(View<ouch::EnterOrder> view) const {
    using M = ouch::EnterOrder;
    read = {Kind::enter,     M::type,           view[M::urn],   0,
            view[M::side],   view[M::quantity], view[M::price], trimmed(view[M::symbol]),
            view[M::clordid]};
  }
  void operator()(View<ouch::ReplaceOrder> view) const {
    using M = ouch::ReplaceOrder;
    read = {Kind::replace,     M::type,        view[M::urn], view[M::original_urn], 'B',
            view[M::quantity], view[M::price], {},           view[M::clordid]};
  }
  void operator()(View<ouch::AccountQuery> view) const {
    read = {};
    read.type = static_cast<char>(view.data()[0]);
  }
  void operator()(View<ouch::CancelOrder> view) const { keyed(Kind::cancel, view); }
  void operator()(View<ouch::ModifyOrder> view) const { keyed(Kind::modify, view); }
  void operator()(View<ouch::MassCancel> view) const { keyed(Kind::mass_cancel, view); }
  void operator()(View<ouch::DisableEntry> view) const { keyed(Kind::disable, view); }
  void operator()(View<ouch::EnableEntry> view) const { keyed(Kind::enable, view); }

  template <class M>
  void keyed(Kind kind, View<M> view) const {
    read = {};
    read.kind = kind;
    read.type = M::type;
    read.urn = view[M::urn];
  }
};

struct ToOrders {
  Orders& orders;
  bool& is_query_response;

  template <class M>
  static OpenOrder order_of(View<M> view) {
    return {view[M::urn],
            view[M::quantity],
            view[M::price],
            view[M::side],
            true,
            std::string(trimmed(view[M::symbol])),
            std::string(view[M::clordid])};
  }
  // Order state: L live, D dead on arrival (OUCH 5.0, Order Accepted).
  void operator()(View<ouch::Accepted> view) const {
    orders.accepted(order_of(view), view[ouch::Accepted::state] == 'L');
  }
  void operator()(View<ouch::Replaced> view) const {
    using M = ouch::Replaced;
    orders.replaced(view[M::original_urn], order_of(view), view[M::state] == 'L');
  }
  void operator()(View<ouch::Canceled> view) const {
    orders.canceled(view[ouch::Canceled::urn], view[ouch::Canceled::quantity]);
  }
  void operator()(View<ouch::AiqCanceled> view) const {
    orders.canceled(view[ouch::AiqCanceled::urn], view[ouch::AiqCanceled::decrement]);
  }
  void operator()(View<ouch::Executed> view) const {
    orders.executed(view[ouch::Executed::urn], view[ouch::Executed::quantity]);
  }
  void operator()(View<ouch::Rejected> view) const { orders.rejected(view[ouch::Rejected::urn]); }
  void operator()(View<ouch::Modified> view) const {
    orders.modified(view[ouch::Modified::urn], view[ouch::Modified::quantity]);
  }
  void operator()(View<ouch::QueryResponse> view) const {
    orders.next_at_venue(view[ouch::QueryResponse::next_urn]);
    is_query_response = true;
  }
  template <class M>
  void operator()(View<M>) const {}  // nothing that an open order or a number depends on
};

}  // namespace detail

inline Reason read_message(Bytes payload, ouch::Profile profile, Message& read) {
  const auto decoded = ouch::decode_inbound(payload, profile);
  if (decoded.why == Reject::unknown_type) return Reason::type_unknown;
  if (decoded.why != Reject::none) return Reason::malformed;
  ouch::visit_inbound(decoded, detail::ToMessage{read});
  return Reason::ok;
}

// Applies one sequenced response; true when it answers an account query.
inline bool apply_response(Orders& orders, Bytes payload) {
  bool is_query_response = false;
  ouch::visit_outbound(ouch::decode_outbound(payload), detail::ToOrders{orders, is_query_response});
  return is_query_response;
}

// An order that is not provably of EPOCH or later: its ClOrdID names a lower epoch, or none.
inline bool is_older_than(std::uint64_t epoch, const OpenOrder& order) {
  const auto parts = clordid::decode(order.clordid);
  return !parts || parts->epoch < epoch;
}

}  // namespace hft::gateway
