// Kernel sockets with SO_TIMESTAMPING and, where the kernel allows it, busy polling; DPDK ports: see feed_input.h.
#include "trader/feed_input.h"

#include <linux/net_tstamp.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "base/net.h"

namespace hft::trader {
namespace {

constexpr int kStraysALook = 32;

[[noreturn]] void fail(const std::string& what) { throw std::system_error(errno, std::generic_category(), what); }

base::Fd udp_socket() {
  base::Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) fail("market data socket");
  const int fd = socket.get();
  const int stamps = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
  setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &stamps, sizeof stamps);
  // Raising it needs CAP_NET_ADMIN (socket(7)); without it net.core.busy_read stays in force.
  const int busy_us = 50;
  setsockopt(fd, SOL_SOCKET, SO_BUSY_POLL, &busy_us, sizeof busy_us);
  const int buffer_bytes = 8 << 20;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof buffer_bytes) != 0) {
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
  }
  return socket;
}

base::Fd open_line(const FeedLine& line) {
  const sockaddr_in group = base::to_sockaddr({line.group, line.port});
  base::Fd socket = udp_socket();
  const int fd = socket.get();
  const int on = 1;
  const bool multicast = IN_MULTICAST(ntohl(group.sin_addr.s_addr));
  // Two engines of one host listen to the same group; a unicast port has one owner.
  if (multicast) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&group), sizeof group) != 0) {
    fail("feed " + line.group + ":" + std::to_string(line.port));
  }
  ip_mreq join{};
  join.imr_multiaddr = group.sin_addr;
  join.imr_interface = base::to_sockaddr({line.interface, 0}).sin_addr;
  if (multicast && setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof join) != 0) {
    fail("feed " + line.group + " on " + line.interface);
  }
  return socket;
}

std::int64_t stamp_of(const msghdr& message) {
  for (cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr;
       head = CMSG_NXTHDR(const_cast<msghdr*>(&message), head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_TIMESTAMPING) continue;
    timespec software{};
    std::memcpy(&software, CMSG_DATA(head), sizeof software);
    return static_cast<std::int64_t>(software.tv_sec) * 1'000'000'000 + software.tv_nsec;
  }
  return 0;
}

std::uint32_t number_of(const std::string& address) { return ntohl(base::to_sockaddr({address, 0}).sin_addr.s_addr); }

std::unique_ptr<dpdk::Receiver> open_ports(const EngineConfig& config) {
  dpdk::LineWishes wishes;
  bool any = false;
  for (std::size_t i = 0; i < config.feeds.size(); ++i) {
    const auto& line = config.feeds[i];
    if (!line || !line->device) continue;
    any = true;
    wishes[i] = {*line->device, number_of(line->group), number_of(line->interface), line->port};
  }
  if (!any) return nullptr;
  auto ports = std::make_unique<dpdk::Receiver>(wishes, config.dpdk);
  for (std::size_t i = 0; i < wishes.size(); ++i) {
    if (wishes[i]) std::fprintf(stderr, "hft-engine: line %c: %s\n", i == 0 ? 'A' : 'B', ports->describe(i).c_str());
  }
  return ports;
}

}  // namespace

FeedInput::FeedInput(const EngineConfig& config) : ports_(open_ports(config)) {
  std::transform(config.feed_sources.begin(), config.feed_sources.end(), std::back_inserter(sources_), number_of);
  std::sort(sources_.begin(), sources_.end());
  for (std::size_t i = 0; i < config.feeds.size(); ++i) {
    if (config.feeds[i] && !config.feeds[i]->device) fds_[i] = open_line(*config.feeds[i]);
  }
  if (!config.rerequest) return;
  const sockaddr_in server = base::to_sockaddr(*config.rerequest);
  base::Fd& fd = fds_[static_cast<std::size_t>(feed::Line::rerequest)];
  fd = udp_socket();
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0) fail("request server");
}

// The request server's socket is connected: the kernel takes from nobody else there.
bool FeedInput::counts(feed::Line line, std::uint32_t source) const {
  return sources_.empty() || line == feed::Line::rerequest ||
         std::binary_search(sources_.begin(), sources_.end(), source);
}

std::optional<Datagram> FeedInput::receive(feed::Line line) {
  // A flood of strays must not hold the loop.
  for (int looks = 0; looks < kStraysALook; ++looks) {
    auto datagram = receive_any(line);
    if (!datagram || counts(line, datagram->source)) return datagram;
    ++strays_;
  }
  return std::nullopt;
}

std::optional<Datagram> FeedInput::receive_any(feed::Line line) {
  const int socket = fd(line);
  if (socket < 0) return ports_ ? ports_->receive(static_cast<std::size_t>(line)) : std::nullopt;
  iovec part{buffer_.data(), buffer_.size()};
  alignas(cmsghdr) std::array<char, 256> control;
  sockaddr_in from{};
  msghdr message{};
  message.msg_name = &from;
  message.msg_namelen = sizeof from;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = recvmsg(socket, &message, MSG_DONTWAIT);
  if (got < 0) return std::nullopt;
  const std::uint32_t source = ntohl(from.sin_addr.s_addr);
  return Datagram{Bytes(buffer_).first(static_cast<std::size_t>(got)), stamp_of(message), source};
}

void FeedInput::enter_thread() {
  if (ports_) ports_->enter_thread();
}

void FeedInput::tick(std::uint64_t now_ns) {
  if (ports_) ports_->tick(now_ns);
}

void FeedInput::look_after() {
  if (ports_) ports_->look_after();
}

dpdk::Counters FeedInput::counters(std::size_t line) const {
  return ports_ ? ports_->counters(line) : dpdk::Counters{};
}

void FeedInput::request(const mold::Request& request) {
  const int socket = fd(feed::Line::rerequest);
  if (socket < 0) return;
  const auto datagram = mold::encode(request);
  send(socket, datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace hft::trader
