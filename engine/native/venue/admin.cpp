// The admin verbs; each is a small function in a table, so that an unknown one can list the known ones.
#include "venue/admin.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/net.h"
#include "venue/venue.h"

namespace hft::venue {

namespace {

using Json = nlohmann::json;
constexpr std::size_t kLineBytesMax = 65536;

struct Refusal {
  std::string code;
  std::string detail;
};

AccountId account_of(Venue& venue, const Json& request) {
  const std::string user = request.value("account", "");
  const auto found = venue.exchange().find_account(user);
  if (!found) throw Refusal{"unknown_account", user};
  return *found;
}

Json accounts_of(Venue& venue) {
  Json accounts = Json::array();
  AccountId id = 0;
  for (const AccountState& account : venue.exchange().accounts()) {
    accounts.push_back({{"account", account.config.user},
                        {"firm", account.config.firm},
                        {"enabled", account.enabled && venue.exchange().firm_enabled(account.firm)},
                        {"connected", venue.orders().connected(account.config.user)},
                        {"last_urn", account.last_urn},
                        {"accepted", account.accepted},
                        {"rejected", account.rejected},
                        {"ignored", account.ignored},
                        {"malformed", account.malformed},
                        {"open_orders", venue.exchange().open_orders(id)},
                        {"stream", venue.orders().stream_length(id)}});
    ++id;
  }
  return accounts;
}

Json status(Venue& venue, const Json&) {
  Json lines = Json::object();
  for (const LineCounts& line : venue.lines()) {
    lines[line.name] = {{"datagrams", line.datagrams},   {"sent", line.sent},
                        {"failed", line.failed},         {"lost", line.lost},
                        {"duplicated", line.duplicated}, {"reordered", line.reordered}};
  }
  const Source* source = venue.source();
  return {{"session", venue.config().session},
          {"profile", ouch::to_text(venue.exchange().profile())},
          {"next_sequence", venue.feed().next_sequence()},
          {"datagrams", venue.feed().datagrams()},
          {"oldest_kept", venue.feed().oldest_kept()},
          {"lines", lines},
          {"retransmit_requests", venue.retransmit_requests()},
          {"retransmitted", venue.retransmitted()},
          {"live_orders", venue.exchange().core().live()},
          {"accounts", accounts_of(venue)},
          {"paused_orders", venue.exchange().paused()},
          {"paused_feed", venue.feed_paused()},
          {"ended", venue.ended()},
          {"source_sent", source == nullptr ? 0 : source->sent()},
          {"source_done", source == nullptr || source->due_ns() == UINT64_MAX},
          {"log_lines", venue.log().lines()}};
}

void operator_line(Venue& venue, std::string_view event, std::string_view session, std::uint64_t count = 0) {
  LogEntry entry;
  entry.event = event;
  entry.session = session;
  entry.code = "operator";
  entry.count = count;
  venue.to_log(entry);
}

Json switch_account(Venue& venue, const Json& request, bool enabled) {
  const AccountId id = account_of(venue, request);
  venue.exchange().set_enabled(id, enabled);
  operator_line(venue, enabled ? "account_enabled" : "account_disabled", request.value("account", ""));
  return {{"account", request.value("account", "")}, {"enabled", enabled}};
}

Json mass_cancel(Venue& venue, const Json& request) {
  std::optional<AccountId> account;
  std::optional<FirmId> firm;
  std::optional<Symbol> symbol;
  const Directory& directory = venue.exchange().directory();
  if (request.contains("account")) account = account_of(venue, request);
  if (request.contains("firm") && !(firm = directory.find_firm(request.value("firm", "")))) {
    throw Refusal{"unknown_firm", request.value("firm", "")};
  }
  if (request.contains("symbol") && !(symbol = directory.find(request.value("symbol", "")))) {
    throw Refusal{"unknown_symbol", request.value("symbol", "")};
  }
  const std::size_t canceled = venue.exchange().mass_cancel(account, firm, symbol, 'S');
  operator_line(venue, "mass_cancel", request.value("account", request.value("firm", "")), canceled);
  return {{"canceled", canceled}};
}

Json side_of(const Matching& core, Symbol symbol, Side side) {
  Json levels = Json::array();
  core.walk(symbol, side, [&](const Order& order) {
    if (levels.empty() || levels.back()[0] != order.price) levels.push_back({order.price, Json::array()});
    levels.back()[1].push_back({order.ref, order.open});
  });
  return levels;
}

Json book_of(Venue& venue, Symbol symbol) {
  const Matching& core = venue.exchange().core();
  return {{"symbol", venue.exchange().directory().name(symbol)},
          {"locate", venue.exchange().directory().locate(symbol)},
          {"bids", side_of(core, symbol, Side::buy)},
          {"asks", side_of(core, symbol, Side::sell)}};
}

Json book_dump(Venue& venue, const Json& request) {
  const Directory& directory = venue.exchange().directory();
  const std::uint64_t through = venue.feed().next_sequence() - 1;
  if (request.contains("path")) {
    std::ofstream file(request.value("path", ""));
    for (Symbol symbol = 0; symbol < directory.size(); ++symbol) file << book_of(venue, symbol).dump() << '\n';
    if (!file.flush()) throw Refusal{"cannot_write", request.value("path", "")};
    return {{"books", directory.size()}, {"through_sequence", through}};
  }
  Json books = Json::array();
  for (const Json& name : request.value("symbols", Json::array())) {
    const auto symbol = directory.find(name.get<std::string>());
    if (!symbol) throw Refusal{"unknown_symbol", name.get<std::string>()};
    books.push_back(book_of(venue, *symbol));
  }
  return {{"books", books}, {"through_sequence", through}};
}

Json pause(Venue& venue, const Json& request) {
  const std::string what = request.value("what", "both");
  if (what != "orders" && what != "feed" && what != "both") throw Refusal{"unknown_scope", what};
  venue.pause(what != "feed", what != "orders");
  operator_line(venue, "paused", what);
  return {{"paused", what}};
}

Json resume(Venue& venue, const Json&) {
  venue.resume();
  operator_line(venue, "resumed", {});
  return Json::object();
}

Json start(Venue& venue, const Json&) {
  if (venue.source() == nullptr) throw Refusal{"no_source", "the configuration names none"};
  if (venue.source()->sent() != 0) throw Refusal{"already_started", ""};
  venue.start_source();
  return Json::object();
}

Json disconnect(Venue& venue, const Json& request) {
  const std::string user = request.value("user", "");
  if (!venue.orders().cut(user, base::monotonic_ns())) throw Refusal{"not_connected", user};
  return {{"user", user}};
}

Json end(Venue& venue, const Json&) {
  venue.end_session();
  operator_line(venue, "end_of_session", {});
  return {{"next_sequence", venue.feed().next_sequence()}};
}

// What a request holds may come back in the answer, and need not be UTF-8.
std::string text_of(const Json& answer) { return answer.dump(-1, ' ', true, Json::error_handler_t::replace); }

using Verb = std::function<Json(Venue&, const Json&)>;
const std::map<std::string, Verb>& verbs() {
  static const std::map<std::string, Verb> table{
      {"status", status},
      {"disable_account", [](Venue& v, const Json& r) { return switch_account(v, r, false); }},
      {"enable_account", [](Venue& v, const Json& r) { return switch_account(v, r, true); }},
      {"mass_cancel", mass_cancel},
      {"book_dump", book_dump},
      {"pause", pause},
      {"resume", resume},
      {"start", start},
      {"disconnect", disconnect},
      {"end", end},
  };
  return table;
}

}  // namespace

std::string admin_answer(Venue& venue, const std::string& line) {
  const auto refused = [](std::string_view code, std::string_view detail) {
    return text_of({{"ok", false}, {"code", code}, {"detail", detail}});
  };
  try {
    const Json request = Json::parse(line);
    const auto verb = verbs().find(request.value("verb", ""));
    if (verb == verbs().end()) return refused("unknown_verb", request.value("verb", ""));
    Json answer = verb->second(venue, request);
    answer["ok"] = true;
    return text_of(answer);
  } catch (const Refusal& refusal) {
    return refused(refusal.code, refusal.detail);
  } catch (const Json::exception& error) {
    return refused("bad_request", error.what());
  }
}

Admin::Admin(const std::string& path, Venue& venue, int epoll)
    : path_(path), venue_(venue), epoll_(epoll), listener_(base::listen_unix(path)) {
  base::watch(epoll_, listener_, EPOLLIN);
}

Admin::~Admin() { ::unlink(path_.c_str()); }

void Admin::accept_all() {
  while (base::Fd fd = base::accept_from(listener_)) {
    base::watch(epoll_, fd, EPOLLIN);
    const int key = fd.get();
    peers_[key] = {std::move(fd), {}};
  }
}

void Admin::on_ready(int fd) {
  if (fd == listener_.get()) return accept_all();
  Peer& peer = peers_.at(fd);
  std::array<char, 4096> chunk;
  while (true) {
    const ssize_t got = ::recv(fd, chunk.data(), chunk.size(), 0);
    if (got < 0 && errno == EAGAIN) break;
    if (got <= 0 || peer.in.size() + static_cast<std::size_t>(got) > kLineBytesMax) {
      peers_.erase(fd);
      return;
    }
    peer.in.append(chunk.data(), static_cast<std::size_t>(got));
  }
  if (!answer_lines(peer)) peers_.erase(fd);
}

// An operator who does not read his answers for a second is cut; the venue waits no longer for one.
bool Admin::answer_lines(Peer& peer) {
  for (std::size_t end; (end = peer.in.find('\n')) != std::string::npos;) {
    const std::string answer = admin_answer(venue_, peer.in.substr(0, end)) + '\n';
    peer.in.erase(0, end + 1);
    std::size_t put = 0;
    while (put < answer.size()) {
      const ssize_t sent = ::send(peer.fd.get(), answer.data() + put, answer.size() - put, MSG_NOSIGNAL);
      if (sent > 0) {
        put += static_cast<std::size_t>(sent);
        continue;
      }
      pollfd wait{peer.fd.get(), POLLOUT, 0};
      if (errno != EAGAIN || ::poll(&wait, 1, 1000) != 1) return false;
    }
  }
  return true;
}

}  // namespace hft::venue
