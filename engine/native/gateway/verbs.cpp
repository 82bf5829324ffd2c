// What each admin verb checks, does and answers.
#include "gateway/verbs.h"

#include <unistd.h>

#include <algorithm>

#include "base/clock.h"
#include "base/files.h"
#include "base/words.h"
#include "gateway/engine_link.h"
#include "gateway/ouch_view.h"
#include "gateway/venue_session.h"
#include "gateway/verbs_automatic.h"

namespace hft::gateway {
namespace {

constexpr std::size_t kOrdersListedMax = 1000;
constexpr std::size_t kOrdersPerPage = 500;
constexpr std::size_t kAskedBytesMax = 40;

Json to_json(const OpenOrder& order) {
  return {{"urn", order.urn},
          {"clordid", trimmed(order.clordid)},
          {"symbol", order.symbol},
          {"side", std::string(1, order.side)},
          {"quantity", order.quantity},
          {"price_e4", order.price_e4},
          {"in_flight", !order.is_answered}};
}

Json listed(const std::vector<OpenOrder>& orders) {
  auto page = Json::array();
  for (const auto& order : orders) page.push_back(to_json(order));
  return page;
}

// The first open orders of all accounts, each with the account it belongs to.
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
                                       {"logins_rejected", session->logins_rejected()},
                                       {"next_sequence", session->next_sequence()},
                                       {"last_urn", orders.last_urn()},
                                       {"last_clordid", trimmed(orders.last_clordid())},
                                       {"open", orders.open_count()},
                                       {"fills", orders.fills()},
                                       {"cancels_acked", orders.cancels_acked()},
                                       {"position", orders.position()}};
  }
  return accounts;
}

// What the next holder needs to go on, and no list: the orders are read page by page (run_orders).
Json fence_ack(const Hub& hub, const Fence& fence) {
  return {{"ok", true},
          {"epoch", fence.epoch},
          {"gateway", hub.config.name},
          {"latch",
           {{"clear", hub.gate.latch.is_clear()},
            {"durable", hub.is_latch_saved},
            {"entries", hub.gate.latch.entries().size()}}},
          {"last_forwarded_sequence", hub.audit_log.last_forwarded()},
          {"on_fence", hub.config.on_fence == OnFence::keep ? "keep" : "cancel"},
          {"accounts", accounts_of(hub)}};
}

// Nothing stands before the ack but the signature, one write and one sync; all else comes behind it.
void run_fence(Hub& hub, const Json& request, const Asker& asker, const Reply& reply) {
  const auto fence = fence_from(request);
  if (!fence) return reply(refusal(Reason::fence_malformed));
  const auto seen = number_at(request, "seen");
  const auto highest = hub.gate.epoch.highest();
  auto reason = Reason::ok;
  base::Failure failure;
  if (!hub.is_authentic(*fence, text_at(request, "signature").value_or(""))) reason = Reason::fence_signature;
  else if (request.contains("planned") && request["planned"] == true && hub.holds.is_held(base::monotonic_ns()))
    reason = Reason::paused;
  else if (request.contains("seen") && seen != highest && fence->epoch != highest) reason = Reason::epoch_moved;
  else reason = hub.fence(*fence, failure);
  reply(reason == Reason::ok ? fence_ack(hub, *fence) : refusal(reason, failure));
  if (reason == Reason::ok) hub.fenced(*fence, who(asker));
  else hub.not_fenced(*fence, reason, failure.empty() ? who(asker) : failure);
}

// One page of an account's open orders, from behind the number `after`: as they are now, or as the last fence found
// them, before its cancels were answered. `next` is the `after` of the next page; there is none behind the last one.
void run_orders(const Hub& hub, const Json& request, const Reply& reply) {
  const auto account = text_at(request, "account").value_or("");
  const auto when = text_at(request, "at").value_or("now");
  const auto session = std::find_if(hub.sessions.begin(), hub.sessions.end(),
                                    [&](const auto& one) { return one->account.name == account; });
  if (session == hub.sessions.end()) return reply(refusal(Reason::account_unknown));
  if (when != "now" && when != "fence") return reply(refusal(Reason::protocol, "`at` is now or fence"));
  const auto kept = hub.open_at_fence.find(account);
  std::vector<OpenOrder> orders;
  if (when == "now") orders = (*session)->account.orders.open();
  else if (kept != hub.open_at_fence.end()) orders = kept->second;
  const auto after = number_at(request, "after").value_or(0);
  std::erase_if(orders, [&](const OpenOrder& order) { return order.urn <= after; });
  const auto left = orders.size();
  if (left > kOrdersPerPage) orders.resize(kOrdersPerPage);
  Json answer{{"ok", true}, {"account", account}, {"at", when}, {"left", left}, {"orders", listed(orders)}};
  answer["next"] = left > orders.size() ? Json(orders.back().urn) : Json();
  reply(answer);
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
  base::Failure failure;
  const auto cancels = hub.latch(entry, failure);
  const auto before = open_orders(hub);  // no answer to a cancel has been read since
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
  if (!hub.reread_epoch()) return reply(refusal(Reason::epoch_source));
  hub.is_active = true;
  hub.try_again();
  reply({{"ok", true}, {"epoch", hub.gate.epoch.highest()}});
  hub.audit_log.event("activate", {.epoch = hub.gate.epoch.highest(), .detail = who(asker)});
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

Json refusal(Reason reason, const std::string& detail) {
  const auto& text = text_of(reason);
  return {{"ok", false}, {"code", text.code}, {"detail", detail.empty() ? std::string(text.sentence) : detail}};
}

std::string who(const Asker& asker) {
  return "uid " + std::to_string(asker.uid) + ", process " + std::to_string(asker.pid);
}

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
          {"automatic", automatic_of(hub)},
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
  if (verb == "fence") return run_fence(hub, *request, asker, reply);
  if (verb == "orders") return run_orders(hub, *request, reply);
  if (verb == "unlatch") return run_unlatch(hub, *request, asker, reply);
  if (verb == "succession") return run_succession(hub, *request, asker, reply);
  if (verb == "pause") return run_pause(hub, *request, asker, reply);
  if (verb == "unpause") return run_unpause(hub, *request, asker, reply);
  if (verb == "activate") return run_activate(hub, asker, reply);
  if (verb == "status") return reply(status_of(hub));
  if (verb == "sessions") return reply(sessions_of(hub));
  reply(refusal(Reason::protocol,
                "verbs: fence, latch, unlatch, succession, pause, unpause, activate, orders, status, sessions"));
}

}  // namespace hft::gateway
