// Reading the configuration: strict, because a misspelt key in a fault plan would look like a quiet venue.
#include "venue/config.h"

#include <algorithm>
#include <initializer_list>

#include "base/files.h"
#include "base/json.h"
#include "base/net.h"

namespace hft::venue {

namespace {

using base::Json;
using Node = base::JsonReader;

constexpr base::JsonWords kWords{.missing = ": missing",
                                 .not_text = ": wrong type",
                                 .not_number = ": must be a whole number that fits",
                                 .out_of_range = ": must be a whole number that fits",
                                 .not_a_choice = ": no such choice: #",
                                 .unknown = ": unknown key"};

// PATH says where in the document an object stands.
Node node_of(const Json& json, const std::string& path) {
  if (!json.is_object()) throw ConfigError(path + ": must be an object");
  return {json, path + ".", kWords};
}

std::string path_of(const Node& node) { return node.where().substr(0, node.where().size() - 1); }

Node child(Node& node, const char* key) { return node_of(node.at(key), node.where() + key); }

template <class Each>
void for_each(Node& node, const char* key, Each&& each) {
  if (!node.has(key)) return;
  std::size_t at = 0;
  for (const Json& item : node.at(key, Json::value_t::array, ": must be a list")) {
    Node one = node_of(item, node.where() + key + "[" + std::to_string(at++) + "]");
    each(one);
  }
}

base::Endpoint endpoint(const std::string& text, const std::string& path) {
  try {
    base::Endpoint parsed = base::parse_endpoint(text);
    static_cast<void>(base::to_sockaddr(parsed));
    return parsed;
  } catch (const base::NetError& error) {
    throw ConfigError(path + ": " + error.what());
  }
}

SelfTrade self_trade_of(const std::string& name) {
  if (name == "allow") return SelfTrade::allow;
  if (name == "cancel-newest") return SelfTrade::cancel_newest;
  if (name == "cancel-oldest") return SelfTrade::cancel_oldest;
  throw ConfigError("venue.self_trade: allow, cancel-newest or cancel-oldest, not " + name);
}

void read_symbols(Node& venue, Config& config) {
  if (!venue.has("symbols")) return;
  const Json& symbols = venue.json().at("symbols");
  if (symbols.is_number_unsigned()) {
    config.symbols = synthetic_symbols(std::min<std::uint64_t>(symbols.get<std::uint64_t>(), 60'000));
  } else {
    venue.get("symbols", config.symbols);
  }
  for (const std::string& name : config.symbols) {
    if (name.empty() || name.size() > 8) throw ConfigError("venue.symbols: not 1 to 8 letters: " + name);
  }
}

void read_accounts(Node& venue, Config& config) {
  for_each(venue, "accounts", [&](Node& node) {
    node.only({"user", "password", "firm", "cancel_on_disconnect"});
    AccountConfig account{node.text("user", ""), node.text("password", ""), node.text("firm", "FIRM"), true};
    node.get("cancel_on_disconnect", account.cancel_on_disconnect);
    const bool fits = !account.user.empty() && account.user.size() <= 6 && account.password.size() <= 10 &&
                      !account.firm.empty() && account.firm.size() <= 4;
    if (!fits) throw ConfigError(path_of(node) + ": user 1-6, password 0-10, firm 1-4 letters");
    config.accounts.push_back(std::move(account));
  });
  for_each(venue, "drop_copies", [&](Node& node) {
    node.only({"user", "password", "account"});
    DropCopyConfig copy{node.text("user", ""), node.text("password", ""), node.text("account", "")};
    const bool known = std::any_of(config.accounts.begin(), config.accounts.end(),
                                   [&](const AccountConfig& account) { return account.user == copy.account; });
    if (!known) throw ConfigError(path_of(node) + ".account: no such account: " + copy.account);
    config.orders.drop_copies.push_back(std::move(copy));
  });
}

FaultPlan read_faults(Node& node) {
  node.only({"loss", "duplicate", "reorder", "reorder_depth", "drop_from", "drop_count", "seed"});
  FaultPlan plan;
  node.get("loss", plan.loss);
  node.get("duplicate", plan.duplicate);
  node.get("reorder", plan.reorder);
  node.get("reorder_depth", plan.reorder_depth);
  node.get("drop_from", plan.drop_from);
  node.get("drop_count", plan.drop_count);
  node.get("seed", plan.seed);
  const bool sane = plan.loss >= 0 && plan.duplicate >= 0 && plan.reorder >= 0 &&
                    plan.loss + plan.duplicate + plan.reorder <= 1 && plan.reorder_depth >= 1;
  if (!sane) throw ConfigError(path_of(node) + ": probabilities add up to 1 at most, reorder_depth is 1 at least");
  return plan;
}

void read_feed(Node& feed, Config& config) {
  feed.only({"lines", "retransmit", "datagram_bytes", "retain_messages", "heartbeat_ms"});
  feed.get("datagram_bytes", config.datagram_bytes);
  feed.get("retain_messages", config.retain_messages);
  feed.get("heartbeat_ms", config.heartbeat_ms);
  if (config.datagram_bytes < 128 || config.datagram_bytes > mold::kDatagramBytesMax) {
    throw ConfigError(path_of(feed) + ".datagram_bytes: 128 to 1400");
  }
  config.retransmit = endpoint(feed.text("retransmit", "127.0.0.1:0"), path_of(feed) + ".retransmit");
  for_each(feed, "lines", [&](Node& node) {
    node.only({"name", "targets", "interface", "ttl", "faults"});
    LineConfig line;
    line.name = node.text("name", "");
    line.interface = node.text("interface", line.interface);
    node.get("ttl", line.ttl);
    std::vector<std::string> targets;
    node.get("targets", targets);
    for (const std::string& target : targets) line.targets.push_back(endpoint(target, path_of(node) + ".targets"));
    if (line.name.empty()) throw ConfigError(path_of(node) + ".name: missing");
    if (node.has("faults")) {
      Node faults = child(node, "faults");
      line.faults = read_faults(faults);
    }
    config.lines.push_back(std::move(line));
  });
}

void read_source(Node& node, Config& config) {
  node.only({"kind", "autostart", "path", "speed", "window_us", "mix", "live", "messages", "messages_per_s",
             "per_datagram", "seed"});
  SourceConfig& source = config.source;
  const std::string kind = node.text("kind", "");
  if (kind == "capture") source.kind = SourceKind::capture;
  else if (kind == "synthetic") source.kind = SourceKind::synthetic;
  else if (kind != "none") throw ConfigError(path_of(node) + ".kind: none, capture or synthetic, not " + kind);
  node.get("autostart", source.autostart);
  source.path = node.text("path", "");
  node.get("speed", source.speed);
  node.get("window_us", source.window_us);
  source.mix = find_mix(node.text("mix", "burst"));
  node.get("live", source.live);
  node.get("messages", source.messages);
  node.get("messages_per_s", source.messages_per_s);
  node.get("per_datagram", source.per_datagram);
  node.get("seed", source.seed);
  if (!source.mix) throw ConfigError(path_of(node) + ".mix: no such mix: " + node.text("mix", ""));
  if (source.speed < 0) throw ConfigError(path_of(node) + ".speed: 0 or more");
  if (source.messages_per_s == 0 || source.per_datagram == 0) {
    throw ConfigError(path_of(node) + ": messages_per_s and per_datagram are 1 at least");
  }
}

void check_whole(const Config& config) {
  if (config.session.empty() || config.session.size() > 10) throw ConfigError("venue.session: 1 to 10 letters");
  if (config.first_locate == 0 || config.first_locate + config.symbols.size() > 0xFFFF) {
    throw ConfigError("venue.first_locate: locates must lie in 1 to 65535");
  }
  if (config.symbols.empty() && config.source.kind == SourceKind::synthetic) {
    throw ConfigError("venue.symbols: a synthetic market needs some");
  }
}

}  // namespace

Config parse_config(const std::string& text) {
  Json json;
  try {
    json = Json::parse(text);
  } catch (const Json::exception& error) {
    throw ConfigError(std::string("not JSON: ") + error.what());
  }
  Node venue = node_of(json, "venue");
  venue.only({"session", "profile", "self_trade", "symbols", "first_locate", "references", "reference_seed",
              "reference_first", "accounts", "drop_copies", "orders", "peer_timeout_ms", "feed", "source", "admin",
              "log", "cpu"});
  Config config;
  config.session = venue.text("session", config.session);
  const auto profile = ouch::profile_of(venue.text("profile", "ouch5-2023-05"));
  if (!profile) throw ConfigError("venue.profile: ouch5-2023-05 or ouch5-later");
  config.profile = *profile;
  config.self_trade = self_trade_of(venue.text("self_trade", "cancel-newest"));
  read_symbols(venue, config);
  venue.get("first_locate", config.first_locate);
  const std::string references = venue.text("references", "gapped");
  if (references != "gapped" && references != "hashed") throw ConfigError("venue.references: gapped or hashed");
  config.references = references == "hashed" ? References::hashed : References::gapped;
  venue.get("reference_seed", config.reference_seed);
  venue.get("reference_first", config.reference_first);
  config.orders.session = config.session;
  config.orders.at = endpoint(venue.text("orders", "127.0.0.1:0"), "venue.orders");
  venue.get("peer_timeout_ms", config.orders.peer_timeout_ms);
  read_accounts(venue, config);
  if (venue.has("feed")) {
    Node feed = child(venue, "feed");
    read_feed(feed, config);
  }
  if (venue.has("source")) {
    Node source = child(venue, "source");
    read_source(source, config);
  }
  config.admin_path = venue.text("admin", "");
  config.log_path = venue.text("log", "");
  venue.get("cpu", config.cpu);
  check_whole(config);
  return config;
}

Config read_config(const std::string& path) {
  const auto text = base::read_file(path);
  if (!text) throw ConfigError(path + ": cannot be read");
  return parse_config(*text);
}

std::vector<std::string> firms_of(const Config& config) {
  std::vector<std::string> firms;
  for (const AccountConfig& account : config.accounts) {
    if (std::find(firms.begin(), firms.end(), account.firm) == firms.end()) firms.push_back(account.firm);
  }
  return firms;
}

}  // namespace hft::venue
