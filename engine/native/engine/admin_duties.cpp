// What the admin thread does unasked: signals, the latch file, limits reloads, the service manager.
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "core/documents.h"
#include "engine/admin.h"
#include "engine/limits_file.h"
#include "engine/signals.h"

namespace hft::engine {
namespace {

constexpr std::uint64_t kForcePatience_ns = 1'000'000'000;
constexpr std::uint64_t kPortsEvery_ns = 1'000'000'000;

}  // namespace

void Admin::take_signals() {
  if (g_kill_signals.exchange(0) > 0) kill_by_signal();
  signalfd_siginfo info{};
  while (read(signals_, &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGHUP) reload_limits();
    if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) stop_by_signal();
  }
  // The second SIGTERM does not wait for a hot loop that hangs.
  if (forced_ns_ != 0 && monotonic_ns() - forced_ns_ > kForcePatience_ns) parts_.hot.give_up();
  if (forced_ns_ != 0 && monotonic_ns() - forced_ns_ > 2 * kForcePatience_ns) _exit(kExitOrdersMaybeOpen);
}

void Admin::submit_own(core::Verb verb, std::string record) {
  auto request = std::make_unique<Request>();
  request->what = verb == core::Verb::none ? Request::What::limits : Request::What::command;
  request->verb = verb;
  request->record = std::move(record);
  if (parts_.hot.ask(request.get())) own_.push_back(std::move(request));
}

void Admin::finish_own() {
  std::erase_if(own_, [this](const std::unique_ptr<Request>& request) {
    if (!request->done.load(std::memory_order_acquire)) return false;
    last_ = request->after;
    return true;
  });
}

// The flag that blocks orders is up since the handler ran; now the core, then the disk.
void Admin::kill_by_signal() {
  g_egress_block.store(true);
  submit_own(core::Verb::kill, core::kill_record("engine", "", "SIGUSR1"));
  latch_to_disk({true, "engine", "", "SIGUSR1"});
}

void Admin::latch_to_disk(const core::Latch& latch) {
  if (!parts_.latch.write(latch)) std::fprintf(stderr, "hft-engine: the latch file cannot be written\n");
}

void Admin::reload_limits() {
  // What is in force is asked of the metrics-independent last answer; the core checks the serial once more.
  const LimitsSeen seen{last_.limits_serial, last_.limits_digest};
  auto loaded = load_limits(parts_.config.limits_file, parts_.config.allowed_signers, seen, utc_ns());
  if (const auto* why = std::get_if<std::string>(&loaded)) {
    ++limits_refused_;
    std::fprintf(stderr, "hft-engine: limits not reloaded: %s\n", why->c_str());
    return;
  }
  const auto& file = std::get<LimitsFile>(loaded);
  last_.limits_serial = file.limits.serial;
  last_.limits_digest = file.limits.digest;
  submit_own(core::Verb::none, file.bytes);
}

void Admin::stop_by_signal() {
  ++terms_;
  const bool force = terms_ > 1;
  if (force && forced_ns_ == 0) forced_ns_ = monotonic_ns();
  submit_own(force ? core::Verb::force : core::Verb::drain,
             core::admin_record(0, force ? R"({"verb":"force"})" : R"({"verb":"drain"})"));
}

void Admin::look_after_ports() {
  const std::uint64_t now_ns = monotonic_ns();
  if (now_ns - ports_seen_ns_ < kPortsEvery_ns) return;
  ports_seen_ns_ = now_ns;
  parts_.feed.look_after();
}

void Admin::tell_service_manager() {
  core::State state{};
  while (parts_.hot.take_move(state)) {
    std::string text = "STATUS=" + std::string(core::name_of(state));
    if (state == core::State::draining) text = "STOPPING=1\n" + text;
    parts_.notifier.send(text);
  }
  const std::uint64_t every_ns = parts_.notifier.watchdog_every_ns();
  const std::uint64_t now_ns = monotonic_ns();
  if (every_ns == 0 || now_ns - pinged_ns_ < every_ns) return;
  const std::uint64_t turns = parts_.metrics.get(Metric::turns);
  if (turns == turns_pinged_) return;  // a hung hot loop gets no ping from here
  turns_pinged_ = turns;
  pinged_ns_ = now_ns;
  parts_.notifier.send("WATCHDOG=1");
}

}  // namespace hft::engine
