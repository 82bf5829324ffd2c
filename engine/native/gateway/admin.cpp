// Reading requests line by line, one at a time per caller, answering in order.
#include "gateway/admin.h"

#include <sys/socket.h>

#include <cerrno>

#include "base/files.h"
#include "base/net.h"
#include "base/words.h"
#include "gateway/verbs.h"

namespace hft::gateway {
namespace {

constexpr std::size_t kRequestBytesMax = 1 << 20;
constexpr std::size_t kUnreadBytesMax = 1 << 20;  // answers that a caller has not read: it gets no more before
constexpr std::size_t kCallersMax = 64;

Asker asker_of(const base::Fd& socket) {
  ucred peer{};
  socklen_t length = sizeof peer;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return {-1, UINT32_MAX};
  return {peer.pid, peer.uid};
}

}  // namespace

class AdminServer::Caller : public Source {
 public:
  Caller(AdminServer& server, base::Fd socket, std::uint64_t its_number)
      : number(its_number), server_(server), socket_(std::move(socket)), asker_(asker_of(socket_)) {}
  ~Caller() override { server_.hub_.loop.remove(socket_.get()); }

  bool start() { return server_.hub_.loop.add(socket_.get(), EPOLLIN, *this); }

  void on_events(std::uint32_t events) override {
    if (is_gone_) return;
    if (events & EPOLLOUT) {
      flush();
      serve();
    }
    if (is_gone_ || !(events & (EPOLLIN | EPOLLERR | EPOLLHUP))) return;
    char buffer[16384];
    const auto got = ::recv(socket_.get(), buffer, sizeof buffer, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return hung_up();
    const std::string_view bytes(buffer, static_cast<std::size_t>(got));
    if (is_too_long_ || request_.size() + bytes.size() > kRequestBytesMax) return read_on(bytes);
    request_.append(bytes);
    serve();
    if (!is_gone_ && !is_free()) kill_ahead();
  }

  const std::uint64_t number;

 private:
  void serve() {
    for (auto end = request_.find('\n'); end != std::string::npos && is_free(); end = request_.find('\n')) {
      const auto line = request_.substr(0, end);
      request_.erase(0, end + 1);
      ahead_ = 0;
      is_waiting_ = true;
      run_verb(server_.hub_, line, asker_, [&server = server_, id = number](const Json& answer) {
        const auto found = server.callers_.find(id);
        if (found != server.callers_.end()) found->second->answer(answer);
      });
    }
  }

  bool is_free() const { return !is_waiting_ && !is_gone_ && unsent_.size() < kUnreadBytesMax; }

  // A kill does not wait behind a request of its own connection: done now, answered when it is its turn.
  void kill_ahead() {
    for (auto end = request_.find('\n', ahead_); end != std::string::npos; end = request_.find('\n', ahead_)) {
      run_if_kill(request_.substr(ahead_, end - ahead_));
      ahead_ = end + 1;
    }
  }

  void run_if_kill(const std::string& line) {
    if (base::spots_verb(line, "latch")) run_verb(server_.hub_, line, asker_, [](const Json&) {});
  }

  // A kill whose caller left before the end of the line is a kill.
  void hung_up() {
    run_if_kill(request_);
    leave();
  }

  // A line that is too long to keep is only searched for a kill.
  void read_on(std::string_view bytes) {
    if (!is_too_long_) spotter_.see(request_);
    is_too_long_ = true;
    request_.clear();
    if (spotter_.see(bytes)) run_if_kill(R"({"verb":"latch","reason":"in a request that is too long"})");
    if (spotter_.is_seen() || bytes.find('\n') != std::string_view::npos) leave();
  }

  void answer(const Json& json) {
    is_waiting_ = false;
    unsent_ += canonical(json) + "\n";
    flush();
    if (!is_gone_) serve();
  }

  void flush() {
    const auto sent = ::send(socket_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return leave();
    if (sent > 0) unsent_.erase(0, static_cast<std::size_t>(sent));
    server_.hub_.loop.change(socket_.get(), unsent_.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT, *this);
  }

  void leave() {
    is_gone_ = true;
    server_.drop(number);
  }

  AdminServer& server_;
  base::Fd socket_;
  std::string request_;
  std::string unsent_;
  std::size_t ahead_ = 0;  // looked at for kills up to here
  base::VerbSpotter spotter_{"latch"};
  const Asker asker_;
  bool is_waiting_ = false;
  bool is_too_long_ = false;
  bool is_gone_ = false;
};

AdminServer::AdminServer(Hub& hub) : hub_(hub) {}
AdminServer::~AdminServer() = default;

base::Failure AdminServer::listen() {
  try {
    socket_ = base::listen_unix(hub_.config.admin_socket);
  } catch (const base::NetError& refused) {
    errno = refused.error;
  }
  if (!socket_ || !hub_.loop.add(socket_.get(), EPOLLIN, *this))
    return base::failed("cannot listen on", hub_.config.admin_socket);
  return {};
}

void AdminServer::on_events(std::uint32_t) {
  auto fd = base::accept_from(socket_);
  if (!fd) return;
  if (callers_.size() >= kCallersMax) return;
  auto caller = std::make_unique<Caller>(*this, std::move(fd), ++seen_);
  if (caller->start()) callers_.emplace(caller->number, std::move(caller));
}

void AdminServer::drop(std::uint64_t number) {
  auto node = callers_.extract(number);
  if (!node.empty()) hub_.loop.bury(std::move(node.mapped()));
}

}  // namespace hft::gateway
