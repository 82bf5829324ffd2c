// See connector.h. Blocking sockets with timeouts; every failure is one sentence.
#include "engine/connector.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "engine/host.h"
#include "journal/seal.h"
#include "wire/link.h"
#include "wire/ouch_codec.h"

namespace hft::engine {
namespace {

using Json = nlohmann::json;
constexpr int kTimeout_ms = 2000;
constexpr std::chrono::milliseconds kPauseMin{100};
constexpr std::chrono::milliseconds kPauseMax{3200};

struct Failed : std::runtime_error {
  Failed(std::string code_in, const std::string& detail, bool was_refused_in = false)
      : std::runtime_error(detail), code(std::move(code_in)), was_refused(was_refused_in) {}
  std::string code;
  bool was_refused;  // by a gateway that is there
};

// A blocking packet stream; closes its socket unless that is released.
class Stream {
 public:
  explicit Stream(const Endpoint& endpoint, int timeout_ms = kTimeout_ms)
      : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), buffer_(1 << 17), reader_(buffer_) {
    set_timeout(timeout_ms);
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(endpoint.port);
    inet_pton(AF_INET, endpoint.host.c_str(), &address.sin_addr);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return;
    const std::string why = std::strerror(errno);
    close(fd_);
    throw Failed("gateway", "connect to " + endpoint.host + ":" + std::to_string(endpoint.port) + ": " + why);
  }
  ~Stream() {
    if (fd_ >= 0) close(fd_);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  void set_timeout(int timeout_ms) const {
    const timeval limit{timeout_ms / 1000, timeout_ms % 1000 * 1000};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  }

  void write(Bytes bytes) const {
    if (send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size())) {
      throw Failed("gateway", "the gateway closed the connection");
    }
  }

  // The next packet; false when none came in time or the peer closed.
  bool next(soup::Packet& packet) {
    while (true) {
      const auto got = reader_.next(packet);
      if (got == soup::Got::packet) return true;
      if (got == soup::Got::broken) return false;
      const auto space = reader_.space();
      const ssize_t bytes = recv(fd_, space.data(), space.size(), 0);
      if (bytes <= 0) return false;
      reader_.commit(static_cast<std::size_t>(bytes));
    }
  }

  int release(std::vector<std::uint8_t>& unread) {
    soup::Packet packet;
    std::array<std::uint8_t, soup::kFrameBytes> frame{};
    while (reader_.next(packet) == soup::Got::packet) {  // whole packets behind the login
      soup::write(frame, packet.type);
      store_be<2>(frame.data(), packet.payload.size() + 1);
      unread.insert(unread.end(), frame.begin(), frame.end());
      unread.insert(unread.end(), packet.payload.begin(), packet.payload.end());
    }
    const std::size_t rest = reader_.unread();
    const auto space = reader_.space();  // what is unread now lies at the front of the buffer
    static_cast<void>(space);
    unread.insert(unread.end(), buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(rest));
    return std::exchange(fd_, -1);
  }

 private:
  int fd_;
  std::vector<std::uint8_t> buffer_;
  soup::Reader reader_;
};

soup::Packet expect(Stream& stream, const char* what) {
  soup::Packet packet;
  if (!stream.next(packet)) throw Failed("gateway", std::string("no ") + what + " from the gateway");
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
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string line;
  const std::string ask = Json{{"slot", slot}, {"nonce", hex(nonce)}}.dump() + "\n";
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
  close(fd);
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
    } else if (message.is<ouch::Executed>()) {
      const auto executed = message.as<ouch::Executed>();
      const Known& known = orders[executed[ouch::Executed::urn]];
      positions[known.symbol] += known.sign * std::int64_t{executed[ouch::Executed::quantity]};
    }
  }
  std::erase_if(positions, [](const auto& held) { return held.second == 0; });
  return positions;
}

}  // namespace

void Connector::start() {
  thread_ = std::thread([this] {
    settle_thread("hft-link", config_.cpus_of("other"));
    loop();
  });
}

void Connector::stop() {
  stopping_.store(true);
  generation_.fetch_add(1);
  if (thread_.joinable()) thread_.join();
  Connected late;
  while (results_.take(late)) {
    if (late.fd >= 0) close(late.fd);
  }
}

void Connector::loop() {
  ConnectOrder order;
  while (!stopping_.load()) {
    if (orders_.take(order)) serve(order);
    else std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void Connector::serve(const ConnectOrder& order) {
  const std::uint64_t generation = generation_.load();
  std::chrono::milliseconds pause = kPauseMin;
  while (generation == generation_.load()) {
    Connected result = attempt(order);
    const bool up = result.fd >= 0;
    const bool stale = result.event.code == "stale_epoch";
    const bool was_refused = result.was_refused;
    if (generation != generation_.load()) {
      if (up) close(result.fd);
      return;
    }
    if (up || stale || !order.is_retry) {
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

Connected Connector::attempt(const ConnectOrder& order) {
  Connected result;
  result.event.epoch = order.epoch;
  try {
    if (!config_.gateway) throw Failed("gateway", "the configuration names no gateway");
    Stream stream(*config_.gateway);
    const auto nonce = link::parse_nonce(expect(stream, "nonce"));
    if (!nonce) throw Failed("gateway", "no nonce from the gateway");
    Json hello{{"contract", "1.0.0"}, {"slot", config_.slot}, {"egress", config_.egress}, {"ticket", nullptr}};
    if (!config_.ticket_socket.empty()) hello["ticket"] = fetch_ticket(config_.ticket_socket, config_.slot, *nonce);
    std::vector<std::uint8_t> packet(soup::kFrameBytes + link::kHelloBytesMax);
    const std::size_t length = link::write_hello(packet, hello.dump());
    if (length == 0) throw Failed("gateway", "HELLO with its ticket is larger than 8 KiB");
    stream.write(Bytes(packet).first(length));
    expect_welcome(stream, "welcome");
    stream.write(Bytes(packet).first(link::write_claim(packet, order.epoch)));
    const Json welcome = expect_welcome(stream, "answer to the claim");
    result.event.session = welcome.value("session", std::string());
    result.event.next_urn = welcome.value("next_urn", std::uint32_t{1});
    const bool same_session = result.event.session == order.session;
    login(stream, *config_.gateway, same_session ? order.next_response : 1);
    if (config_.dropcopy) {
      const auto positions = read_drop_copy(*config_.dropcopy);
      result.event.has_positions = true;
      result.event.positions.assign(positions.begin(), positions.end());
    }
    result.event.what = core::LinkEvent::What::up;
    result.fd = stream.release(result.unread);
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

}  // namespace hft::engine
