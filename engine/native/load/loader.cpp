// The generator's loop: what is due goes out, whatever came in is stamped; it never waits for an answer.
#include "load/loader.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "base/clock.h"
#include "base/net.h"
#include "base/thread.h"

namespace hft::load {

namespace {
constexpr std::uint64_t kMs = 1'000'000;

std::uint64_t noise_datagrams(const LoadPlan& plan) {
  if (plan.stimulus.noise_symbols == 0) return 0;
  return plan.noise_messages_per_s / std::max<std::uint32_t>(1, plan.stimulus.noise_per_datagram);
}
}  // namespace

Loader::Loader(const LoadPlan& plan, std::function<void()> on_warm)
    : plan_(plan),
      on_warm_(std::move(on_warm)),
      stimulus_(plan.stimulus),
      venue_end_(plan.venue_end, [this](const Arrival& arrival) { on_order(arrival); }),
      schedule_(plan.triggers, plan.triggers_per_s, noise_datagrams(plan), {plan.warmup, plan.rest_ms * kMs}),
      retransmit_(base::bind_udp({plan.interface, 0})),
      answered_(plan.triggers),
      unanswered_(plan.triggers),
      waiter_(plan.idle) {
  for (const base::Endpoint& line : plan_.lines) senders_.push_back(base::connect_udp(line, plan_.interface, 1));
}

void Loader::on_order(const Arrival& arrival) {
  const auto trigger = stimulus_.owner_of(arrival.symbol, arrival.price);
  if (!trigger) {
    ++result_.unmatched;
  } else if (answered_[*trigger]) {
    ++result_.repeated;
  } else {
    answered_[*trigger] = true;
    --unanswered_;
    if (*trigger < plan_.warmup) return;
    ++result_.matched;
    const std::uint64_t intended = start_ns_ + schedule_.trigger_at(*trigger);
    result_.latency.record(arrival.at_ns > intended ? arrival.at_ns - intended : 0);
  }
}

void Loader::send(Bytes datagram) {
  for (const base::Fd& line : senders_) {
    ssize_t put = ::send(line.get(), datagram.data(), datagram.size(), 0);
    if (put < 0 && errno == ECONNREFUSED) put = ::send(line.get(), datagram.data(), datagram.size(), 0);
    if (put < 0) ++result_.send_failed;
  }
  ++result_.datagrams;
  result_.bytes += datagram.size();
  result_.largest_bytes = std::max<std::uint64_t>(result_.largest_bytes, datagram.size());
}

void Loader::send_due(const Due& due, std::uint64_t now_ns) {
  switch (due.kind) {
    case Due::Kind::trigger:
      if (due.index >= plan_.warmup) result_.backlog.record(now_ns - (start_ns_ + due.at_ns));
      return send(stimulus_.trigger(due.index, buffer_, base::realtime_ns()));
    case Due::Kind::prime:
      send(stimulus_.prime(due.index, buffer_, base::realtime_ns()));
      if (due.index + 1 == plan_.warmup && on_warm_) on_warm_();
      return;
    case Due::Kind::noise: return send(stimulus_.noise(buffer_));
    case Due::Kind::end: return;
  }
}

// Counted, not served: a run that needed one does not count.
void Loader::count_rerequests() {
  std::array<std::uint8_t, 64> request;
  while (::recv(retransmit_.get(), request.data(), request.size(), 0) > 0) ++result_.rerequests;
}

void Loader::wait_until(std::uint64_t at_ns, const volatile int* stop) {
  for (std::uint64_t now = base::monotonic_ns(); now < at_ns && *stop == 0; now = base::monotonic_ns()) {
    if (now - heartbeat_ns_ > 500 * kMs) {
      heartbeat_ns_ = now;
      send(stimulus_.control(mold::kHeartbeat, buffer_));
      --result_.datagrams;  // heartbeats are not load
      venue_end_.say_heartbeat(now);
    }
    if (venue_end_.poll(now)) waiter_.worked();
    else waiter_.wait(at_ns - now);
  }
}

// A gateway logs in long before the engine behind it is ready; only whoever set up all of them knows when.
bool Loader::may_begin() {
  if (plan_.wait_go && !told_to_go_) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    char byte = 0;
    if (::poll(&input, 1, 0) != 1) return false;
    if (::read(STDIN_FILENO, &byte, 1) != 1) throw std::runtime_error("standard input ended before the word to go");
    told_to_go_ = byte == '\n';
  }
  return venue_end_.logged_in() && (told_to_go_ || !plan_.wait_go);
}

void Loader::await_login(const volatile int* stop) {
  const std::uint64_t deadline = base::monotonic_ns() + plan_.login_timeout_s * 1000 * kMs;
  while (!may_begin() && *stop == 0) {
    const std::uint64_t now = base::monotonic_ns();
    if (now > deadline) throw std::runtime_error("nobody logged in within the login timeout");
    wait_until(now + 5 * kMs, stop);
  }
}

// Slowly: the opening of 8,000 symbols in one burst would overrun a receiver before the run began.
void Loader::send_opening(const volatile int* stop) {
  for (std::size_t at = 0; at < stimulus_.opening().size() && *stop == 0;) {
    send(stimulus_.pack(stimulus_.opening(), at, buffer_));
    wait_until(base::monotonic_ns() + kMs / 5, stop);
  }
}

// However long the grace is, it costs only a run that lost something; a moment is left for an answer too many.
void Loader::await_answers(const volatile int* stop) {
  const std::uint64_t deadline = base::monotonic_ns() + plan_.grace_ms * kMs;
  while (unanswered_ > 0 && base::monotonic_ns() < deadline && *stop == 0 && !venue_end_.lost()) {
    wait_until(base::monotonic_ns() + kMs, stop);
  }
  wait_until(base::monotonic_ns() + std::min<std::uint64_t>(plan_.grace_ms, 50) * kMs, stop);
}

LoadResult Loader::run(const volatile int* stop) {
  base::pin_to_cpu(plan_.cpu);
  await_login(stop);
  wait_until(base::monotonic_ns() + plan_.settle_ms * kMs, stop);
  send_opening(stop);
  wait_until(base::monotonic_ns() + plan_.settle_ms * kMs, stop);
  result_.datagrams = result_.bytes = 0;
  const std::uint64_t opening_messages = stimulus_.messages();
  const std::vector<int> peers = read_pids(plan_.peers_file);
  const CpuTimes before = read_cpu_times(peers);
  const Switches switches = read_switches();
  start_ns_ = base::monotonic_ns() + kMs;
  for (Due due = schedule_.peek(); due.kind != Due::Kind::end && *stop == 0; due = schedule_.peek()) {
    const std::uint64_t now = base::monotonic_ns();
    if (now < start_ns_ + due.at_ns) {
      if (venue_end_.poll(now)) waiter_.worked();
      else waiter_.wait(start_ns_ + due.at_ns - now);
      continue;
    }
    send_due(due, now);
    schedule_.pop();
    venue_end_.poll(now);
    venue_end_.say_heartbeat(now);
    if (venue_end_.lost()) break;
  }
  result_.duration_ns = base::monotonic_ns() - start_ns_;
  result_.messages = stimulus_.messages() - opening_messages;
  await_answers(stop);
  const CpuTimes after = read_cpu_times(peers);
  result_.others_cpu = others_share(before, after);
  const Switches then = read_switches();
  result_.switches = {then.voluntary - switches.voluntary, then.involuntary - switches.involuntary,
                      then.minor_faults - switches.minor_faults, then.major_faults - switches.major_faults};
  finish(stop);
  return result_;
}

void Loader::finish(const volatile int* stop) {
  count_rerequests();
  for (std::uint64_t i = plan_.warmup; i < plan_.triggers; ++i) result_.missing += answered_[i] ? 0 : 1;
  result_.orders = venue_end_.orders();
  result_.answered = venue_end_.answered();
  result_.other_messages = venue_end_.other_messages();
  result_.peer_lost = venue_end_.lost() || *stop != 0;
  std::vector<std::uint16_t> ports;
  for (const base::Endpoint& line : plan_.lines) ports.push_back(line.port);
  result_.drops = receiver_drops(ports);
  result_.next_sequence = stimulus_.next_sequence();
  for (int i = 0; i < 3; ++i) send(stimulus_.control(mold::kEndOfSession, buffer_));
  result_.datagrams -= 3;
}

namespace {

nlohmann::json to_json(const Histogram& histogram) {
  nlohmann::json counts = nlohmann::json::array();
  for (std::size_t index = 0; index < histogram.counts().size(); ++index) {
    if (histogram.counts()[index] != 0) counts.push_back({index, histogram.counts()[index]});
  }
  return {{"unit", "ns"},
          {"lowest", 1},
          {"highest", Histogram::kHighestNs},
          {"significant_digits", 3},
          {"total", histogram.total()},
          {"max", histogram.max_ns()},
          {"counts", counts}};
}

}  // namespace

std::string to_json(const LoadPlan& plan, const LoadResult& result) {
  const bool kernel = plan.venue_end.kernel_stamps;
  const std::string_view idle = plan.idle == Idle::spin ? "spin" : plan.idle == Idle::yield ? "yield" : "backoff";
  const nlohmann::json out{{"program", "hft-load"},
                           {"label", plan.label},
                           {"plan",
                            {{"triggers", plan.triggers},
                             {"triggers_per_s", plan.triggers_per_s},
                             {"warmup", plan.warmup},
                             {"noise_messages_per_s", noise_datagrams(plan) * plan.stimulus.noise_per_datagram},
                             {"lines", plan.lines.size()},
                             {"stamp", kernel ? "kernel" : "user"},
                             {"idle", idle},
                             {"cpu", plan.cpu}}},
                           {"latency_ns", to_json(result.latency)},
                           {"backlog_ns", to_json(result.backlog)},
                           {"orders",
                            {{"received", result.orders},
                             {"answered", result.answered},
                             {"matched", result.matched},
                             {"unmatched", result.unmatched},
                             {"repeated", result.repeated},
                             {"missing", result.missing},
                             {"other_messages", result.other_messages}}},
                           {"sent",
                            {{"datagrams", result.datagrams},
                             {"messages", result.messages},
                             {"bytes", result.bytes},
                             {"largest_bytes", result.largest_bytes},
                             {"failed", result.send_failed}}},
                           {"next_sequence", result.next_sequence},
                           {"rerequests", result.rerequests},
                           {"receiver_drops", result.drops < 0 ? nlohmann::json() : nlohmann::json(result.drops)},
                           {"duration_ns", result.duration_ns},
                           {"others_cpu_share", result.others_cpu},
                           {"peer_lost", result.peer_lost},
                           {"own_thread",
                            {{"voluntary_switches", result.switches.voluntary},
                             {"involuntary_switches", result.switches.involuntary},
                             {"minor_faults", result.switches.minor_faults},
                             {"major_faults", result.switches.major_faults}}}};
  return out.dump();
}

}  // namespace hft::load
