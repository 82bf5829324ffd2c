// Recovery, fencing, latching, limits and the epoch source: everything that changes the decision core.
#include "gateway/hub.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/files.h"
#include "gateway/engine_link.h"
#include "gateway/limits_file.h"
#include "gateway/ouch_view.h"
#include "gateway/venue_session.h"

namespace hft::gateway {
namespace {

constexpr std::int64_t kLatchRetryNs = 1'000'000'000;
constexpr std::int64_t kToldEveryNs = 1'000'000'000;
constexpr std::string_view kAuthority = "epoch";  // who signs fences, and for what
constexpr std::string_view kFenceSpace = "hft-fence";
constexpr std::string_view kSuccessionSpace = "hft-succession";

#ifdef HFT_DRILL
constexpr bool kIsDrillBuild = true;
#else
constexpr bool kIsDrillBuild = false;
#endif

}  // namespace

Hub::Hub(Config read_config, const Options& options)
    : config(std::move(read_config)),
      profile(*ouch::profile_of(config.profile)),
      verifier(loop),
      takeover(*this),
      is_active(!config.is_standby) {
  gate.house = {options.is_test, kIsDrillBuild};
  gate.is_epoch_enforced = options.is_epoch_enforced || !kIsDrillBuild;
  gate.order_age_max_ns = config.order_age_max_ms * base::kNsPerMs;
  gate.needs_limits = !options.is_test || !config.limits_file.empty();
  for (const auto& account : config.accounts) sessions.push_back(std::make_unique<VenueSession>(*this, account));
}

Hub::~Hub() {
  links.clear();
  sessions.clear();
}

// A state file of an earlier release moves into a block once, and is gone then: it must not be believed again.
std::variant<DurableState, base::Failure> Hub::read_state() {
  const auto before = config.state_path_before();
  if (::access(config.state_path().c_str(), F_OK) != 0) {
    const auto text = base::read_file(before);
    const auto old = text ? state_from(*text) : std::nullopt;
    if (text && !old) return "the state file lacks a field: " + before;
    if (old)
      if (auto failure = StateBlock::create(config.state_path(), *old); !failure.empty()) return failure;
  }
  auto read = state_block.open(config.state_path());
  if (std::holds_alternative<DurableState>(read)) ::unlink(before.c_str());
  return read;
}

base::Failure Hub::recover() {
  auto loaded = read_state();
  if (auto* failure = std::get_if<base::Failure>(&loaded)) return *failure;
  state = std::get<DurableState>(std::move(loaded));
  gate.epoch = EpochState(state.fence, state.owner);
  for (const auto kind : kHoldKinds)
    if (const auto& hold = state.holds[static_cast<std::size_t>(kind)])
      holds.set(kind, *hold, base::monotonic_ns(), base::realtime_ns());
  takeover.rearm();
  gate.latch = block.open(config.latch_path(), static_cast<std::int64_t>(base::realtime_ns()));
  if (auto failure = audit_log.open(config.log_directory); !failure.empty()) return failure;
  for (std::size_t index = 0; index < sessions.size(); ++index)
    if (auto failure = sessions[index]->keep_history(config.history_path(index)); !failure.empty()) return failure;
  audit_log.event("start", {.epoch = gate.epoch.highest()});
  for (const auto& entry : gate.latch.entries())
    audit_log.event("latched", {.party = entry.id, .reason = Reason::latched, .detail = entry.reason});
  return {};
}

base::Failure Hub::load_authority() {
  if (config.authority_signers.empty()) return {};
  const auto text = base::read_file(config.authority_signers);
  if (!text) return base::failed("cannot read", config.authority_signers);
  base::AllowedSigners read(*text);
  if (!read.has_key(kAuthority, kFenceSpace))
    return config.authority_signers +
           ": no plain line with an ssh-ed25519 key of `epoch` for hft-fence; nothing else "
           "can be checked without waiting for another process";
  authority_ = std::move(read);
  return {};
}

bool Hub::is_authentic(const Fence& fence, std::string_view signature) const {
  if (gate.house.is_test && signature.empty()) return true;
  return authority_.is_signed(kAuthority, kFenceSpace, canonical(to_json(fence)), signature);
}

bool Hub::is_authentic(const Succession& succession, std::string_view signature) const {
  if (gate.house.is_test && signature.empty()) return true;
  return authority_.is_signed(kAuthority, kSuccessionSpace, canonical(to_json(succession)), signature);
}

Reason Hub::fence(const Fence& fence, base::Failure& failure, const Succeeded* made) {
  auto next = state;
  next.fence = fence;
  next.owner.clear();
  next.succession.reset();
  if (made != nullptr) next.succeeded.push_back(*made);
  if (next.succeeded.size() > kSucceededKept) next.succeeded.erase(next.succeeded.begin());
  if (!StateBlock::fits(next)) return Reason::fence_malformed;  // before it blocks what it could never replace
  const auto reason = gate.epoch.raise(fence);                  // from here on every lower epoch is refused
  if (reason != Reason::ok || gate.epoch.is_durable()) return reason;
  failure = state_block.write(next);
  if (!failure.empty()) return Reason::epoch_not_durable;
  state = std::move(next);
  gate.epoch.made_durable();
  return Reason::ok;
}

void Hub::fenced(const Fence& fence, std::string_view who) {
  audit_log.event("fence", {.party = fence.holder, .epoch = fence.epoch, .detail = who});
  const bool is_repeated = std::exchange(epoch_at_fence, fence.epoch) == fence.epoch;  // its cancels are out already
  for (const auto& session : sessions)
    if (!is_repeated) open_at_fence[session->account.name] = session->account.orders.open();
  for (auto& session : sessions) catch_up(*session);
  state_block.mirror();
  takeover.rearm();
}

// Nobody holds a floor: a new fence does. Where nobody signs fences, claims of that epoch go on.
void Hub::raise_floor(std::uint64_t epoch) {
  if (epoch <= gate.epoch.highest()) return;
  const Fence floor{epoch, "", {}};
  base::Failure failure;
  const auto reason = fence(floor, failure);
  if (reason != Reason::ok) return not_fenced(floor, reason, failure);
  audit_log.event("floor", {.epoch = epoch, .detail = "the venue has accepted orders of this epoch"});
  state_block.mirror();
  takeover.rearm();
}

base::Failure Hub::keep(DurableState next) {
  if (!StateBlock::fits(next)) return "it does not fit the state block";
  auto failure = state_block.write(next);
  if (!failure.empty()) return failure;
  state = std::move(next);
  state_block.mirror();
  takeover.rearm();
  return {};
}

bool Hub::has_sessions() const {
  return is_active &&
         std::all_of(sessions.begin(), sessions.end(), [](const auto& session) { return session->is_ready(); });
}

void Hub::not_fenced(const Fence& fence, Reason reason, const base::Failure& failure) {
  audit_log.refuse({.party = fence.holder, .epoch = fence.epoch, .detail = failure}, reason);
}

std::size_t Hub::cancel_where(VenueSession& session, std::string_view why,
                              const std::function<bool(const OpenOrder&)>& is_meant) {
  std::size_t sent = 0;
  for (const auto& order : session.account.orders.open()) {
    if (!is_meant(order) || !session.cancel(order)) continue;
    ++sent;
    audit_log.event(why, {.session = session.account.name,
                          .epoch = gate.epoch.highest(),
                          .urn = order.urn,
                          .type = 'X',
                          .clordid = trimmed(order.clordid)});
  }
  return sent;
}

void Hub::catch_up(VenueSession& session) {
  if (config.on_fence == OnFence::cancel && gate.is_epoch_enforced && gate.epoch.highest() > 0)
    cancel_where(session, "fence_cancel",
                 [this](const OpenOrder& order) { return is_older_than(gate.epoch.highest(), order); });
  const auto& holder = session.last_holder.empty() ? gate.epoch.fence().holder : session.last_holder;
  if (gate.latch.stops({holder, session.account.strategy, session.account.name}))
    cancel_where(session, "kill_cancel", [](const OpenOrder&) { return true; });
}

std::size_t Hub::latch(const LatchEntry& entry, base::Failure& failure) {
  gate.latch.set(entry);  // blocked; nothing below can undo that
  std::size_t cancels = 0;
  for (auto& session : sessions) {
    const auto& holder = session->last_holder.empty() ? gate.epoch.fence().holder : session->last_holder;
    if (Latch::matches(entry, {holder, session->account.strategy, session->account.name}))
      cancels += cancel_where(*session, "kill_cancel", [](const OpenOrder&) { return true; });
  }
  failure = block.write(gate.latch);
  is_latch_saved = failure.empty();
  const std::string why = entry.reason + " (" + entry.by + ")";
  audit_log.event("latch", {.party = entry.id, .reason = Reason::latched, .detail = why});
  return cancels;
}

base::Failure Hub::unlatch(const std::vector<std::uint64_t>& numbers) {
  Latch left = gate.latch;
  if (!left.clear(numbers)) return "no entry of that number";
  auto failure = block.write(left);
  if (!failure.empty()) {
    is_latch_saved = false;
    return failure;
  }
  gate.latch = std::move(left);
  is_latch_saved = true;
  return {};
}

bool Hub::reread_epoch() {
  if (config.epoch_source.empty()) return true;
  const auto text = base::read_file(config.epoch_source);
  const auto object = text ? parse_object(*text) : std::nullopt;
  const auto read = object ? fence_from(*object) : std::nullopt;
  // An authority that is behind us has lost what it promised: nobody logs in on its word. Unless what it allowed in
  // advance is what brought us here.
  const bool is_succeeded = !state.succeeded.empty() && state.succeeded.back().epoch == gate.epoch.highest();
  const auto from = is_succeeded ? state.succeeded.back().epoch_before : 0;
  const auto least = from != 0 ? from : gate.epoch.highest();
  if (read && from != 0 && read->epoch >= from && read->epoch < gate.epoch.highest() &&
      is_authentic(*read, text_at(*object, "signature").value_or("")))
    return true;
  if (!read || read->epoch < least) {
    audit_log.refuse({.epoch = read ? read->epoch : 0}, Reason::epoch_source);
    return false;
  }
  base::Failure failure;
  const bool is_new = read->epoch > gate.epoch.highest();
  const bool is_signed = is_authentic(*read, text_at(*object, "signature").value_or(""));
  if (!is_signed || fence(*read, failure) != Reason::ok) {
    not_fenced(*read, Reason::epoch_source, failure);
    return false;
  }
  if (is_new) fenced(*read, "the epoch source");
  return true;
}

void Hub::load_limits() {
  if (config.limits_file.empty()) return;
  const auto text = base::read_file(config.limits_file);
  if (!text) {
    limits_reason = Reason::limits_missing;
    return;
  }
  const auto signature = base::read_file(config.limits_file + ".sig").value_or("");
  if (gate.house.is_test && config.authority_signers.empty()) return take_limits(*text);
  verifier.check({config.authority_signers, "limits", "hft-limits", *text, signature},
                 [this, text = *text](Verdict verdict) {
                   if (verdict == Verdict::good) return take_limits(text);
                   limits_reason = Reason::limits_signature;
                   audit_log.refuse({}, limits_reason);
                 });
}

// What was loaded before stays in force when the fresh file is refused.
void Hub::take_limits(const std::string& text) {
  auto fresh = limits_from(text);
  limits_reason =
      fresh ? may_load(*fresh, state.limits_serial, state.limits_digest, base::realtime_ns()) : Reason::limits_missing;
  if (limits_reason == Reason::ok && fresh->serial > state.limits_serial) {
    auto next = state;
    next.limits_serial = fresh->serial;
    next.limits_digest = fresh->digest;
    if (!state_block.write(next).empty()) limits_reason = Reason::epoch_not_durable;
    if (limits_reason == Reason::ok) {
      state = std::move(next);
      state_block.mirror();
    }
  }
  if (limits_reason != Reason::ok) {
    audit_log.refuse({}, limits_reason);
    return;
  }
  for (auto& session : sessions) session->account.window.resize(fresh->orders_per_s_max);
  gate.limits = std::move(fresh);
  audit_log.event("limits", {.detail = gate.limits->digest});
}

bool Hub::is_slot_known(const std::string& slot) const {
  for (const auto& account : config.accounts)
    for (const auto& open_to : account.slots)
      if (open_to == slot) return true;
  return false;
}

bool Hub::is_promotion_barred(const std::string& slot, std::string_view holder, std::uint64_t epoch) const {
  for (const auto& session : sessions) {
    const auto& slots = session->config.slots;
    if (std::find(slots.begin(), slots.end(), slot) == slots.end()) continue;
    const auto& account = session->account;
    if (!gate.latch.bars_promotion({holder, account.strategy, account.name}, epoch)) return false;
  }
  return !gate.latch.is_clear();
}

void Hub::refuse_stranger(const LogLine& line, Reason reason) {
  if (stranger_lines_.take(base::monotonic_ns())) audit_log.refuse(line, reason);
}

bool Hub::make_place(const std::string& slot) {
  constexpr std::size_t kPlacesOfASlot = 16;
  std::size_t taken = 0;
  EngineLink* oldest = nullptr;
  for (const auto& [number, link] : links) {
    if (link->is_stranger() || link->slot() != slot) continue;
    ++taken;
    if (oldest == nullptr && !link->has_claimed()) oldest = link.get();
  }
  if (taken < kPlacesOfASlot) return true;
  if (oldest != nullptr) oldest->refuse_link(Reason::no_place);
  return oldest != nullptr;
}

void Hub::claimed(const Party& party) {
  if (party.process.empty() || party.egress == Egress::shadow || !gate.epoch.owner().empty()) return;
  gate.epoch.claimed_by(party.process);
  state.owner = party.process;
  state_block.keep(state);
}

void Hub::try_again() {
  for (auto& session : sessions) session->try_again();
}

void Hub::drop(EngineLink& link) {
  auto node = links.extract(link.number);
  if (!node.empty()) loop.bury(std::move(node.mapped()));
}

void Hub::tick(std::int64_t now_ns) {
  verifier.tick(now_ns);
  for (auto& session : sessions) session->tick(now_ns);
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, link] : links) numbers.push_back(number);
  for (const auto number : numbers)
    if (const auto found = links.find(number); found != links.end()) found->second->tick(now_ns);
  if (stranger_lines_.missed() > 0 && now_ns - strangers_told_ns_ >= kToldEveryNs) {
    strangers_told_ns_ = now_ns;
    const auto missed = std::to_string(stranger_lines_.take_missed());
    audit_log.refuse({.detail = missed + " refusals of connections that were never admitted are not logged"},
                     Reason::strangers);
  }
  if (is_latch_saved || now_ns - latch_retry_ns_ < kLatchRetryNs) return;
  latch_retry_ns_ = now_ns;
  is_latch_saved = block.write(gate.latch).empty();
}

}  // namespace hft::gateway
