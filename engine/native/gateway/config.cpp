// Checking a configuration: a key that is missing, unknown or of the wrong type is named.
#include "gateway/config.h"

#include "gateway/json.h"

namespace hft::gateway {
namespace {

constexpr base::JsonWords kWords{.missing = " must be a string",
                                 .not_text = " must be a string",
                                 .not_number = " must be a whole number up to $",
                                 .out_of_range = " must be a whole number up to $",
                                 .not_a_choice = " has no choice \"#\"",
                                 .unknown = " is not a key of the gateway"};
constexpr const char* kNotObject = " must be an object";
constexpr std::uint64_t kAgeLeastMs = 200;  // four ticks: within two the loop cannot tell how old an order is

base::Endpoint endpoint(const Json& object, const std::string& where) {
  base::JsonReader reader(object, where, kWords);
  base::Endpoint read{reader.text("host", "127.0.0.1"), static_cast<std::uint16_t>(reader.number_or("port", 65535, 0))};
  if (!base::is_ipv4_address(read.host)) reader.complain("host", " must be an IPv4 address");
  reader.refuse_others();
  return read;
}

AccountConfig account(const Json& object) {
  base::JsonReader reader(object, "accounts[].", kWords);
  AccountConfig read;
  read.name = reader.text("name");
  read.strategy = reader.text("strategy", "");
  for (const auto& slot : reader.at("slots", Json::value_t::array, " must be a list of slots"))
    read.slots.push_back(slot.is_string() ? slot.get<std::string>() : "");
  read.user = reader.text("user");
  read.password = reader.text("password");
  read.venue = endpoint(reader.at("venue", Json::value_t::object, kNotObject), "accounts[].venue.");
  read.venue_user = reader.text("venue_user");
  read.venue_password = reader.text("venue_password");
  if (read.user.size() > 6 || read.venue_user.size() > 6) reader.complain("user", " has 6 characters at most");
  if (read.password.size() > 10 || read.venue_password.size() > 10)
    reader.complain("password", " has 10 characters at most");
  reader.refuse_others();
  return read;
}

void check_signing(const Config& config, bool is_test) {
  if (is_test) return;
  if (config.limits_file.empty()) throw base::ConfigError("limits_file is needed outside --test");
  if (config.host_signers.empty()) throw base::ConfigError("host_signers is needed outside --test");
  if (config.authority_signers.empty()) throw base::ConfigError("authority_signers is needed outside --test");
  if (config.is_standby && config.epoch_source.empty())
    throw base::ConfigError("a standby needs epoch_source: it re-reads the epoch before it logs in at the venue");
}

Config from(base::JsonReader& reader, bool is_test) {
  Config config;
  config.name = reader.text("name");
  config.is_standby = reader.one_of_or_first("role", {"primary", "standby"}) == "standby";
  config.listen = endpoint(reader.at("listen", Json::value_t::object, kNotObject), "listen.");
  config.admin_socket = reader.text("admin_socket");
  config.state_directory = reader.text("state_directory");
  config.log_directory = reader.text("log_directory");
  config.metrics_page = reader.text("metrics_page", "");
  config.profile = reader.one_of_or_first("profile", {"ouch5-2023-05", "ouch5-later"});
  config.on_fence = reader.one_of_or_first("on_fence", {"cancel", "keep"}) == "keep" ? OnFence::keep : OnFence::cancel;
  config.limits_file = reader.text("limits_file", "");
  config.host_signers = reader.text("host_signers", "");
  config.authority_signers = reader.text("authority_signers", "");
  config.epoch_source = reader.text("epoch_source", "");
  config.reconnect_ms = reader.number_or("reconnect_ms", 60'000, config.reconnect_ms);
  config.heartbeat_ms = reader.number_or("heartbeat_ms", 60'000, config.heartbeat_ms);
  config.silence_ms = reader.number_or("silence_ms", 600'000, config.silence_ms);
  config.hello_ms = reader.number_or("hello_ms", 60'000, config.hello_ms);
  config.beat_ms = reader.number_or("beat_ms", 10'000, config.beat_ms);
  config.end_grace_ms = reader.number_or("end_grace_ms", 60'000, config.end_grace_ms);
  if (reader.has("epochs")) config.residue = reader.one_of("epochs", {"odd", "even"}) == "odd" ? 1 : 0;
  if (reader.has("order_age_max_ms")) config.order_age_max_ms = reader.number("order_age_max_ms", kAgeLeastMs, 60'000);
  for (const auto& entry : reader.at("accounts", Json::value_t::array, " must be a list of accounts"))
    config.accounts.push_back(account(entry));
  if (config.accounts.empty()) reader.complain("accounts", " must name at least one");
  reader.refuse_others();
  check_signing(config, is_test);
  return config;
}

}  // namespace

std::variant<Config, base::Failure> load_config(const std::string& path, bool is_test) {
  const auto text = base::read_file(path);
  if (!text) return base::failed("cannot read", path);
  const auto object = parse_object(*text);
  if (!object) return path + " is not a JSON object";
  try {
    base::JsonReader reader(*object, path + ": ", kWords);
    return from(reader, is_test);
  } catch (const base::ConfigError& fault) {
    return fault.what();
  }
}

}  // namespace hft::gateway
