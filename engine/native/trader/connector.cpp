// See connector.h. Every step waits with a timeout; every failure is one sentence.
#include "trader/connector.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "base/clock.h"
#include "base/digest.h"
#include "base/net.h"
#include "base/thread.h"
#include "core/documents.h"
#include "wire/link.h"
#include "wire/ouch_codec.h"

namespace hft::trader {
namespace {

using Json = nlohmann::json;
constexpr int kTimeoutMs = 2000;
constexpr std::chrono::milliseconds kPauseMin{100};
constexpr std::chrono::milliseconds kPauseMax{3200};

struct Failed : std::runtime_error {
  Failed(std::string code_in, const std::string& detail, bool was_refused_in = false)
      : std::runtime_error(detail), code(std::move(code_in)), was_refused(was_refused_in) {}
  std::string code;
  bool was_refused;  // by a gateway that is there
};

// A session that waits, for so long at each step.
class Stream {
 public:
  explicit Stream(const base::Endpoint& endpoint) {
    try {
      session_.open(base::connect_tcp(endpoint, timeout_ms_), base::monotonic_ns());
    } catch (const base::NetError& refused) {
      throw Failed("gateway", "connect to " + base::to_text(endpoint) + ": " + std::strerror(refused.error));
    }
  }

  explicit Stream(soup::Session session) : session_(std::move(session)) {}

  void set_timeout(int timeout_ms) { timeout_ms_ = timeout_ms; }

  void write(Bytes bytes) {
    session_.queue(bytes);
    while (session_.flush(base::monotonic_ns())) {
      if (session_.unsent_bytes() == 0) return;
      if (!is_ready(POLLOUT)) break;
    }
    throw Failed("gateway", "the gateway closed the connection");
  }

  // The next packet; false when none came in time or the peer closed.
  bool next(soup::Packet& packet) {
    while (true) {
      const auto got = session_.next(packet);
      if (got == soup::Got::packet) return true;
      if (got == soup::Got::broken || !is_ready(POLLIN)) return false;
      const auto io = session_.read(base::monotonic_ns());
      if (io == soup::Io::closed || io == soup::Io::reset) return false;
    }
  }

  soup::Session release() { return std::move(session_); }

 private:
  bool is_ready(short events) {
    pollfd wait{session_.fd(), events, 0};
    return poll(&wait, 1, timeout_ms_) == 1;
  }

  soup::Session session_;
  int timeout_ms_ = kTimeoutMs;
};

soup::Packet expect(Stream& stream, const char* what) {
  soup::Packet packet;
  do {
    if (!stream.next(packet)) throw Failed("gateway", std::string("no ") + what + " from the gateway");
  } while (packet.type == soup::kServerHeartbeat || packet.type == link::kFencedIn);  // of a link that has waited
  return packet;
}

Json expect_welcome(Stream& stream, const char* what) {
  const auto packet = expect(stream, what);
  const Json json = Json::parse(as_text(packet.payload), nullptr, false);
  if (packet.type == link::kWelcome && json.is_object()) return json;
  if (packet.type == link::kRefused && json.is_object()) {
    const std::string code = json.value("code", std::string("?"));
    throw Failed(code == "stale_epoch" ? code : "gateway", code + ": " + json.value("detail", std::string()), true);
  }
  throw Failed("gateway", std::string("something else than ") + what + " from the gateway");
}

Json fetch_ticket(const std::string& path, const std::string& slot, const link::Nonce& nonce) {
  const base::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int fd = socket.get();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string line;
  const std::string ask = Json{{"slot", slot}, {"nonce", base::hex(nonce)}}.dump() + "\n";
  if (path.size() < sizeof address.sun_path) std::memcpy(address.sun_path, path.data(), path.size());
  const timeval limit{5, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      send(fd, ask.data(), ask.size(), MSG_NOSIGNAL) > 0) {
    std::array<char, 8192> part{};
    ssize_t got = 0;
    while (line.find('\n') == std::string::npos && (got = recv(fd, part.data(), part.size(), 0)) > 0) {
      line.append(part.data(), static_cast<std::size_t>(got));
    }
  }
  const Json answer = Json::parse(line, nullptr, false);
  if (answer.is_object() && answer.value("ok", false) && answer.contains("ticket")) return answer["ticket"];
  throw Failed("gateway", "the ticket issuer gave no ticket" + (line.empty() ? std::string() : ": " + line));
}

std::uint64_t login(Stream& stream, const GatewayLogin& gateway, std::uint64_t next_response) {
  std::array<std::uint8_t, 64> packet{};
  const soup::LoginRequest request{gateway.user, gateway.password, "", next_response};
  stream.write(Bytes(packet).first(soup::write(packet, request)));
  const auto answer = expect(stream, "login answer");
  const auto accepted = answer.type == soup::kLoginAccepted ? soup::parse_login_accepted(answer.payload) : std::nullopt;
  if (accepted) return accepted->next_sequence;
  throw Failed("gateway", answer.type == soup::kLoginRejected ? "login rejected" : "no login answer");
}

// Positions as the venue's copy of all responses has them; read until it falls silent.
std::map<std::string, std::int64_t> read_drop_copy(const GatewayLogin& copy) {
  struct Known {
    std::string symbol;
    std::int64_t sign;
  };
  Stream stream(copy);
  login(stream, copy, 1);
  stream.set_timeout(300);
  std::map<std::uint32_t, Known> orders;
  std::map<std::string, std::int64_t> positions;
  soup::Packet packet;
  while (stream.next(packet) && packet.type != soup::kServerHeartbeat) {
    if (packet.type != soup::kSequenced) continue;
    const auto message = ouch::decode_outbound(packet.payload);
    if (message.is<ouch::Accepted>()) {
      const auto accepted = message.as<ouch::Accepted>();
      orders[accepted[ouch::Accepted::urn]] = {std::string(trimmed(accepted[ouch::Accepted::symbol])),
                                               accepted[ouch::Accepted::side] == 'B' ? 1 : -1};
    } else if (message.is<ouch::Replaced>()) {
      const auto replaced = message.as<ouch::Replaced>();
      orders[replaced[ouch::Replaced::urn]] = {std::string(trimmed(replaced[ouch::Replaced::symbol])),
                                               replaced[ouch::Replaced::side] == 'B' ? 1 : -1};
    } else if (message.is<ouch::Executed>()) {
      const auto executed = message.as<ouch::Executed>();
      const auto known = orders.find(executed[ouch::Executed::urn]);
      if (known == orders.end()) throw Failed("not_reconciled", "the drop copy has an execution of an unknown order");
      positions[known->second.symbol] += known->second.sign * std::int64_t{executed[ouch::Executed::quantity]};
    } else if (message.why != Reject::none || message.is<ouch::BrokenTrade>()) {
      throw Failed("not_reconciled", "the drop copy has an event that no position can be computed from");
    }
  }
  std::erase_if(positions, [](const auto& held) { return held.second == 0; });
  return positions;
}

// A connection that the gateway has admitted, and that has claimed nothing.
Stream admitted(const EngineConfig& config, bool is_peer, std::uint64_t& beat_ms) {
  Stream stream(is_peer ? *config.gateway_peer : *config.gateway);
  const auto nonce = link::parse_nonce(expect(stream, "nonce"));
  if (!nonce) throw Failed("gateway", "no nonce from the gateway");
  Json hello{
      {"contract", core::kContractVersion}, {"slot", config.slot}, {"egress", config.egress}, {"ticket", nullptr}};
  if (!config.ticket_socket.empty()) hello["ticket"] = fetch_ticket(config.ticket_socket, config.slot, *nonce);
  std::vector<std::uint8_t> packet(soup::kFrameBytes + link::kHelloBytesMax);
  const std::size_t length = link::write_hello(packet, hello.dump());
  if (length == 0) throw Failed("gateway", "HELLO with its ticket is larger than 8 KiB");
  stream.write(Bytes(packet).first(length));
  const Json welcome = expect_welcome(stream, "welcome");
  if (!welcome.value("active", true)) throw Failed("gateway", "this gateway of the pair is passive");
  beat_ms = welcome.value("beat_ms", std::uint64_t{0});
  return stream;
}

// The rest: claim, login, drop copy.
core::LinkEvent claim(Stream& stream, const EngineConfig& config, const ConnectOrder& order, std::uint64_t& beat_ms) {
  core::LinkEvent event;
  event.epoch = order.epoch;
  std::array<std::uint8_t, 16> packet;
  stream.write(Bytes(packet).first(link::write_claim(packet, order.epoch)));
  const Json welcome = expect_welcome(stream, "answer to the claim");
  event.session = welcome.value("session", std::string());
  event.next_urn = welcome.value("next_urn", std::uint32_t{1});
  beat_ms = welcome.value("beat_ms", std::uint64_t{0});
  login(stream, *config.gateway, event.session == order.session ? order.next_response : 1);
  if (config.dropcopy) {
    const auto positions = read_drop_copy(*config.dropcopy);
    event.has_positions = true;
    event.positions.assign(positions.begin(), positions.end());
  }
  event.what = core::LinkEvent::What::up;
  return event;
}

}  // namespace

void Connector::start() {
  thread_ = std::thread([this] {
    base::settle_thread("hft-link", config_.cpus_of("other"));
    loop();
  });
}

void Connector::stop() {
  stopping_.store(true);
  generation_.fetch_add(1);
  if (thread_.joinable()) thread_.join();
  Connected late;
  while (results_.take(late)) {
  }
}

void Connector::loop() {
  ConnectOrder order;
  while (!stopping_.load()) {
    if (orders_.take(order)) serve(std::move(order));
    else std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void Connector::serve(ConnectOrder order) {
  const bool is_standby = order.epoch == 0;
  const std::uint64_t generation = generation_.load();
  std::chrono::milliseconds pause = kPauseMin;
  while (generation == generation_.load()) {
    const bool is_warm = order.link.has_value();
    Connected result = attempt(order);
    if (is_warm && !result.session && !result.was_refused) result = attempt(order);  // the link had gone: anew
    if (!result.session && config_.gateway_peer) is_at_peer_ = !is_at_peer_;
    const bool up = result.session.has_value();
    const bool stale = result.event.code == "stale_epoch";
    const bool was_refused = result.was_refused;
    if (generation != generation_.load()) return;
    if (up || stale || (!order.is_retry && !is_standby)) {
      results_.put(std::move(result));
      return;
    }
    // A killed engine behind a latched gateway asks until somebody clears both: not ten times a second for hours,
    // each try is a ticket to verify and a line in a log that has no rotation.
    const auto until = std::chrono::steady_clock::now() + pause;
    while (generation == generation_.load() && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    pause = was_refused ? std::min(pause * 2, kPauseMax) : kPauseMin;
  }
}

Connected Connector::attempt(ConnectOrder& order) {
  Connected result;
  result.event.epoch = order.epoch;
  try {
    if (!config_.gateway) throw Failed("gateway", "the configuration names no gateway");
    Stream stream =
        order.link ? Stream(*std::exchange(order.link, std::nullopt)) : admitted(config_, is_at_peer_, result.beat_ms);
    if (order.epoch != 0) result.event = claim(stream, config_, order, result.beat_ms);
    result.session = stream.release();
  } catch (const Failed& failed) {
    const bool stale_later = order.is_retry && failed.code == "stale_epoch";
    result.event.what = stale_later ? core::LinkEvent::What::refused : core::LinkEvent::What::down;
    result.event.code = failed.code;
    result.was_refused = failed.was_refused;
    result.event.detail = failed.what();
  } catch (const Json::exception& error) {
    result.event.code = "gateway";
    result.event.detail = error.what();
  }
  return result;
}

}  // namespace hft::trader
