// Commands of people and machines, and the session at the gateway.
#include <algorithm>

#include "base/words.h"
#include "core/core.h"

namespace hft::core {

void Core::refuse_command(std::string_view code, std::string_view detail) {
  answer_.code = code;
  answer_.detail = detail;
}

bool Core::on_command(const Command& command) {
  answer_ = Answer{};
  switch (command.verb) {
    case Verb::promote: promote(command); return true;
    case Verb::demote: demote(Trigger::demote); return true;
    case Verb::drain: drain(); return true;
    case Verb::force: force(); return true;
    case Verb::kill: kill(command); return true;
    case Verb::unkill: unkill(command); return true;
    case Verb::reduce:
      if (!move(Trigger::reduce)) refuse_command("illegal_state", "only ACTIVE can be reduced");
      return true;
    case Verb::resume: resume(command); return true;
    case Verb::journal_broken:
      journal_broken_ = true;
      move(Trigger::reduce);
      return true;
    case Verb::enter:
#ifdef HFT_DRILL
      if (drill_no_risk) ledger_.id_of(command.symbol);
#endif
      if (!adopting_) {
        const OrderRequest order{ledger_.find(command.symbol), command.side, command.quantity, command.price_e4, '0'};
        if (order.symbol == kNoSymbol) {
          answer_.code = may_trade(state_) ? "risk.symbol" : "not_active";
          refuse(order, command.symbol, answer_.code);
          return true;
        }
        answer_.code = request(order);
        answer_.urn = answer_.ok() ? next_urn_ - 1 : 0;
      }
      return true;
    case Verb::cancel:
      if (!adopting_) {
        Order* order = orders_.find(command.urn);
        if (order == nullptr) refuse_command("unknown_order", "no open order with this reference number");
        else if (!may_trade(state_)) refuse_command("not_active", name_of(state_));
        else if (!link_up_) refuse_command("disconnected", "no session at the gateway");
        else send_cancel(*order);
        answer_.urn = command.urn;
      }
      return true;
    case Verb::snapshot:
    case Verb::stall:
    case Verb::none: return true;
  }
  return false;
}

// The first half: may this engine claim the epoch at all? The claim itself needs sockets; the link event brings
// its outcome, and `settle_promotion` ends it.
void Core::promote(const Command& command) {
  if (latch_.set) return refuse_command("latched", "the kill latch is set: " + latch_.reason);
  if (state_ != State::standby && state_ != State::syncing) {
    return refuse_command("illegal_state", name_of(state_));
  }
  if (command.epoch <= highest_epoch_) {
    return refuse_command("stale_epoch", "the highest epoch seen is " + std::to_string(highest_epoch_));
  }
  if (state_ == State::syncing || !feed_fresh()) return refuse_command("feed", "the feed is stale or has a gap");
  if (pending_epoch_ != 0) return refuse_command("illegal_state", "another promotion is under way");
  // Whether or not the gateway grants it, this epoch is used up.
  highest_epoch_ = command.epoch;
  pending_epoch_ = command.epoch;
  pending_since_ns_ = stamp_.monotonic_ns;
  promotion_ = Answer{};
  if (config_.egress == Egress::shadow && !adopting_) {  // nothing to claim: a shadow sends nothing
    epoch_ = command.epoch;
    link_up_ = resent_ = true;
    drop_copy_.reset();
  }
}

// Another engine holds the epoch: nothing is sent and nothing cancelled, its orders may be among ours.
void Core::demote(Trigger trigger) {
  if (!move(trigger)) return refuse_command("illegal_state", name_of(state_));
  epoch_ = pending_epoch_ = 0;
  link_up_ = false;
}

void Core::kill(const Command& command) {
  if (latch_.set && state_ == State::halted) return;  // whoever presses twice must never read an error
  latch_ = {true, command.scope, command.id, command.reason, command.by};
  pending_epoch_ = 0;
  cleanup_ = Cleanup{.number = cleanup_.number + 1, .open_before = orders_.count()};
  move(Trigger::kill);
  cancel_all();
}

void Core::unkill(const Command& command) {
  if (!base::has_word(command.person) || !base::has_word(command.reason)) {
    return refuse_command("operator", "unkill needs a named operator and a reason");
  }
  if (state_ != State::halted) return refuse_command("illegal_state", name_of(state_));
  latch_ = Latch{};
  epoch_ = 0;
  link_up_ = false;
  move(Trigger::unkill);
}

void Core::drain() {
  if (state_ == State::draining) return;
  if (!has_edge(state_, Trigger::drain)) return refuse_command("illegal_state", name_of(state_));
  cleanup_ = Cleanup{.number = cleanup_.number + 1, .open_before = orders_.count()};
  drain_since_ns_ = stamp_.monotonic_ns;
  pending_epoch_ = 0;
  move(Trigger::drain);
  cancel_all();
}

void Core::force() {
  if (state_ != State::draining) drain();
  move(Trigger::force);
}

void Core::resume(const Command& command) {
  if (!base::has_word(command.person) || !base::has_word(command.reason)) {
    return refuse_command("operator", "resume needs a named operator and a reason");
  }
  if (state_ != State::reducing) return refuse_command("illegal_state", name_of(state_));
  if (!adopting_ && !feed_fresh()) return refuse_command("feed", "the feed is stale or has a gap");
  executions_since_resume_ = 0;
  doubted_ = false;
  if (limits_ && daily_loss_hit(*limits_, ledger_)) {
    return refuse_command("risk.daily_loss", "it begins anew with the trading day");
  }
  move(Trigger::resume);
}

bool Core::on_link(const LinkEvent& event) {
  switch (event.what) {
    case LinkEvent::What::up: link_came_up(event); break;
    case LinkEvent::What::down:
      link_up_ = false;
      if (pending_epoch_ != 0 && pending_epoch_ == event.epoch) {
        promotion_ = {event.code.empty() ? "gateway" : event.code, event.detail, 0, {}};
        pending_epoch_ = 0;
        epoch_ = 0;
      }
      break;
    case LinkEvent::What::refused: link_refused(event); break;
    case LinkEvent::What::replayed:
      // A replay that is not what came is one more thing to look at, and never the end of anything.
      replayed_ = link_up_ && event.next_response == responses_ + 1;
      if (link_up_ && !replayed_) doubt();
      break;
  }
  return true;
}

void Core::link_came_up(const LinkEvent& event) {
  if (event.session != session_) {
    // Another session is another day at the venue: its numbers begin anew, and day orders died with the old one.
    if (!session_.empty()) orders_.for_each([this](Order& order) { close(order); });
    if (!session_.empty()) next_urn_ = 1;
    session_ = event.session;
    responses_ = 0;
    doubted_ = false;
  }
  next_urn_ = std::max(next_urn_, event.next_urn);
  venue_next_urn_ = event.next_urn;
  highest_epoch_ = std::max(highest_epoch_, event.epoch);
  epoch_ = event.epoch;
  link_up_ = true;
  replayed_ = resent_ = false;
  pending_since_ns_ = stamp_.monotonic_ns;
  drop_copy_.reset();
  if (event.has_positions) drop_copy_.emplace(event.positions.begin(), event.positions.end());
}

// Unanswered intents go out again, oldest first, before any new order: the venue ignores what it already knows. Not
// those that are too old by now: one that never was forwarded is over, of another one the cancel goes out.
void Core::resend_unanswered() {
  resent_ = true;
  orders_.for_each([this](Order& order) {
    if (order.status != Order::Status::unanswered || order.bytes_length == 0) return;
    if (stamp_.monotonic_ns - order.sent_ns > order_age_max_ns()) {
      if (order.urn >= venue_next_urn_ && !order.resent) aged_.push_back(order.urn);
      else order.cancel_sent = true;
      return;
    }
    const auto message = std::span<const std::byte>(order.bytes).first(order.bytes_length);
    emit(Kind::intent, message);
    commit_enter(message);
  });
  orders_.for_each([this](Order& order) {
    const bool is_aged = std::find(aged_.begin(), aged_.end(), order.urn) != aged_.end();
    if (is_aged) return;
    if (order.cancel_sent || state_ == State::halted || state_ == State::draining) send_cancel(order);
  });
}

void Core::link_refused(const LinkEvent& event) {
  ++counters_.gateway_refused;
  if (event.code == "stale_epoch") {
    if (pending_epoch_ != 0) promotion_ = {"stale_epoch", event.detail, 0, {}};
    demote(Trigger::stale_epoch);
    epoch_ = pending_epoch_ = 0;
    link_up_ = false;
    return;
  }
  Order* order = orders_.find(event.urn);
  if (order == nullptr) return;
  if (order->status == Order::Status::unanswered) close(*order);  // it never reached the venue
  else order->cancel_sent = false;
}

}  // namespace hft::core
