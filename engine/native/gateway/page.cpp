// One table: a row's name, its type, and how it is read from the hub.
#include "gateway/page.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "gateway/engine_link.h"
#include "gateway/venue_session.h"

namespace hft::gateway {
namespace {

struct Row {
  const char* name;
  base::PageType type;
  std::uint64_t (*read)(const Hub&);
};

constexpr auto kCounter = base::PageType::counter;
constexpr auto kGauge = base::PageType::gauge;

std::uint64_t open_orders(const Hub& hub) {
  std::uint64_t count = 0;
  for (const auto& session : hub.sessions) count += session->account.orders.open_count();
  return count;
}

std::uint64_t ready_sessions(const Hub& hub) {
  const auto is_ready = [](const auto& session) { return session->is_ready(); };
  return static_cast<std::uint64_t>(std::count_if(hub.sessions.begin(), hub.sessions.end(), is_ready));
}

// Connections that have claimed the highest epoch: one when its holder is here.
std::uint64_t holders(const Hub& hub) {
  std::uint64_t count = 0;
  for (const auto& [number, link] : hub.links)
    if (link->has_claimed() && link->party().epoch == hub.gate.epoch.highest()) ++count;
  return count;
}

constexpr std::array kRows{
    Row{"gateway_epoch", kGauge, [](const Hub& hub) { return hub.gate.epoch.highest(); }},
    Row{"gateway_epoch_durable", kGauge, [](const Hub& hub) -> std::uint64_t { return hub.gate.epoch.is_durable(); }},
    Row{"gateway_active", kGauge, [](const Hub& hub) -> std::uint64_t { return hub.is_active; }},
    Row{"gateway_latches", kGauge, [](const Hub& hub) -> std::uint64_t { return hub.gate.latch.entries().size(); }},
    Row{"gateway_latch_durable", kGauge, [](const Hub& hub) -> std::uint64_t { return hub.is_latch_saved; }},
    Row{"gateway_limits_in_force", kGauge, [](const Hub& hub) -> std::uint64_t { return hub.gate.limits.has_value(); }},
    Row{"gateway_links", kGauge, [](const Hub& hub) -> std::uint64_t { return hub.links.size(); }},
    Row{"gateway_holders", kGauge, holders},
    Row{"gateway_accounts", kGauge, [](const Hub& hub) -> std::uint64_t { return hub.sessions.size(); }},
    Row{"gateway_accounts_ready", kGauge, ready_sessions},
    Row{"gateway_open_orders", kGauge, open_orders},
    Row{"gateway_forwarded_total", kCounter, [](const Hub& hub) { return hub.audit_log.forwards(); }},
    Row{"gateway_refused_total", kCounter, [](const Hub& hub) { return hub.audit_log.refusals(); }},
    Row{"gateway_refused_stale_epoch_total", kCounter,
        [](const Hub& hub) { return hub.audit_log.refusals_of(Reason::stale_epoch); }},
    Row{"gateway_refused_latched_total", kCounter,
        [](const Hub& hub) { return hub.audit_log.refusals_of(Reason::latched); }},
    Row{"gateway_refused_order_old_total", kCounter,
        [](const Hub& hub) { return hub.audit_log.refusals_of(Reason::order_old); }},
};

std::vector<base::PageRow> rows() {
  std::vector<base::PageRow> all;
  for (const auto& row : kRows) all.push_back({row.name, row.type});
  return all;
}

}  // namespace

Page::Page(const std::string& path) : file_(path, rows()) {
  file_.set_writer(static_cast<std::uint32_t>(::syscall(SYS_gettid)));
}

void Page::write(const Hub& hub, std::int64_t now_ns) {
  auto* cell = file_.cells();
  for (const auto& row : kRows) (cell++)->store(row.read(hub), std::memory_order_relaxed);
  file_.heartbeat(static_cast<std::uint64_t>(now_ns));
}

}  // namespace hft::gateway
