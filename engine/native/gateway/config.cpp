// Checking a configuration: a key that is missing, unknown or of the wrong type is named.
#include "gateway/config.h"

#include <set>

#include "gateway/json.h"

namespace hft::gateway {
namespace {

// Reads the keys of one object and remembers the first thing that was wrong.
class Reader {
 public:
  Reader(const Json& object, std::string where, Failure& failure)
      : object_(object), where_(std::move(where)), failure_(failure) {}

  std::string text(const char* key, const char* fallback = nullptr) {
    seen_.insert(key);
    if (!object_.contains(key) && fallback != nullptr) return fallback;
    const auto found = text_at(object_, key);
    if (!found) complain(key, "must be a string");
    return found.value_or("");
  }

  std::uint64_t number(const char* key, std::uint64_t fallback, std::uint64_t max) {
    seen_.insert(key);
    if (!object_.contains(key)) return fallback;
    const auto found = number_at(object_, key);
    if (!found || *found > max) complain(key, "must be a whole number up to " + std::to_string(max));
    return found.value_or(fallback);
  }

  const Json& part(const char* key, Json::value_t type, const char* what) {
    static const Json NOTHING;
    seen_.insert(key);
    const auto found = object_.find(key);
    if (found != object_.end() && found->type() == type) return *found;
    complain(key, std::string("must be ") + what);
    return NOTHING;
  }

  std::string one_of(const char* key, std::initializer_list<const char*> choices) {
    const auto chosen = text(key, *choices.begin());
    for (const auto* choice : choices)
      if (chosen == choice) return chosen;
    complain(key, "has no choice \"" + chosen + "\"");
    return chosen;
  }

  void refuse_others() {
    for (const auto& [key, value] : object_.items())
      if (!seen_.contains(key)) complain(key.c_str(), "is not a key of the gateway");
  }

  void complain(const char* key, const std::string& what) {
    if (failure_.empty()) failure_ = where_ + key + " " + what;
  }

 private:
  const Json& object_;
  std::string where_;
  Failure& failure_;
  std::set<std::string> seen_;
};

Endpoint endpoint(const Json& object, const std::string& where, Failure& failure) {
  Reader reader(object, where, failure);
  Endpoint read{reader.text("host", "127.0.0.1"), static_cast<std::uint16_t>(reader.number("port", 0, 65535))};
  sockaddr_in address;
  if (!to_address(read, address)) reader.complain("host", "must be an IPv4 address");
  reader.refuse_others();
  return read;
}

AccountConfig account(const Json& object, Failure& failure) {
  Reader reader(object, "accounts[].", failure);
  AccountConfig read;
  read.name = reader.text("name");
  read.strategy = reader.text("strategy", "");
  for (const auto& slot : reader.part("slots", Json::value_t::array, "a list of slots"))
    read.slots.push_back(slot.is_string() ? slot.get<std::string>() : "");
  read.user = reader.text("user");
  read.password = reader.text("password");
  read.venue = endpoint(reader.part("venue", Json::value_t::object, "an object"), "accounts[].venue.", failure);
  read.venue_user = reader.text("venue_user");
  read.venue_password = reader.text("venue_password");
  if (read.user.size() > 6 || read.venue_user.size() > 6) reader.complain("user", "has 6 characters at most");
  if (read.password.size() > 10 || read.venue_password.size() > 10)
    reader.complain("password", "has 10 characters at most");
  reader.refuse_others();
  return read;
}

void check_signing(const Config& config, bool is_test, Failure& failure) {
  if (is_test || !failure.empty()) return;
  if (config.limits_file.empty()) failure = "limits_file is needed outside --test";
  else if (config.host_signers.empty()) failure = "host_signers is needed outside --test";
  else if (config.authority_signers.empty()) failure = "authority_signers is needed outside --test";
  else if (config.is_standby && config.epoch_source.empty())
    failure = "a standby needs epoch_source: it re-reads the epoch before it logs in at the venue";
}

}  // namespace

std::variant<Config, Failure> load_config(const std::string& path, bool is_test) {
  const auto text = read_whole(path);
  if (!text) return failed("cannot read", path);
  const auto object = parse_object(*text);
  if (!object) return path + " is not a JSON object";
  Failure failure;
  Reader reader(*object, path + ": ", failure);
  Config config;
  config.name = reader.text("name");
  config.is_standby = reader.one_of("role", {"primary", "standby"}) == "standby";
  config.listen = endpoint(reader.part("listen", Json::value_t::object, "an object"), "listen.", failure);
  config.admin_socket = reader.text("admin_socket");
  config.state_directory = reader.text("state_directory");
  config.log_directory = reader.text("log_directory");
  config.profile = reader.one_of("profile", {"ouch5-2023-05", "ouch5-later"});
  config.on_fence = reader.one_of("on_fence", {"cancel", "keep"}) == "keep" ? OnFence::keep : OnFence::cancel;
  config.limits_file = reader.text("limits_file", "");
  config.host_signers = reader.text("host_signers", "");
  config.authority_signers = reader.text("authority_signers", "");
  config.epoch_source = reader.text("epoch_source", "");
  config.reconnect_ms = reader.number("reconnect_ms", config.reconnect_ms, 60'000);
  config.heartbeat_ms = reader.number("heartbeat_ms", config.heartbeat_ms, 60'000);
  config.silence_ms = reader.number("silence_ms", config.silence_ms, 600'000);
  for (const auto& entry : reader.part("accounts", Json::value_t::array, "a list of accounts"))
    config.accounts.push_back(account(entry, failure));
  if (config.accounts.empty()) reader.complain("accounts", "must name at least one");
  reader.refuse_others();
  check_signing(config, is_test, failure);
  if (!failure.empty()) return failure;
  return config;
}

}  // namespace hft::gateway
