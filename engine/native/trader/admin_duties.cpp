// What the admin thread does unasked: signals, the latch file, limits reloads, the service manager.
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "base/clock.h"
#include "base/exit_codes.h"
#include "core/documents.h"
#include "trader/admin.h"
#include "trader/limits_file.h"
#include "trader/signals.h"

namespace hft::trader {
namespace {

constexpr std::uint64_t kForcePatienceNs = 1'000'000'000;
constexpr std::uint64_t kVerifyPatienceNs = 10'000'000'000;
constexpr std::uint64_t kPortsEveryNs = 1'000'000'000;

}  // namespace

void Admin::take_signals() {
  kill_by_signal();
  finish_reload();
  signalfd_siginfo info{};
  while (read(signals_.get(), &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGHUP) reload_limits();
    if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) stop_by_signal();
  }
  // The second SIGTERM does not wait for a hot loop that hangs.
  if (forced_ns_ != 0 && base::monotonic_ns() - forced_ns_ > kForcePatienceNs) parts_.loop.give_up();
  if (forced_ns_ != 0 && base::monotonic_ns() - forced_ns_ > 2 * kForcePatienceNs) _exit(base::kExitOrdersMaybeOpen);
}

void Admin::submit_own(core::Verb verb, std::string record) {
  auto request = std::make_unique<Request>();
  request->what = verb == core::Verb::none ? Request::What::limits : Request::What::command;
  request->verb = verb;
  request->record = std::move(record);
  const bool is_taken = parts_.loop.ask(request.get());
  if (is_taken) own_.push_back(std::move(request));
  else if (verb == core::Verb::kill) unasked_.push_back(std::move(request));
}

void Admin::finish_own() {
  while (!unasked_.empty() && parts_.loop.ask(unasked_.front().get())) {
    own_.splice(own_.end(), unasked_, unasked_.begin());
  }
  std::erase_if(own_, [this](const std::unique_ptr<Request>& request) {
    if (!request->done.load(std::memory_order_acquire)) return false;
    last_ = request->after;
    return true;
  });
}

// Orders are blocked since the handler ran, and the hot loop cancels by its own look; here it becomes durable.
void Admin::kill_by_signal() {
  const std::uint32_t seen = g_kill_signals.load();
  if (seen == kill_signals_) return;
  kill_signals_ = seen;
  latch_to_disk(latch_by_signal());
}

void Admin::latch_to_disk(const core::Latch& latch) {
  if (!parts_.latch.write(latch)) std::fprintf(stderr, "hft-engine: the latch file cannot be written\n");
}

void Admin::reload_limits() {
  if (verifying_ >= 0) {
    reload_again_ = true;
    return;
  }
  auto read = read_limits(parts_.config.limits_file, parts_.config.allowed_signers);
  if (const auto* why = std::get_if<std::string>(&read)) return refuse_limits(*why);
  auto& found = std::get<LimitsBytes>(read);
  verifying_ = base::start_verification(found.claim);
  if (verifying_ < 0) return refuse_limits(parts_.config.limits_file + ": ssh-keygen cannot be started");
  verifying_since_ns_ = base::monotonic_ns();
  reloading_ = std::move(found.bytes);
}

// Looked at every turn, so that a helper that hangs holds nothing back.
void Admin::finish_reload() {
  if (verifying_ < 0) return;
  int status = 0;
  if (waitpid(verifying_, &status, WNOHANG) == verifying_) {
    verifying_ = -1;
    take_limits(base::says_signed(status));
  } else if (base::monotonic_ns() - verifying_since_ns_ > kVerifyPatienceNs) {
    base::end_verification(verifying_);
    verifying_ = -1;
    refuse_limits(parts_.config.limits_file + ": ssh-keygen gave no answer");
  }
  if (verifying_ < 0 && reload_again_) {
    reload_again_ = false;
    reload_limits();
  }
}

void Admin::refuse_limits(const std::string& why) {
  ++limits_refused_;
  std::fprintf(stderr, "hft-engine: limits not reloaded: %s\n", why.c_str());
}

void Admin::take_limits(bool is_signed) {
  // What is in force is asked of the metrics-independent last answer; the core checks the serial once more.
  const LimitsSeen seen{last_.limits_serial, last_.limits_digest};
  auto loaded = judge_limits(parts_.config.limits_file, std::move(reloading_), is_signed, seen, base::realtime_ns());
  if (const auto* why = std::get_if<std::string>(&loaded)) return refuse_limits(*why);
  const auto& file = std::get<LimitsFile>(loaded);
  last_.limits_serial = file.limits.serial;
  last_.limits_digest = file.limits.digest;
  submit_own(core::Verb::none, file.bytes);
}

void Admin::stop_by_signal() {
  ++terms_;
  const bool force = terms_ > 1;
  if (force && forced_ns_ == 0) forced_ns_ = base::monotonic_ns();
  submit_own(force ? core::Verb::force : core::Verb::drain,
             core::admin_record(0, 0, force ? R"({"verb":"force"})" : R"({"verb":"drain"})"));
}

void Admin::look_after_ports() {
  const std::uint64_t now_ns = base::monotonic_ns();
  if (now_ns - ports_seen_ns_ < kPortsEveryNs) return;
  ports_seen_ns_ = now_ns;
  parts_.feed.look_after();
}

void Admin::tell_service_manager() {
  core::State state{};
  while (parts_.loop.take_move(state)) {
    std::string text = "STATUS=" + std::string(core::name_of(state));
    if (state == core::State::draining) text = "STOPPING=1\n" + text;
    parts_.notifier.send(text);
  }
  const std::uint64_t every_ns = parts_.notifier.watchdog_every_ns();
  const std::uint64_t now_ns = base::monotonic_ns();
  if (every_ns == 0 || now_ns - pinged_ns_ < every_ns) return;
  const std::uint64_t turns = parts_.metrics.get(Metric::turns);
  if (turns == turns_pinged_) return;  // a hung hot loop gets no ping from here
  turns_pinged_ = turns;
  pinged_ns_ = now_ns;
  parts_.notifier.send("WATCHDOG=1");
}

}  // namespace hft::trader
