// The loop: wait for sockets or for what is due, handle it, flush. One thread, so every run of the same inputs
// in the same order gives the same book.
#include "venue/venue.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/clock.h"
#include "base/exit_codes.h"
#include "base/net.h"
#include "venue/admin.h"

namespace hft::venue {

namespace {
constexpr std::uint64_t kTickEveryNs = 50'000'000;
constexpr int kDatagramsPerTurn = 64;  // then sockets get their chance again

base::Fd make_epoll() {
  base::Fd fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!fd) throw base::NetError(std::string("epoll_create1: ") + std::strerror(errno));
  return fd;
}
}  // namespace

Venue::Venue(const Config& config)
    : config_(config),
      log_(config.log_path),
      directory_(config.symbols, firms_of(config), config.first_locate),
      exchange_(directory_, config.accounts, config.profile, config.self_trade,
                ReferenceSource(config.references, config.reference_seed, config.reference_first), *this),
      feed_(config.session, config.retain_messages, config.datagram_bytes),
      epoll_(make_epoll()) {
  if (!log_.good()) throw ConfigError(config.log_path + ": cannot be written");
  read_time();
  for (const LineConfig& line : config_.lines) add_line(line);
  retransmit_ = base::bind_udp(config_.retransmit);
  base::watch(epoll_.get(), retransmit_, EPOLLIN);
  orders_ = std::make_unique<OrderServer>(config_.orders, exchange_, *this, epoll_.get());
  source_ = make_source(config_.source, exchange_);
  if (!config_.admin_path.empty()) admin_ = std::make_unique<Admin>(config_.admin_path, *this, epoll_.get());
  exchange_.start_of_day();
  feed_.flush();
  if (source_ && config_.source.autostart) start_source();
}

Venue::~Venue() = default;

std::string Venue::ready_line() const {
  return R"({"ready":true,"session":")" + config_.session + R"(","order_port":)" + std::to_string(orders_->port()) +
         R"(,"retransmit_port":)" + std::to_string(base::port_of(retransmit_)) + "}";
}

void Venue::add_line(const LineConfig& line) {
  const std::size_t index = counts_.size();
  counts_.push_back({line.name});
  std::vector<base::Fd> sockets;
  for (const base::Endpoint& target : line.targets) {
    sockets.push_back(base::connect_udp(target, line.interface, line.ttl));
  }
  senders_.push_back(std::move(sockets));
  const auto send = [this, index](Bytes datagram) {
    for (const base::Fd& socket : senders_[index]) {
      // A receiver that is not there yet answers with ICMP: the next send says ECONNREFUSED once; send again.
      ssize_t put = ::send(socket.get(), datagram.data(), datagram.size(), 0);
      if (put < 0 && errno == ECONNREFUSED) put = ::send(socket.get(), datagram.data(), datagram.size(), 0);
      ++(put < 0 ? counts_[index].failed : counts_[index].sent);
    }
  };
  const auto report = [this, index](Fault fault, std::uint64_t datagram, Bytes bytes) {
    report_fault(index, fault, datagram, bytes);
  };
  injectors_.push_back(std::make_unique<Injector>(line.faults, send, report));
  Injector* injector = injectors_.back().get();
  const auto data = [this, index, injector](Bytes datagram) {
    ++counts_[index].datagrams;
    injector->offer(datagram);
  };
  feed_.add_line(data, send);
}

void Venue::report_fault(std::size_t line, Fault fault, std::uint64_t datagram, Bytes bytes) {
  LineCounts& counts = counts_[line];
  ++(fault == Fault::loss ? counts.lost : fault == Fault::duplicate ? counts.duplicated : counts.reordered);
  LogEntry entry;
  entry.event = "fault";
  entry.session = counts.name;
  entry.code = name_of(fault);
  entry.first = mold::sequence.load(bytes.data());
  entry.count = mold::count.load(bytes.data());
  entry.datagram = datagram;
  to_log(entry);
}

void Venue::to_feed(Bytes message) { feed_.publish(message); }

void Venue::read_time() {
  now_ns_ = base::realtime_ns();
  steady_ns_ = base::monotonic_ns();
  exchange_.set_time(now_ns_);
}

void Venue::start_source() {
  if (source_) source_->start(steady_ns_);
}

void Venue::pause(bool orders, bool feed) {
  if (orders) exchange_.set_paused(true);
  if (feed) feed_paused_ = true;
}

void Venue::resume() {
  exchange_.set_paused(false);
  feed_paused_ = false;
}

void Venue::end_session() {
  if (ended_) return;
  exchange_.end_of_day();
  feed_.flush();
  for (const auto& injector : injectors_) injector->idle();
  ended_ = true;
  feed_.end_of_session();
  orders_->end_of_session(steady_ns_);
}

void Venue::answer_requests() {
  std::array<std::uint8_t, 64> bytes;
  sockaddr_in from{};
  while (true) {
    socklen_t length = sizeof from;
    const ssize_t got =
        ::recvfrom(retransmit_.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
    if (got < 0) return;
    const Bytes request(bytes.data(), static_cast<std::size_t>(got));
    const Bytes answer = feed_.answer(request);
    ++requests_;
    LogEntry entry;
    entry.event = "rerequest";
    if (request.size() == mold::kHeaderBytes) {
      entry.first = mold::sequence.load(request.data());
      entry.count = mold::count.load(request.data());
    }
    entry.code = answer.empty() ? "refused" : "answered";
    to_log(entry);
    if (answer.empty()) continue;
    retransmitted_ += mold::count.load(answer.data());
    ::sendto(retransmit_.get(), answer.data(), answer.size(), 0, reinterpret_cast<const sockaddr*>(&from), length);
  }
}

void Venue::run_source() {
  if (!source_ || feed_paused_ || ended_) return;
  for (int i = 0; i < kDatagramsPerTurn && source_->due_ns() <= steady_ns_; ++i) {
    source_->send_one(exchange_, feed_);
  }
}

void Venue::run_timers() {
  feed_.flush();
  if (steady_ns_ >= tick_due_ns_) {
    if (datagrams_seen_ == feed_.datagrams()) {  // an idle line holds nothing back
      for (const auto& injector : injectors_) injector->idle();
    }
    orders_->tick(steady_ns_);
    tick_due_ns_ = steady_ns_ + kTickEveryNs;
    datagrams_seen_ = feed_.datagrams();
  }
  if (steady_ns_ >= heartbeat_due_ns_) {
    ended_ ? feed_.end_of_session() : feed_.heartbeat();
    heartbeat_due_ns_ = steady_ns_ + config_.heartbeat_ms * 1'000'000;
  }
}

std::uint64_t Venue::sleep_ns() const {
  const bool runs = source_ && !feed_paused_ && !ended_;
  const std::uint64_t due = std::min({tick_due_ns_, heartbeat_due_ns_, runs ? source_->due_ns() : kNever});
  return due > steady_ns_ ? due - steady_ns_ : 0;
}

void Venue::wait_once() {
  std::array<epoll_event, 64> events;
  const std::uint64_t wait = sleep_ns();
  const timespec timeout{static_cast<time_t>(wait / 1'000'000'000), static_cast<long>(wait % 1'000'000'000)};
  const int ready = ::epoll_pwait2(epoll_.get(), events.data(), static_cast<int>(events.size()), &timeout, nullptr);
  read_time();
  for (int i = 0; i < ready; ++i) {
    const auto& [mask, data] = events[static_cast<std::size_t>(i)];
    if (data.fd == retransmit_.get()) answer_requests();
    else if (orders_->owns(data.fd)) orders_->on_ready(data.fd, mask, steady_ns_);
    else if (admin_ && admin_->owns(data.fd)) admin_->on_ready(data.fd);
  }
}

int Venue::run(const volatile int* stop) {
  while (*stop == 0) {
    wait_once();
    orders_->flush(steady_ns_);  // owners hear of it before the public does
    feed_.flush();
    run_source();
    run_timers();
    orders_->flush(steady_ns_);
    log_.flush();
  }
  read_time();
  end_session();
  orders_->flush(steady_ns_);
  log_.flush();
  return log_.good() ? base::kExitOk : base::kExitRetry;
}

}  // namespace hft::venue
