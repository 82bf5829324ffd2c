// What each admin verb checks, does and answers.
#include "gateway/verbs.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/signature.h"
#include "base/words.h"
#include "gateway/engine_link.h"
#include "gateway/ouch_view.h"
#include "gateway/venue_session.h"

namespace hft::gateway {
namespace {

constexpr std::size_t kOrdersListedMax = 1000;
constexpr std::size_t kAskedBytesMax = 40;

Json refusal(Reason reason, const std::string& detail = {}) {
  const auto& text = text_of(reason);
  return {{"ok", false}, {"code", text.code}, {"detail", detail.empty() ? std::string(text.sentence) : detail}};
}

Json to_json(const OpenOrder& order) {
  return {{"urn", order.urn},
          {"clordid", trimmed(order.clordid)},
          {"symbol", order.symbol},
          {"side", std::string(1, order.side)},
          {"quantity", order.quantity},
          {"price_e4", order.price_e4},
          {"in_flight", !order.is_answered}};
}

// Open orders and position of every account, each order with the account it belongs to.
Json open_orders(const Hub& hub) {
  auto listed = Json::array();
  for (const auto& session : hub.sessions)
    for (const auto& order : session->account.orders.open()) {
      if (listed.size() >= kOrdersListedMax) return listed;
      auto entry = to_json(order);
      entry["account"] = session->account.name;
      listed.push_back(std::move(entry));
    }
  return listed;
}

Json accounts_of(const Hub& hub) {
  auto accounts = Json::object();
  for (const auto& session : hub.sessions) {
    const auto& orders = session->account.orders;
    accounts[session->account.name] = {{"phase", session->phase_name()},
                                       {"session", session->session()},
                                       {"next_sequence", session->next_sequence()},
                                       {"last_urn", orders.last_urn()},
                                       {"open", orders.open_count()},
                                       {"fills", orders.fills()},
                                       {"cancels_acked", orders.cancels_acked()},
                                       {"position", orders.position()}};
  }
  return accounts;
}

std::uint32_t last_urn(const Hub& hub) {
  std::uint32_t last = 0;
  for (const auto& session : hub.sessions) last = std::max(last, session->account.orders.last_urn());
  return last;
}

void apply_fence(Hub& hub, const Fence& fence, bool is_signed, const Reply& reply) {
  if (!is_signed) {
    hub.audit_log.refuse({.party = fence.holder, .epoch = fence.epoch}, Reason::fence_signature);
    return reply(refusal(Reason::fence_signature));
  }
  const auto before = open_orders(hub);
  base::Failure failure;
  const auto reason = hub.fence(fence, failure);
  if (reason != Reason::ok) return reply(refusal(reason, failure));
  reply({{"ok", true},
         {"epoch", fence.epoch},
         {"gateway", hub.config.name},
         {"last_forwarded_sequence", hub.audit_log.last_forwarded()},
         {"last_urn", last_urn(hub)},
         {"open_orders", before},
         {"on_fence", hub.config.on_fence == OnFence::keep ? "keep" : "cancel"},
         {"accounts", accounts_of(hub)}});
}

void run_fence(Hub& hub, const Json& request, const Reply& reply) {
  const auto fence = fence_from(request);
  if (!fence) return reply(refusal(Reason::fence_malformed));
  const auto signature = text_at(request, "signature").value_or("");
  if (hub.gate.house.is_test && signature.empty()) return apply_fence(hub, *fence, true, reply);
  const base::Signed claim{hub.config.authority_signers, "epoch", "hft-fence", canonical(to_json(*fence)), signature};
  hub.verifier.check(claim,
                     [&hub, fence = *fence, reply](bool is_signed) { apply_fence(hub, fence, is_signed, reply); });
}

std::string who(const Asker& asker) {
  return "uid " + std::to_string(asker.uid) + ", process " + std::to_string(asker.pid);
}

// Whether a latch of this scope stops what it names, now and when it is read back from its block.
bool is_known(const Hub& hub, Scope scope, const std::string& id) {
  if (scope == Scope::site) return true;
  if (id.empty() || !LatchBlock::keeps(id)) return false;
  if (scope == Scope::engine) return true;  // one that is not connected yet can be stopped as well
  for (const auto& account : hub.config.accounts)
    if (id == (scope == Scope::account ? account.name : account.strategy)) return true;
  return false;
}

LatchEntry latch_entry(const Hub& hub, const Json& request, const Asker& asker, const std::string& odd) {
  const auto scope = scope_named(text_at(request, "scope").value_or(""));
  const auto id = text_at(request, "id").value_or("");
  const auto reason = base::cleaned(text_at(request, "reason").value_or(""), kReasonBytesMax);
  LatchEntry entry{Scope::site,
                   "",
                   base::has_word(reason) ? reason : "no reason was given",
                   static_cast<std::int64_t>(base::realtime_ns()),
                   hub.gate.epoch.highest(),
                   who(asker) + odd};
  if (scope && is_known(hub, *scope, id)) {
    entry.scope = *scope;
    entry.id = *scope == Scope::site ? "" : id;
  } else {
    entry.by += ", asked for " + base::cleaned(text_at(request, "scope").value_or("?") + " " + id, kAskedBytesMax);
  }
  return entry;
}

void run_latch(Hub& hub, const Json& request, const Asker& asker, const std::string& odd, const Reply& reply) {
  const auto entry = latch_entry(hub, request, asker, odd);
  const auto number = hub.gate.latch.set(entry);  // the block; what follows may take its time
  const auto before = open_orders(hub);
  base::Failure failure;
  const auto cancels = hub.latch(entry, failure);
  reply({{"ok", true},
         {"durable", failure.empty()},
         {"detail", failure.empty() ? "latched" : "latched in memory and tried again every second: " + failure},
         {"number", number},
         {"scope", name_of(entry.scope)},
         {"by", entry.by},
         {"last_forwarded_sequence", hub.audit_log.last_forwarded()},
         {"open_before", before},
         {"cancels_sent", cancels},
         {"accounts", accounts_of(hub)},
         {"flattens", false}});
}

// The numbers in `entries`; none when there are none or one is no number.
std::vector<std::uint64_t> numbers_in(const Json& request) {
  std::vector<std::uint64_t> numbers;
  const auto entries = request.find("entries");
  if (entries == request.end() || !entries->is_array()) return {};
  for (const auto& entry : *entries) {
    if (!entry.is_number_unsigned()) return {};
    numbers.push_back(entry.get<std::uint64_t>());
  }
  return numbers;
}

void run_unlatch(Hub& hub, const Json& request, const Asker& asker, const Reply& reply) {
  const auto person = base::cleaned(text_at(request, "operator").value_or(""), kReasonBytesMax);
  const auto why = base::cleaned(text_at(request, "reason").value_or(""), kReasonBytesMax);
  if (!base::has_word(person) || !base::has_word(why)) return reply(refusal(Reason::operator_missing));
  const auto numbers = numbers_in(request);
  if (numbers.empty()) return reply(refusal(Reason::latch_unnamed));
  if (Latch left = hub.gate.latch; !left.clear(numbers)) return reply(refusal(Reason::latch_unknown));
  const auto failure = hub.unlatch(numbers);
  if (!failure.empty()) return reply(refusal(Reason::latched, "still latched: " + failure));
  std::string named;
  for (const auto number : numbers) named += (named.empty() ? "" : " ") + std::to_string(number);
  hub.audit_log.event("unlatch", {.party = person, .detail = why + " (latch " + named + ", " + who(asker) + ")"});
  reply({{"ok", true}, {"still_latched", hub.gate.latch.entries().size()}});
}

// A standby takes over: it re-reads the epoch, and only then do its sessions log in at the venue.
void run_activate(Hub& hub, const Asker& asker, const Reply& reply) {
  hub.reread_epoch([&hub, asker, reply](bool is_read) {
    if (!is_read) return reply(refusal(Reason::epoch_source));
    hub.is_active = true;
    hub.audit_log.event("activate", {.epoch = hub.gate.epoch.highest(), .detail = who(asker)});
    reply({{"ok", true}, {"epoch", hub.gate.epoch.highest()}});
  });
}

Json to_json(const HopHistogram& histogram) {
  auto buckets = Json::array();
  for (std::size_t index = 0; index < HopHistogram::kBuckets; ++index)
    if (histogram.at(index) > 0) buckets.push_back({HopHistogram::upper_ns(index), histogram.at(index)});
  return {{"count", histogram.count()},
          {"p50_ns", histogram.quantile_ns(500'000)},
          {"p99_ns", histogram.quantile_ns(990'000)},
          {"p999_ns", histogram.quantile_ns(999'000)},
          {"max_ns", histogram.max_ns()},
          {"buckets", buckets}};
}

Json sessions_of(const Hub& hub) {
  auto links = Json::array();
  for (const auto& [number, link] : hub.links)
    links.push_back({{"link", number},
                     {"phase", link->phase_name()},
                     {"party", link->party().holder},
                     {"epoch", link->party().epoch},
                     {"account", link->account_name()},
                     {"stale", hub.gate.epoch.is_stale(link->party().epoch)}});
  return {{"ok", true}, {"links", links}, {"accounts", accounts_of(hub)}};
}

}  // namespace

Json status_of(const Hub& hub) {
  auto latched = Json::array();
  for (const auto& entry : hub.gate.latch.entries())
    latched.push_back({{"scope", name_of(entry.scope)},
                       {"id", entry.id},
                       {"reason", entry.reason},
                       {"by", entry.by},
                       {"number", entry.number},
                       {"utc_ns", entry.utc_ns},
                       {"epoch", entry.epoch}});
  const auto& limits = hub.gate.limits;
  return {{"ok", true},
          {"name", hub.config.name},
          {"pid", ::getpid()},
          {"port", hub.port},
          {"contract", kContractVersion},
          {"active", hub.is_active},
          {"test", hub.gate.house.is_test},
          {"drill_build", hub.gate.house.is_drill_build},
          {"epoch_enforced", hub.gate.is_epoch_enforced},
          {"epoch",
           {{"highest", hub.gate.epoch.highest()},
            {"durable", hub.gate.epoch.is_durable()},
            {"holder", hub.gate.epoch.fence().holder}}},
          {"latch", {{"clear", hub.gate.latch.is_clear()}, {"durable", hub.is_latch_saved}, {"entries", latched}}},
          {"limits",
           {{"loaded", limits.has_value()},
            {"code", code_of(hub.limits_reason)},
            {"serial", hub.state.limits_serial},
            {"digest", limits ? limits->digest : ""}}},
          {"log_seq", hub.audit_log.seq()},
          {"accounts", accounts_of(hub)},
          {"hop", {{"to_venue", to_json(hub.to_venue)}, {"to_engine", to_json(hub.to_engine)}}}};
}

void run_verb(Hub& hub, const std::string& line, const Asker& asker, Reply reply) {
  auto request = parse_object(line);
  if (base::spots_verb(line, "latch")) {
    std::string odd;
    if (!request) {
      request = parse_object(base::cleaned(line, line.size()));
      odd = request ? ", not in UTF-8" : ", unreadable";
    }
    return run_latch(hub, request ? *request : Json{{"reason", line}}, asker, odd, reply);
  }
  const auto verb = request ? text_at(*request, "verb").value_or("") : "";
  if (verb == "latch") return run_latch(hub, *request, asker, "", reply);
  if (verb == "fence") return run_fence(hub, *request, reply);
  if (verb == "unlatch") return run_unlatch(hub, *request, asker, reply);
  if (verb == "activate") return run_activate(hub, asker, reply);
  if (verb == "status") return reply(status_of(hub));
  if (verb == "sessions") return reply(sessions_of(hub));
  reply(refusal(Reason::protocol, "verbs: fence, latch, unlatch, activate, status, sessions"));
}

}  // namespace hft::gateway
