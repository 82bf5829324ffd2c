// Starting, ticking, reloading, stopping.
#include "gateway/program.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#include <cstdio>

#include "gateway/engine_link.h"
#include "gateway/net.h"
#include "gateway/venue_session.h"

namespace hft::gateway {
namespace {

constexpr int EXIT_OK = 0;
constexpr int EXIT_CONFIG = 64;
constexpr int EXIT_RETRY = 75;
constexpr long TICK_NS = 50'000'000;
constexpr std::size_t LINKS_MAX = 256;  // far below the usual limit of descriptors (getrlimit(2): 1024)

int complain(int code, const Failure& failure) {
  std::fprintf(stderr, "hft-gateway: %s\n", failure.c_str());
  return code;
}

class Listener : public Source {
 public:
  explicit Listener(Hub& hub) : hub_(hub) {}

  Failure start() {
    socket_ = listen_tcp(hub_.config.listen);
    if (!socket_ || !hub_.loop.add(socket_.get(), EPOLLIN, *this))
      return failed("cannot listen on", hub_.config.listen.host + ":" + std::to_string(hub_.config.listen.port));
    hub_.port = port_of(socket_.get());
    return {};
  }

  void on_events(std::uint32_t) override {
    auto fd = accept_tcp(socket_.get());
    if (!fd || hub_.links.size() >= LINKS_MAX) return;  // one too many is closed at once
    const auto number = ++hub_.links_seen;
    auto& link = hub_.links[number] = std::make_unique<EngineLink>(hub_, std::move(fd), number);
    link->start();
  }

 private:
  Hub& hub_;
  Fd socket_;
};

class Ticker : public Source {
 public:
  explicit Ticker(Hub& hub) : hub_(hub), timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
    const itimerspec every{{0, TICK_NS}, {0, 1}};
    ::timerfd_settime(timer_.get(), 0, &every, nullptr);
    hub_.loop.add(timer_.get(), EPOLLIN, *this);
  }

  void on_events(std::uint32_t) override {
    std::uint64_t expired = 0;
    if (::read(timer_.get(), &expired, sizeof expired) > 0) hub_.tick(monotonic_ns());
  }

 private:
  Hub& hub_;
  Fd timer_;
};

// SIGTERM and SIGINT stop, SIGHUP reloads the limits.
class Signals : public Source {
 public:
  explicit Signals(Hub& hub) : hub_(hub) {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set, number);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    fd_ = Fd(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    hub_.loop.add(fd_.get(), EPOLLIN, *this);
  }

  void on_events(std::uint32_t) override {
    signalfd_siginfo info{};
    if (::read(fd_.get(), &info, sizeof info) != sizeof info) return;
    if (info.ssi_signo == SIGHUP) return hub_.load_limits();
    hub_.loop.stop();
  }

 private:
  Hub& hub_;
  Fd fd_;
};

void make_directories(const Config& config) {
  for (const auto& directory : {config.state_directory, config.log_directory}) ::mkdir(directory.c_str(), 0750);
}

void shut_down(Hub& hub) {
  while (!hub.links.empty()) hub.links.begin()->second->end(Reason::venue_down);
  for (auto& session : hub.sessions) session->logout();
  hub.ledger.event("stop", {.epoch = hub.gate.epoch.highest()});
}

}  // namespace

Failure init_state(const Config& config) {
  make_directories(config);
  if (::access(config.state_path().c_str(), F_OK) == 0) return "there is a state already: " + config.state_path();
  // The latch first: a state without a latch block starts latched, a latch block without a state does not start.
  if (auto failure = LatchBlock::create(config.latch_path()); !failure.empty()) return failure;
  return save_state(config.state_path(), DurableState{});
}

int run(const Config& config, const Options& options) {
  ::signal(SIGXFSZ, SIG_IGN);  // a log at its size limit is a refused write, not a death
  const bool is_new =
      ::access(config.state_path().c_str(), F_OK) != 0 && ::access(config.latch_path().c_str(), F_OK) != 0;
  if (options.is_test && is_new)
    if (auto failure = init_state(config); !failure.empty()) return complain(EXIT_CONFIG, failure);
  Hub hub(config, options);
  Signals signals(hub);
  if (auto failure = hub.recover(); !failure.empty())
    return complain(EXIT_CONFIG, failure + " (a new gateway begins with --init)");
  AdminServer admin(hub);
  Listener listener(hub);
  for (auto start : {admin.listen(), listener.start()})
    if (!start.empty()) return complain(EXIT_RETRY, start);
  hub.load_limits();
  Ticker ticker(hub);
  std::printf("{\"admin_socket\":\"%s\",\"port\":%u,\"ready\":true}\n", config.admin_socket.c_str(), hub.port);
  std::fflush(stdout);
  hub.loop.run();
  shut_down(hub);
  return EXIT_OK;
}

}  // namespace hft::gateway
