// From OUCH bytes to what a decision needs, from responses to what an account has open, and our own cancels.
#pragma once

#include "gateway/admission.h"
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
    read.time_in_force = view[M::time_in_force];
    read.display = view[M::display];
    read.capacity = view[M::capacity];
    read.sweep = view[M::sweep];
    read.cross_type = view[M::cross_type];
  }
  void operator()(View<ouch::ReplaceOrder> view) const {
    using M = ouch::ReplaceOrder;
    read = {Kind::replace,     M::type,        view[M::urn], view[M::original_urn], 'B',
            view[M::quantity], view[M::price], {},           view[M::clordid]};
    read.time_in_force = view[M::time_in_force];
    read.display = view[M::display];
    read.sweep = view[M::sweep];
  }
  void operator()(View<ouch::AccountQuery> view) const {
    read = {};
    read.type = static_cast<char>(view.data()[0]);
  }
  void operator()(View<ouch::CancelOrder> view) const { keyed(Kind::cancel, view); }
  void operator()(View<ouch::ModifyOrder> view) const {
    keyed(Kind::modify, view);
    read.side = view[ouch::ModifyOrder::side];
    read.quantity = view[ouch::ModifyOrder::quantity];
  }
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
  bool& is_understood;

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
    is_understood = orders.executed(view[ouch::Executed::urn], view[ouch::Executed::quantity]);
  }
  void operator()(View<ouch::Rejected> view) const {
    orders.rejected(view[ouch::Rejected::urn], view[ouch::Rejected::clordid]);
  }
  void operator()(View<ouch::Modified> view) const {
    orders.modified(view[ouch::Modified::urn], view[ouch::Modified::side], view[ouch::Modified::quantity]);
  }
  void operator()(View<ouch::QueryResponse> view) const {
    orders.next_at_venue(view[ouch::QueryResponse::next_urn]);
    is_query_response = true;
  }
  void operator()(View<ouch::PriorityUpdate> view) const {
    orders.repriced(view[ouch::PriorityUpdate::urn], view[ouch::PriorityUpdate::price]);
  }
  void operator()(View<ouch::BrokenTrade>) const { is_understood = false; }  // a position that nobody can compute here
  // Every outbound event stands here by name. These move neither an order, a number nor a position.
  void operator()(View<ouch::SystemEvent>) const {}
  void operator()(View<ouch::CancelPending>) const {}
  void operator()(View<ouch::CancelReject>) const {}
  void operator()(View<ouch::Restated>) const {}
  void operator()(View<ouch::MassCancelResponse>) const {}
  void operator()(View<ouch::DisableResponse>) const {}
  void operator()(View<ouch::EnableResponse>) const {}
};

}  // namespace detail

inline Reason read_message(Bytes payload, ouch::Profile profile, Message& read) {
  const auto decoded = ouch::decode_inbound(payload, profile);
  if (decoded.why == Reject::unknown_type) return Reason::type_unknown;
  if (decoded.why != Reject::none) return Reason::malformed;
  ouch::visit_inbound(decoded, detail::ToMessage{read});
  return Reason::ok;
}

struct Applied {
  bool is_query_response = false;
  bool is_understood = true;  // false: open orders or positions are not what is told here
};

// Applies one sequenced response.
inline Applied apply_response(Orders& orders, Bytes payload) {
  Applied applied;
  const auto message = ouch::decode_outbound(payload);
  applied.is_understood = message.why == Reject::none;
  ouch::visit_outbound(message, detail::ToOrders{orders, applied.is_query_response, applied.is_understood});
  return applied;
}

// An order that is not provably of EPOCH or later: its ClOrdID names a lower epoch, or none.
inline bool is_older_than(std::uint64_t epoch, const OpenOrder& order) {
  const auto parts = clordid::decode(order.clordid);
  return !parts || parts->epoch < epoch;
}

}  // namespace hft::gateway
