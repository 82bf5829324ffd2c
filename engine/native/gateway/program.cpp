// Starting, ticking, reloading, stopping.
#include "gateway/program.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#include <cstdio>
#include <optional>
#include <system_error>

#include "base/clock.h"
#include "base/exit_codes.h"
#include "base/files.h"
#include "base/net.h"
#include "base/ownership.h"
#include "gateway/engine_link.h"
#include "gateway/page.h"
#include "gateway/places.h"
#include "gateway/venue_session.h"

namespace hft::gateway {
namespace {

constexpr long kTickNs = 50'000'000;

int complain(int code, const base::Failure& failure) {
  std::fprintf(stderr, "hft-gateway: %s\n", failure.c_str());
  return code;
}

class Listener : public Source {
 public:
  explicit Listener(Hub& hub) : hub_(hub) {}

  base::Failure start() {
    const auto& at = hub_.config.listen;
    try {
      socket_ = base::listen_tcp(at);
    } catch (const base::NetError& refused) {
      errno = refused.error;
    }
    if (!socket_ || !hub_.loop.add(socket_.get(), EPOLLIN, *this))
      return base::failed("cannot listen on", base::to_text(at));
    hub_.port = base::port_of(socket_);
    return {};
  }

  void on_events(std::uint32_t) override {
    auto fd = base::accept_from(socket_);
    if (!fd) return;
    std::vector<Guest> guests;
    for (const auto& [number, link] : hub_.links)
      guests.push_back({number, link->peer(), link->is_stranger(), link->is_silent()});
    const auto place = place_for(base::peer_of(fd), guests);
    if (!place.is_given) return hub_.refuse_stranger({}, Reason::no_place);  // closed at once
    if (place.leaves != 0) hub_.links.at(place.leaves)->refuse_link(Reason::no_place);
    const auto number = ++hub_.links_seen;
    auto& link = hub_.links[number] = std::make_unique<EngineLink>(hub_, std::move(fd), number);
    link->start();
  }

 private:
  Hub& hub_;
  base::Fd socket_;
};

class Ticker : public Source {
 public:
  Ticker(Hub& hub, Page* page)
      : hub_(hub), page_(page), timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
    const itimerspec every{{0, kTickNs}, {0, 1}};
    ::timerfd_settime(timer_.get(), 0, &every, nullptr);
    hub_.loop.add(timer_.get(), EPOLLIN, *this);
  }

  void on_events(std::uint32_t) override {
    std::uint64_t expired = 0;
    if (::read(timer_.get(), &expired, sizeof expired) <= 0) return;
    const auto now_ns = base::monotonic_ns();
    hub_.tick(now_ns);
    if (page_ != nullptr) page_->write(hub_, now_ns);
  }

 private:
  Hub& hub_;
  Page* page_;
  base::Fd timer_;
};

// SIGTERM and SIGINT stop, SIGHUP reads the limits and the authority's keys again, and logs in where it was rejected.
class Signals : public Source {
 public:
  explicit Signals(Hub& hub) : hub_(hub) {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set, number);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    fd_ = base::Fd(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    hub_.loop.add(fd_.get(), EPOLLIN, *this);
  }

  void on_events(std::uint32_t) override {
    signalfd_siginfo info{};
    if (::read(fd_.get(), &info, sizeof info) != sizeof info) return;
    if (info.ssi_signo != SIGHUP) return hub_.loop.stop();
    if (const auto failure = hub_.load_authority(); !failure.empty())
      hub_.audit_log.refuse({.detail = failure}, Reason::fence_signature);
    hub_.load_limits();
    hub_.try_again();
  }

 private:
  Hub& hub_;
  base::Fd fd_;
};

// Everything that this gateway replaces, appends to or unlinks; another one that runs keeps it.
void claim(const Config& config, base::Ownership& owned) {
  owned.claim_directory(config.state_directory);
  owned.claim_directory(config.log_directory);
  owned.claim_path(config.admin_socket);
  if (!config.metrics_page.empty()) owned.claim_path(config.metrics_page);
  base::refuse_links({config.state_path(), config.state_path_before(), config.latch_path(),
                      config.log_directory + "/messages.jsonl", config.log_directory + "/refusals.jsonl"});
  for (std::size_t account = 0; account < config.accounts.size(); ++account)
    base::refuse_links({config.history_path(account)});
}

void shut_down(Hub& hub) {
  while (!hub.links.empty()) hub.links.begin()->second->end(Reason::venue_down);
  for (auto& session : hub.sessions) session->logout();
  hub.audit_log.event("stop", {.epoch = hub.gate.epoch.highest()});
}

base::Failure make_state(const Config& config) {
  for (const auto& path : {config.state_path(), config.state_path_before()})
    if (::access(path.c_str(), F_OK) == 0) return "there is a state already: " + path;
  // The latch first: a state without a latch block starts latched, a latch block without a state does not start.
  if (auto failure = LatchBlock::create(config.latch_path()); !failure.empty()) return failure;
  return StateBlock::create(config.state_path(), DurableState{});
}

int run_owned(const Config& config, const Options& options) {
  const auto is_there = [](const std::string& path) { return ::access(path.c_str(), F_OK) == 0; };
  const bool is_new =
      !is_there(config.state_path()) && !is_there(config.state_path_before()) && !is_there(config.latch_path());
  if (options.is_test && is_new)
    if (auto failure = make_state(config); !failure.empty()) return complain(base::kExitConfiguration, failure);
  Hub hub(config, options);
  Signals signals(hub);
  if (auto failure = hub.recover(); !failure.empty())
    return complain(base::kExitConfiguration, failure + " (a new gateway begins with --init)");
  if (auto failure = hub.load_authority(); !failure.empty()) return complain(base::kExitConfiguration, failure);
  AdminServer admin(hub);
  Listener listener(hub);
  if (auto failure = listener.start(); !failure.empty()) return complain(base::kExitRetry, failure);
  if (auto failure = admin.listen(); !failure.empty()) return complain(base::kExitRetry, failure);
  hub.load_limits();
  std::optional<Page> page;
  if (!config.metrics_page.empty()) page.emplace(config.metrics_page);
  Ticker ticker(hub, page ? &*page : nullptr);
  std::printf("{\"admin_socket\":\"%s\",\"port\":%u,\"ready\":true}\n", config.admin_socket.c_str(), hub.port);
  std::fflush(stdout);
  hub.loop.run();
  shut_down(hub);
  return base::kExitOk;
}

}  // namespace

int init(const Config& config) try {
  base::Ownership owned;
  claim(config, owned);
  const auto failure = make_state(config);
  return failure.empty() ? base::kExitOk : complain(base::kExitConfiguration, failure);
} catch (const base::OwnershipError& error) {
  return complain(error.exit_code, error.what());
}

int run(const Config& config, const Options& options) try {
  ::signal(SIGXFSZ, SIG_IGN);  // a log at its size limit is a refused write, not a death
  base::Ownership owned;       // before all that it changes, and after it
  claim(config, owned);
  return run_owned(config, options);
} catch (const base::OwnershipError& error) {
  return complain(error.exit_code, error.what());
} catch (const std::system_error& error) {  // of the metrics page
  return complain(base::kExitConfiguration, error.what());
}

}  // namespace hft::gateway
