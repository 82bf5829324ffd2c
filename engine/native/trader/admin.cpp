// Socket, peers and requests of the admin thread: see admin.h. Signals and notifications are in admin_duties.cpp.
#include "trader/admin.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/net.h"
#include "base/words.h"
#include "core/documents.h"
#include "trader/manifest.h"

namespace hft::trader {
namespace {

using Json = nlohmann::json;
constexpr std::size_t kLineBytesMax = 65536;
constexpr int kPollEveryMs = 2;
constexpr int kPartsATurn = 64;  // of one peer, then it is another's turn

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

Admin::Admin(AdminParts parts) : parts_(std::move(parts)) {}

Admin::~Admin() {
  if (listener_) unlink(parts_.config.admin_socket.c_str());
}

void Admin::open() {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&wanted, number);
  signals_.reset(signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC));
  const std::string& path = parts_.config.admin_socket;
  try {
    listener_ = base::listen_unix(path);
  } catch (const base::NetError& refused) {
    throw std::system_error(refused.error, std::generic_category(), path);
  }
}

bool Admin::run() {
  while (!parts_.loop.stopped()) {
    wait();
    take_signals();
    accept_peers();
    for (Peer& peer : peers_) {
      read_peer(peer);
      next_line(peer);
      if (peer.waiting && peer.waiting->done.load(std::memory_order_acquire)) finish(peer);
      flush(peer);
    }
    std::erase_if(peers_, [](const Peer& peer) { return peer.gone && !peer.waiting; });
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
  std::vector<pollfd> fds{{signals_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
  bool busy = !own_.empty();
  for (const Peer& peer : peers_) {
    fds.push_back({peer.fd.get(), POLLIN, 0});
    busy = busy || peer.waiting;
  }
  poll(fds.data(), fds.size(), busy ? 1 : kPollEveryMs * 5);
}

void Admin::accept_peers() {
  base::Fd fd = base::accept_from(listener_);
  if (!fd) return;
  ucred peer{};
  socklen_t length = sizeof peer;
  getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length);
  Peer made;
  made.fd = std::move(fd);
  made.uid = peer.uid;
  made.pid = static_cast<std::uint32_t>(peer.pid);
  peers_.push_back(std::move(made));
}

void Admin::read_peer(Peer& peer) {
  std::array<char, 4096> part;
  for (int parts = 0; !peer.gone && parts < kPartsATurn; ++parts) {
    const ssize_t got = recv(peer.fd.get(), part.data(), part.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
      // A kill whose caller left before the end of the line is a kill.
      if (!peer.too_long && base::spots_verb(peer.in, "kill")) kill_now(peer, peer.in);
      peer.gone = true;
      return;
    }
    take(peer, {part.data(), static_cast<std::size_t>(got)});
  }
}

// A line that is too long to keep is only searched for a kill.
void Admin::take(Peer& peer, std::string_view bytes) {
  if (!peer.too_long) {
    peer.in.append(bytes);
    if (peer.waiting) kill_ahead(peer);
    if (peer.in.size() <= kLineBytesMax || peer.in.find('\n') <= kLineBytesMax) return;
    peer.too_long = true;
    bytes = peer.in;
  }
  if (peer.spotter.see(bytes)) kill_now(peer, R"({"reason":"in a request that is too long"})");
  const bool is_over = peer.spotter.is_seen() || bytes.find('\n') != std::string_view::npos;
  peer.in.clear();
  if (!is_over) return;
  refuse(peer, "bad_request", peer.spotter.is_seen() ? "killed; line longer than 64 KiB" : "line longer than 64 KiB");
  peer.gone = true;
}

// A kill does not wait behind a request of its own connection: done now, answered when it is its turn.
void Admin::kill_ahead(Peer& peer) {
  for (auto end = peer.in.find('\n', peer.ahead); end != std::string::npos; end = peer.in.find('\n', peer.ahead)) {
    const std::string line = peer.in.substr(peer.ahead, end - peer.ahead);
    if (base::spots_verb(line, "kill")) kill_now(peer, line);
    peer.ahead = end + 1;
  }
}

// One request at a time for each connection, in order.
void Admin::next_line(Peer& peer) {
  while (!peer.waiting) {
    const std::size_t end = peer.in.find('\n');
    if (end == std::string::npos) return;
    const std::string line = peer.in.substr(0, end);
    peer.in.erase(0, end + 1);
    peer.ahead = 0;
    serve(peer, line);
  }
}

void Admin::refuse(Peer& peer, std::string_view code, std::string_view detail) {
  peer.out += dump({{"ok", false}, {"code", code}, {"detail", detail}}) + "\n";
}

// The flag at the last gate first, then the core, then the disk; nobody's words can turn it away.
void Admin::kill(Peer& peer, std::string_view line) {
  g_egress_block.store(true);
  peer.verb = "kill";
  const core::Latch latch = core::kill_in(line, core::asker(peer.uid, peer.pid));
  submit(peer, Request::What::command, core::Verb::kill, core::kill_record(latch, peer.uid));
  latch_to_disk(latch);
}

// The same without an answer.
void Admin::kill_now(const Peer& peer, std::string_view line) {
  g_egress_block.store(true);
  const core::Latch latch = core::kill_in(line, core::asker(peer.uid, peer.pid));
  submit_own(core::Verb::kill, core::kill_record(latch, peer.uid));
  latch_to_disk(latch);
}

void Admin::serve(Peer& peer, std::string_view line) {
  if (base::spots_verb(line, "kill")) return kill(peer, line);
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return refuse(peer, "bad_request", "not a JSON object on one line");
  const auto verb = json.find("verb");
  if (verb == json.end() || !verb->is_string()) return refuse(peer, "bad_request", "field verb is missing");
  peer.verb = verb->get<std::string>();
  if (peer.verb == "kill") return kill(peer, line);  // spelt so that only JSON sees it
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
  submit(peer, Request::What::command, command->verb, core::admin_record(peer.uid, peer.pid, line), command->ms);
}

void Admin::submit(Peer& peer, Request::What what, core::Verb verb, std::string record, std::uint64_t stall_ms) {
  auto request = std::make_unique<Request>();
  request->what = what;
  request->verb = verb;
  request->record = std::move(record);
  request->stall_ms = stall_ms;
  if (!parts_.loop.ask(request.get())) {
    if (verb == core::Verb::kill) submit_own(verb, request->record);  // asked again until it is taken
    return refuse(peer, "journal", "the hot loop takes no more requests");
  }
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
    submit_own(core::Verb::kill,
               core::kill_record({true, "engine", "", "the latch file cannot be written", "hft-engine"}, 0));
    request.answer = {"latched", "the latch file cannot be written", 0, {}};
  }
  peer.out += answer_text(peer, request) + "\n";
  peer.waiting.reset();
  next_line(peer);
}

void Admin::flush(Peer& peer) {
  while (!peer.out.empty()) {
    const ssize_t sent = send(peer.fd.get(), peer.out.data(), peer.out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
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
  if (now.latch.set)
    latch = {{"scope", now.latch.scope}, {"id", now.latch.id}, {"reason", now.latch.reason}, {"by", now.latch.by}};
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

}  // namespace hft::trader
