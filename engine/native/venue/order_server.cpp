// Sessions over TCP; order_server.h says what is declared.
#include "venue/order_server.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

namespace hft::venue {

namespace {
constexpr std::size_t out_bytes_max = 64UL << 20;  // a reader this far behind is cut, not waited for
constexpr std::uint64_t ms = 1'000'000;
}  // namespace

OrderServer::Connection::Connection(net::Fd socket) : fd(std::move(socket)), buffer(65536), reader(buffer) {}

OrderServer::OrderServer(Settings settings, Exchange& exchange, Outlet& outlet, int epoll)
    : settings_(std::move(settings)),
      exchange_(exchange),
      outlet_(outlet),
      epoll_(epoll),
      listener_(net::listen_tcp(settings_.at)),
      streams_(exchange.accounts().size()) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = listener_.get();
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_.get(), &event);
}

void OrderServer::say(std::string_view event, std::string_view user, char type, std::string_view code) {
  LogEntry entry;
  entry.event = event;
  entry.session = user;
  entry.type = type;
  entry.code = code;
  outlet_.to_log(entry);
}

void OrderServer::on_ready(int fd, std::uint32_t events, std::uint64_t now_ns) {
  if (fd == listener_.get()) return accept_all(now_ns);
  Connection& connection = *connections_.at(fd);
  if ((events & EPOLLOUT) != 0) write_to(connection, now_ns);
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read_from(connection, now_ns);
  reap(now_ns);
}

void OrderServer::accept_all(std::uint64_t now_ns) {
  while (net::Fd fd = net::accept_from(listener_)) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd.get();
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd.get(), &event);
    const int key = fd.get();
    auto connection = std::make_unique<Connection>(std::move(fd));
    connection->last_received_ns = connection->last_sent_ns = now_ns;
    connections_[key] = std::move(connection);
  }
}

void OrderServer::read_from(Connection& from, std::uint64_t now_ns) {
  while (!from.dead) {
    const MutableBytes space = from.reader.space();
    const ssize_t got = ::recv(from.fd.get(), space.data(), space.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return drop(from, got == 0 ? "closed" : "reset");
    from.last_received_ns = now_ns;
    from.reader.commit(static_cast<std::size_t>(got));
    soup::Packet packet;
    soup::Got what = soup::Got::need_more;
    while (!from.closing && (what = from.reader.next(packet)) == soup::Got::packet) take(from, packet, now_ns);
    if (what == soup::Got::broken) return drop(from, "framing");
  }
}

void OrderServer::take(Connection& from, const soup::Packet& packet, std::uint64_t now_ns) {
  if (packet.type == soup::kClientHeartbeat || packet.type == soup::kDebug) return;
  if (packet.type == soup::kLoginRequest && from.role == Role::unknown) return login(from, packet.payload, now_ns);
  if (packet.type == soup::kLogoutRequest) return drop(from, "logout");
  if (packet.type == soup::kUnsequenced && from.role == Role::orders) {
    return exchange_.receive(from.account, packet.payload);
  }
  say("refused", from.user, packet.type, from.role == Role::unknown ? "not_logged_in" : "not_allowed");
  drop(from, "protocol");
}

bool OrderServer::admit(Connection& from, const soup::LoginRequest& request) const {
  for (const AccountState& account : exchange_.accounts()) {
    if (account.config.user != request.username || account.config.password != request.password) continue;
    from.role = Role::orders;
    from.account = *exchange_.find_account(request.username);
    return true;
  }
  for (const DropCopyConfig& copy : settings_.drop_copies) {
    if (copy.user != request.username || copy.password != request.password) continue;
    from.role = Role::drop_copy;
    from.account = *exchange_.find_account(copy.account);
    return true;
  }
  return false;
}

void OrderServer::refuse(Connection& from, char why, std::string_view user, std::string_view code) {
  say("login_refused", user, soup::kLoginRejected, code);
  from.role = Role::unknown;
  const std::uint8_t letter = static_cast<std::uint8_t>(why);
  put(from, soup::kLoginRejected, Bytes(&letter, 1));
  from.closing = true;
}

void OrderServer::login(Connection& from, Bytes payload, std::uint64_t now_ns) {
  const auto request = soup::parse_login_request(payload);
  if (!request) return refuse(from, soup::kNotAuthorised, {}, "malformed");
  const std::string user(request->username);
  if (!admit(from, *request)) return refuse(from, soup::kNotAuthorised, user, "not_authorised");
  const auto& stream = streams_[from.account];
  const bool here = request->session.empty() || request->session == settings_.session;
  if (!here || request->next_sequence > stream.size() + 1) {
    return refuse(from, soup::kSessionNotAvailable, user, here ? "sequence_ahead" : "other_session");
  }
  for (auto& [fd, other] : connections_) {  // before the replay: its cancels belong to what is replayed
    if (other.get() != &from && other->user == user && !other->dead) drop(*other, "taken_over");
  }
  from.user = user;
  const std::uint64_t next = request->next_sequence == 0 ? stream.size() + 1 : request->next_sequence;
  std::array<std::uint8_t, soup::kFrameBytes + soup::LoginAccepted::length> packet;
  soup::write(packet, soup::LoginAccepted{settings_.session, next});
  from.out += as_text(packet);
  for (std::size_t at = next - 1; at < stream.size(); ++at) from.out += stream[at];
  say("login", user, soup::kLoginAccepted, std::to_string(next));
  write_to(from, now_ns);
}

void OrderServer::append(AccountId account, Bytes message) {
  std::string packet(soup::kFrameBytes + message.size(), '\0');
  soup::write({reinterpret_cast<std::uint8_t*>(packet.data()), packet.size()}, soup::kSequenced, message);
  for (auto& [fd, connection] : connections_) {
    const bool reads = connection->role != Role::unknown && connection->account == account && !connection->dead;
    if (reads && !connection->user.empty()) connection->out += packet;
  }
  streams_[account].push_back(std::move(packet));
}

void OrderServer::put(Connection& to, char type, Bytes payload) {
  std::array<std::uint8_t, 64> packet;
  const std::size_t bytes = soup::write(packet, type, payload);
  to.out += as_text(Bytes(packet).first(bytes));
}

void OrderServer::write_to(Connection& to, std::uint64_t now_ns) {
  while (!to.dead && to.sent < to.out.size()) {
    const ssize_t put = ::send(to.fd.get(), to.out.data() + to.sent, to.out.size() - to.sent, MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EAGAIN) break;
    if (put < 0) return drop(to, "reset");
    to.sent += static_cast<std::size_t>(put);
    to.last_sent_ns = now_ns;
  }
  const bool waits = to.sent < to.out.size();
  if (!waits) to.out.clear(), to.sent = 0;
  if (to.out.size() - to.sent > out_bytes_max) return drop(to, "slow_reader");
  if (waits != to.waits_to_write && !to.dead) {
    epoll_event event{};
    event.events = EPOLLIN | (waits ? static_cast<std::uint32_t>(EPOLLOUT) : 0U);
    event.data.fd = to.fd.get();
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, to.fd.get(), &event);
    to.waits_to_write = waits;
  }
}

// The connection is only marked here: its caller may still be walking over it.
void OrderServer::drop(Connection& gone, std::string_view why) {
  if (gone.dead) return;
  gone.dead = true;
  const bool spoke_for_account = gone.role == Role::orders && !gone.user.empty();
  if (!gone.user.empty()) say("disconnect", gone.user, 0, why);
  if (spoke_for_account) exchange_.disconnected(gone.account);
}

void OrderServer::reap(std::uint64_t now_ns) {
  for (auto at = connections_.begin(); at != connections_.end();) {
    Connection& connection = *at->second;
    if (!connection.dead && connection.closing) write_to(connection, now_ns);
    if (connection.closing && connection.out.empty()) connection.dead = true;
    at = connection.dead ? connections_.erase(at) : std::next(at);
  }
}

void OrderServer::flush(std::uint64_t now_ns) {
  for (auto& [fd, connection] : connections_) {
    if (!connection->out.empty() && !connection->waits_to_write) write_to(*connection, now_ns);
  }
  reap(now_ns);
}

void OrderServer::tick(std::uint64_t now_ns) {
  for (auto& [fd, connection] : connections_) {
    if (now_ns - connection->last_received_ns > settings_.peer_timeout_ms * ms) {
      drop(*connection, "silent");
    } else if (!connection->user.empty() && now_ns - connection->last_sent_ns >= soup::kHeartbeatEvery_ms * ms) {
      put(*connection, soup::kServerHeartbeat);
    }
  }
  flush(now_ns);
}

void OrderServer::end_of_session(std::uint64_t now_ns) {
  for (auto& [fd, connection] : connections_) {
    if (!connection->user.empty()) put(*connection, soup::kEndOfSession);
  }
  flush(now_ns);
}

bool OrderServer::cut(std::string_view user, std::uint64_t now_ns) {
  bool found = false;
  for (auto& [fd, connection] : connections_) {
    if (connection->user != user || connection->dead) continue;
    drop(*connection, "cut_by_operator");
    found = true;
  }
  reap(now_ns);
  return found;
}

bool OrderServer::connected(std::string_view user) const {
  for (const auto& [fd, connection] : connections_) {
    if (connection->user == user && !connection->dead) return true;
  }
  return false;
}

}  // namespace hft::venue
