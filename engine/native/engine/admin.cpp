// Socket, peers and requests of the admin thread: see admin.h. Signals and notifications are in admin_duties.cpp.
#include "engine/admin.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/documents.h"
#include "engine/manifest.h"

namespace hft::engine {
namespace {

using Json = nlohmann::json;
constexpr std::size_t kLineBytesMax = 65536;
constexpr int kPollEvery_ms = 2;

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

Admin::Admin(AdminParts parts) : parts_(std::move(parts)) {}

Admin::~Admin() {
  for (Peer& peer : peers_) close(peer.fd);
  if (listener_ >= 0) {
    close(listener_);
    unlink(parts_.config.admin_socket.c_str());
  }
  if (signals_ >= 0) close(signals_);
}

void Admin::open() {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&wanted, number);
  signals_ = signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
  const std::string& path = parts_.config.admin_socket;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw std::system_error(ENAMETOOLONG, std::generic_category(), path);
  std::memcpy(address.sun_path, path.data(), path.size());
  listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  unlink(path.c_str());
  const mode_t before = umask(0177);
  const bool ok =
      bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 && listen(listener_, 16) == 0;
  umask(before);
  if (!ok) throw std::system_error(errno, std::generic_category(), path);
}

bool Admin::run() {
  while (!parts_.hot.stopped()) {
    wait();
    take_signals();
    accept_peers();
    for (Peer& peer : peers_) {
      read_peer(peer);
      next_line(peer);
      if (peer.waiting && peer.waiting->done.load(std::memory_order_acquire)) finish(peer);
      flush(peer);
    }
    std::erase_if(peers_, [](Peer& peer) {
      const bool over = peer.gone && !peer.waiting;
      if (over) close(peer.fd);
      return over;
    });
    finish_own();
    tell_service_manager();
    look_after_ports();
  }
  for (Peer& peer : peers_) {
    if (peer.waiting && peer.waiting->done.load(std::memory_order_acquire)) finish(peer);
    flush(peer);
  }
  tell_service_manager();
  return terms_ > 1;
}

void Admin::wait() {
  std::vector<pollfd> fds{{signals_, POLLIN, 0}, {listener_, POLLIN, 0}};
  bool busy = !own_.empty();
  for (const Peer& peer : peers_) {
    fds.push_back({peer.fd, POLLIN, 0});
    busy = busy || peer.waiting;
  }
  poll(fds.data(), fds.size(), busy ? 1 : kPollEvery_ms * 5);
}

void Admin::accept_peers() {
  const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  ucred peer{};
  socklen_t length = sizeof peer;
  getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length);
  Peer made;
  made.fd = fd;
  made.uid = peer.uid;
  peers_.push_back(std::move(made));
}

void Admin::read_peer(Peer& peer) {
  std::array<char, 4096> part;
  while (!peer.gone && peer.in.size() <= kLineBytesMax) {
    const ssize_t got = recv(peer.fd, part.data(), part.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
      peer.gone = true;
      return;
    }
    peer.in.append(part.data(), static_cast<std::size_t>(got));
  }
}

// One request at a time for each connection, in order.
void Admin::next_line(Peer& peer) {
  while (!peer.waiting) {
    const std::size_t end = peer.in.find('\n');
    if (end == std::string::npos) {
      if (peer.in.size() > kLineBytesMax) {
        refuse(peer, "bad_request", "line longer than 64 KiB");
        peer.gone = true;
      }
      return;
    }
    const std::string line = peer.in.substr(0, end);
    peer.in.erase(0, end + 1);
    serve(peer, line);
  }
}

void Admin::refuse(Peer& peer, std::string_view code, std::string_view detail) {
  peer.out += dump({{"ok", false}, {"code", code}, {"detail", detail}}) + "\n";
}

void Admin::serve(Peer& peer, std::string_view line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return refuse(peer, "bad_request", "not a JSON object on one line");
  const auto verb = json.find("verb");
  if (verb == json.end() || !verb->is_string()) return refuse(peer, "bad_request", "field verb is missing");
  peer.verb = verb->get<std::string>();
  if (json.contains("critical") && !core::knows_critical(line)) {
    return refuse(peer, "bad_request", "a critical field is not known here");
  }
  serve_verb(peer, peer.verb, line);
}

void Admin::serve_verb(Peer& peer, const std::string& verb, std::string_view line) {
  if (verb == "status" || verb == "role" || verb == "limits")
    return submit(peer, Request::What::look, core::Verb::none, "");
  if (verb == "digest") return submit(peer, Request::What::digest, core::Verb::none, "");
  if (verb == "histograms") {
    peer.out += histograms_text() + "\n";
    return;
  }
  const bool test_door = verb == "intent" || verb == "stall";
  if (test_door && !parts_.conformance) return refuse(peer, "not_conformance", "started without --conformance");
  std::string why;
  const auto command = core::parse_request(line, &why);
  const bool internal = verb == "journal_broken" || verb == "force";
  if (internal || (!command && why == "unknown verb")) return refuse(peer, "unknown_verb", "no verb " + verb);
  if (!command) return refuse(peer, "bad_request", why);
  if (command->verb == core::Verb::kill) g_egress_block.store(true);
  submit(peer, Request::What::command, command->verb, core::admin_record(peer.uid, line), command->ms);
  if (command->verb == core::Verb::kill) latch_to_disk({true, command->scope, command->id, command->reason});
}

void Admin::submit(Peer& peer, Request::What what, core::Verb verb, std::string record, std::uint64_t stall_ms) {
  auto request = std::make_unique<Request>();
  request->what = what;
  request->verb = verb;
  request->record = std::move(record);
  request->stall_ms = stall_ms;
  if (!parts_.hot.ask(request.get())) return refuse(peer, "journal", "the hot loop takes no more requests");
  peer.waiting = std::move(request);
}

// Told only once it is written: a process that dies after its answer must not forget what it promised. A kill does
// not wait for a disk.
bool Admin::is_written(const Request& request) const {
  if (request.verb == core::Verb::kill || parts_.ring.shared().broken_errno.load() != 0) return true;
  return parts_.ring.shared().durable.load(std::memory_order_acquire) >= request.journal_offset;
}

void Admin::finish(Peer& peer) {
  Request& request = *peer.waiting;
  if (!is_written(request)) return;
  last_ = request.after;
  if (request.verb == core::Verb::unkill && request.answer.ok() && !parts_.latch.write({})) {
    // The latch is still set on disk, and what is on disk wins: back to HALTED.
    kill_by_signal();
    request.answer = {"latched", "the latch file cannot be written", 0, {}};
  }
  peer.out += answer_text(peer, request) + "\n";
  peer.waiting.reset();
  next_line(peer);
}

void Admin::flush(Peer& peer) {
  while (!peer.out.empty()) {
    const ssize_t sent = send(peer.fd, peer.out.data(), peer.out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno != EAGAIN && errno != EINTR) {
        peer.gone = true;
        peer.out.clear();
      }
      return;
    }
    peer.out.erase(0, static_cast<std::size_t>(sent));
  }
}

std::string Admin::answer_text(const Peer& peer, const Request& request) {
  const Snapshot& now = request.after;
  if (!request.answer.ok()) {
    return dump({{"ok", false}, {"code", request.answer.code}, {"detail", request.answer.detail}});
  }
  if (peer.verb == "status") return status_text(request);
  if (peer.verb == "role")
    return dump({{"ok", true}, {"role", now.epoch != 0 ? "leader" : "standby"}, {"epoch", now.epoch}});
  if (peer.verb == "limits") {
    return dump({{"ok", true},
                 {"serial", now.limits_serial},
                 {"digest", "sha256:" + now.limits_digest},
                 {"refused", limits_refused_},
                 {"not_after_utc_ns", now.limits_not_after_utc_ns}});
  }
  if (request.what == Request::What::digest) {
    return dump({{"ok", true},
                 {"input_seq", now.input_seq},
                 {"state_digest", "sha256:" + request.state_digest},
                 {"decision_digest", "sha256:" + request.decision_digest},
                 {"book_digest", request.book_digest},
                 {"next_sequence", now.feed_next_sequence}});
  }
  if (request.verb == core::Verb::kill) {
    return dump({{"ok", true},
                 {"open_before", now.cleanup.open_before},
                 {"cancels_sent", now.cleanup.cancels_sent},
                 {"cancels_acked", now.cleanup.cancels_acked},
                 {"fills_since", now.cleanup.fills_since},
                 {"positions", now.positions},
                 {"flattened", false}});
  }
  if (request.verb == core::Verb::enter) {
    return dump({{"ok", true}, {"urn", request.answer.urn}, {"clordid", request.answer.clordid}});
  }
  if (request.verb == core::Verb::cancel) return dump({{"ok", true}, {"urn", request.answer.urn}, {"clordid", ""}});
  return R"({"ok":true})";
}

std::string Admin::status_text(const Request& request) {
  const Snapshot& now = request.after;
  const auto& shared = parts_.ring.shared();
  Json latch = nullptr;
  if (now.latch.set) latch = {{"scope", now.latch.scope}, {"id", now.latch.id}, {"reason", now.latch.reason}};
  return dump({
      {"ok", true},
      {"state", core::name_of(now.state)},
      {"ready", true},
      {"level", kLevel},
      {"contract", kContract},
      {"egress", parts_.config.egress},
      {"conformance", parts_.conformance},
      {"pid", getpid()},
      {"epoch", now.epoch},
      {"highest_epoch", now.highest_epoch},
      {"latch", latch},
      {"limits",
       {{"ok", true},
        {"serial", now.limits_serial},
        {"digest", "sha256:" + now.limits_digest},
        {"refused", limits_refused_},
        {"not_after_utc_ns", now.limits_not_after_utc_ns}}},
      {"artifact_digest", "sha256:" + parts_.artifact_digest},
      {"config_digest", "sha256:" + parts_.config.digest},
      {"feed", {{"fresh", now.feed_fresh}, {"gapped", now.feed_gapped}, {"next_sequence", now.feed_next_sequence}}},
      {"connected", now.connected},
      {"positions", now.positions},
      {"open_orders", now.open_orders},
      {"journal",
       {{"appended", now.input_seq},
        {"durable", shared.durable_input_seq.load()},
        {"recovered_records", parts_.recovered_records},
        {"dropped_bytes", parts_.dropped_bytes},
        {"broken_errno", shared.broken_errno.load()},
        {"durability", parts_.config.durability.text()}}},
      {"host", Json::parse(parts_.host_facts)},
  });
}

// Bucket number and count of every bucket that counted; the rule is in engine/contract/metrics.py.
std::string Admin::histograms_text() const {
  Json all = Json::object();
  constexpr std::array<std::pair<Histogram, const char*>, 2> kShown{
      {{Histogram::user_span, "engine_user_span_ns"}, {Histogram::decision, "engine_decision_ns"}}};
  for (const auto& [histogram, name] : kShown) {
    Json counts = Json::array();
    for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
      const std::uint64_t count = parts_.metrics.count(histogram, bucket);
      if (count != 0) counts.push_back({bucket, count});
    }
    all[name] = counts;
  }
  return dump({{"ok", true}, {"histograms", all}});
}

}  // namespace hft::engine
