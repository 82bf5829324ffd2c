// SoupBinTCP 3.00 sessions for accounts and drop copies: login, replay from a requested number, heartbeats.
//
// Each account has one stream of sequenced messages, kept for the whole session; its connection and those of its
// drop copies read the same stream, byte for byte, each from the number it asked for at login. Declared: a
// number above the next one is refused ('S'); a second login of the same user takes over and the first
// connection is cut, which counts as its disconnect; a drop copy may send nothing but heartbeats and logout.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/net.h"
#include "venue/exchange.h"
#include "wire/soup_session.h"

namespace hft::venue {

struct DropCopyConfig {
  std::string user;
  std::string password;
  std::string account;
};

class OrderServer {
 public:
  struct Settings {
    std::string session;
    base::Endpoint at;
    std::uint64_t peer_timeout_ms = soup::kPeerDeadAfterMs;
    std::vector<DropCopyConfig> drop_copies;
  };

  OrderServer(Settings settings, Exchange& exchange, Outlet& outlet, int epoll);

  [[nodiscard]] bool owns(int fd) const { return fd == listener_.get() || connections_.contains(fd); }
  [[nodiscard]] std::uint16_t port() const { return base::port_of(listener_); }
  void on_ready(int fd, std::uint32_t events, std::uint64_t now_ns);
  void append(AccountId account, Bytes message);
  void tick(std::uint64_t now_ns);  // heartbeats, dead peers, connections to reap
  void flush(std::uint64_t now_ns);
  void end_of_session(std::uint64_t now_ns);
  bool cut(std::string_view user, std::uint64_t now_ns);
  [[nodiscard]] bool connected(std::string_view user) const;
  [[nodiscard]] std::size_t stream_length(AccountId account) const { return streams_[account].size(); }

 private:
  enum class Role : std::uint8_t { unknown, orders, drop_copy };
  struct Connection {
    soup::Session link{65536};
    Role role = Role::unknown;
    AccountId account = 0;
    std::string user;
    bool waits_to_write = false;
    bool closing = false;  // no more reading; gone once `out` is written
    bool dead = false;
  };

  void accept_all(std::uint64_t now_ns);
  void read_from(Connection& from, std::uint64_t now_ns);
  void take(Connection& from, const soup::Packet& packet, std::uint64_t now_ns);
  void login(Connection& from, Bytes payload, std::uint64_t now_ns);
  [[nodiscard]] bool admit(Connection& from, const soup::LoginRequest& request) const;
  void refuse(Connection& from, char why, std::string_view user, std::string_view code);
  void put(Connection& to, char type, Bytes payload = {});
  void write_to(Connection& to, std::uint64_t now_ns);
  void drop(Connection& gone, std::string_view why);
  void reap(std::uint64_t now_ns);
  void say(std::string_view event, std::string_view user, char type, std::string_view code);

  Settings settings_;
  Exchange& exchange_;
  Outlet& outlet_;
  int epoll_;
  base::Fd listener_;
  std::map<int, std::unique_ptr<Connection>> connections_;
  std::vector<std::vector<std::string>> streams_;  // framed 'S' packets, one list an account
};

}  // namespace hft::venue
