// Sessions over TCP; order_server.h says what is declared.
#include "venue/order_server.h"

#include <sys/epoll.h>

namespace hft::venue {

namespace {
constexpr std::size_t kOutBytesMax = 64UL << 20;  // a reader this far behind is cut, not waited for
constexpr std::uint64_t kMs = 1'000'000;
}  // namespace

OrderServer::OrderServer(Settings settings, Exchange& exchange, Outlet& outlet, int epoll)
    : settings_(std::move(settings)),
      exchange_(exchange),
      outlet_(outlet),
      epoll_(epoll),
      listener_(base::listen_tcp(settings_.at)),
      streams_(exchange.accounts().size()) {
  base::watch(epoll_, listener_, EPOLLIN);
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
  while (base::Fd fd = base::accept_from(listener_)) {
    base::watch(epoll_, fd, EPOLLIN);
    const int key = fd.get();
    auto connection = std::make_unique<Connection>();
    connection->link.open(std::move(fd), now_ns);
    connections_[key] = std::move(connection);
  }
}

void OrderServer::read_from(Connection& from, std::uint64_t now_ns) {
  while (!from.dead) {
    const soup::Io io = from.link.read(now_ns);
    if (io == soup::Io::none) return;
    if (io != soup::Io::some) return drop(from, io == soup::Io::closed ? "closed" : "reset");
    soup::Packet packet;
    soup::Got what = soup::Got::need_more;
    while (!from.closing && (what = from.link.next(packet)) == soup::Got::packet) take(from, packet, now_ns);
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
  from.link.queue(packet);
  for (std::size_t at = next - 1; at < stream.size(); ++at) from.link.queue(as_bytes(stream[at]));
  say("login", user, soup::kLoginAccepted, std::to_string(next));
  write_to(from, now_ns);
}

void OrderServer::append(AccountId account, Bytes message) {
  std::string packet(soup::kFrameBytes + message.size(), '\0');
  soup::write({reinterpret_cast<std::uint8_t*>(packet.data()), packet.size()}, soup::kSequenced, message);
  for (auto& [fd, connection] : connections_) {
    const bool reads = connection->role != Role::unknown && connection->account == account && !connection->dead;
    if (reads && !connection->user.empty()) connection->link.queue(as_bytes(packet));
  }
  streams_[account].push_back(std::move(packet));
}

void OrderServer::put(Connection& to, char type, Bytes payload) {
  std::array<std::uint8_t, 64> packet;
  const std::size_t bytes = soup::write(packet, type, payload);
  to.link.queue(Bytes(packet).first(bytes));
}

void OrderServer::write_to(Connection& to, std::uint64_t now_ns) {
  if (to.dead) return;
  if (!to.link.flush(now_ns)) return drop(to, "reset");
  const bool waits = to.link.unsent_bytes() > 0;
  if (to.link.unsent_bytes() > kOutBytesMax) return drop(to, "slow_reader");
  if (waits == to.waits_to_write) return;
  base::watch(epoll_, to.link.socket(), waits ? EPOLLIN | EPOLLOUT : EPOLLIN, false);
  to.waits_to_write = waits;
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
    if (connection.closing && connection.link.unsent_bytes() == 0) connection.dead = true;
    at = connection.dead ? connections_.erase(at) : std::next(at);
  }
}

void OrderServer::flush(std::uint64_t now_ns) {
  for (auto& [fd, connection] : connections_) {
    if (connection->link.unsent_bytes() > 0 && !connection->waits_to_write) write_to(*connection, now_ns);
  }
  reap(now_ns);
}

void OrderServer::tick(std::uint64_t now_ns) {
  for (auto& [fd, connection] : connections_) {
    if (connection->link.is_silent(now_ns, settings_.peer_timeout_ms * kMs)) {
      drop(*connection, "silent");
    } else if (!connection->user.empty() && connection->link.owes_heartbeat(now_ns, soup::kHeartbeatEveryMs * kMs)) {
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
