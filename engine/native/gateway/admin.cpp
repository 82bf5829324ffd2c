// Reading requests line by line, one at a time per caller, answering in order.
#include "gateway/admin.h"

#include "gateway/net.h"
#include "gateway/verbs.h"

namespace hft::gateway {
namespace {

constexpr std::size_t REQUEST_BYTES_MAX = 1 << 20;

}  // namespace

class AdminServer::Caller : public Source {
 public:
  Caller(AdminServer& server, Fd socket, std::uint64_t its_number)
      : number(its_number), server_(server), socket_(std::move(socket)) {}
  ~Caller() override { server_.hub_.loop.remove(socket_.get()); }

  bool start() { return server_.hub_.loop.add(socket_.get(), EPOLLIN, *this); }

  void on_events(std::uint32_t events) override {
    if (is_gone_) return;
    if (events & EPOLLOUT) flush();
    if (is_gone_ || !(events & (EPOLLIN | EPOLLERR | EPOLLHUP))) return;
    char buffer[16384];
    const auto got = ::recv(socket_.get(), buffer, sizeof buffer, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0 || request_.size() > REQUEST_BYTES_MAX) return leave();
    request_.append(buffer, static_cast<std::size_t>(got));
    serve();
  }

  const std::uint64_t number;

 private:
  void serve() {
    for (auto end = request_.find('\n'); end != std::string::npos && !is_waiting_; end = request_.find('\n')) {
      const auto line = request_.substr(0, end);
      request_.erase(0, end + 1);
      is_waiting_ = true;
      run_verb(server_.hub_, line, [&server = server_, id = number](const Json& answer) {
        const auto found = server.callers_.find(id);
        if (found != server.callers_.end()) found->second->answer(answer);
      });
    }
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
  Fd socket_;
  std::string request_;
  std::string unsent_;
  bool is_waiting_ = false;
  bool is_gone_ = false;
};

AdminServer::AdminServer(Hub& hub) : hub_(hub) {}
AdminServer::~AdminServer() = default;

Failure AdminServer::listen() {
  socket_ = listen_unix(hub_.config.admin_socket);
  if (!socket_ || !hub_.loop.add(socket_.get(), EPOLLIN, *this))
    return failed("cannot listen on", hub_.config.admin_socket);
  return {};
}

void AdminServer::on_events(std::uint32_t) {
  Fd fd(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd) return;
  auto caller = std::make_unique<Caller>(*this, std::move(fd), ++seen_);
  if (caller->start()) callers_.emplace(caller->number, std::move(caller));
}

void AdminServer::drop(std::uint64_t number) {
  auto node = callers_.extract(number);
  if (!node.empty()) hub_.loop.bury(std::move(node.mapped()));
}

}  // namespace hft::gateway
