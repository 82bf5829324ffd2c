// Every fault is one sentence that is thrown, and caught at the only way in.
#include "trader/config.h"

#include <algorithm>
#include <bit>
#include <set>

#include "base/digest.h"
#include "base/files.h"
#include "base/json.h"
#include "core/documents.h"
#include "wire/mold.h"

namespace hft::trader {
namespace {

using base::ConfigError;
using base::Json;
using base::JsonReader;

constexpr base::JsonWords kWords{.missing = " is missing",
                                 .not_text = " is not a text",
                                 .not_number = " is not a whole number from 0 on",
                                 .out_of_range = " is #, out of its range",
                                 .not_a_choice = " is \"#\", which is not one of those known",
                                 .unknown = " is not known here"};

const std::set<std::string> kKnown{"contract",
                                   "critical",
                                   "name",
                                   "slot",
                                   "egress",
                                   "venue_profile",
                                   "feeds",
                                   "rerequest",
                                   "feed_stale_ms",
                                   "feed_sources",
                                   "feed_session",
                                   "order_age_max_ms",
                                   "link_silence_max_ms",
                                   "gateway",
                                   "dropcopy",
                                   "ticket_socket",
                                   "admin_socket",
                                   "metrics_page",
                                   "journal_directory",
                                   "latch_file",
                                   "limits_file",
                                   "allowed_signers",
                                   "ring_bytes",
                                   "durability",
                                   "idle",
                                   "cpus",
                                   "drain_timeout_ms",
                                   "strategy",
                                   "journal_market",
                                   "segment_bytes",
                                   "digest_every_inputs",
                                   "trading_day_start_utc_s",
                                   "book_orders_max",
                                   "book_levels_max",
                                   "memory",
                                   "standby_link",
                                   "dpdk"};

std::string path(JsonReader& object, const char* key) {
  const std::string value = object.text(key);
  if (!value.starts_with('/')) object.complain(key, " is not an absolute path");
  return value;
}

std::string address(JsonReader& object, const char* key) {
  const std::string value = object.text(key);
  if (!base::is_ipv4_address(value)) object.complain(key, " \"" + value + "\" is no IPv4 address");
  return value;
}

std::uint16_t port(JsonReader& object) { return static_cast<std::uint16_t>(object.number("port", 1, 65535)); }

// A nested object; nothing when it is null or, if it may be, absent.
std::optional<JsonReader> part(JsonReader& object, const char* key, bool may_lack = false) {
  if (may_lack && !object.has(key)) return std::nullopt;
  const Json& value = object.at(key);
  if (value.is_null()) return std::nullopt;
  if (!value.is_object()) object.complain(key, " is not an object");
  return JsonReader(value, "", kWords);
}

// "DDDD:BB:DD.F", as the kernel names PCI devices.
bool is_pci_address(const std::string& text) {
  constexpr std::string_view form = "xxxx:xx:xx.7";
  return std::equal(text.begin(), text.end(), form.begin(), form.end(), [](char seen, char wanted) {
    if (wanted == 'x') return std::string_view("0123456789abcdef").find(seen) != std::string_view::npos;
    return wanted == '7' ? seen >= '0' && seen <= '7' : seen == wanted;
  });
}

std::optional<dpdk::Device> read_device(JsonReader& feed, const std::string& group) {
  auto wanted = part(feed, "dpdk", true);
  if (!wanted) return std::nullopt;
  if (!dpdk::built_in()) throw ConfigError("feeds: dpdk is wanted, and this build has none");
  if (wanted->has("pci") == wanted->has("vdev")) throw ConfigError("feeds: dpdk names one of pci and vdev");
  if (!base::is_multicast({group, 0})) throw ConfigError("feeds: dpdk needs a multicast group: it answers no ARP");
  dpdk::Device device;
  if (wanted->has("pci")) {
    device.pci = wanted->text("pci");
    if (!is_pci_address(device.pci)) throw ConfigError("feeds: dpdk: pci is not an address such as 0000:41:00.0");
  } else {
    device.vdev = wanted->text("vdev");
    if (!device.vdev.starts_with("net_"))
      throw ConfigError("feeds: dpdk: vdev is not a network device of DPDK (net_...)");
  }
  return device;
}

void read_dpdk(JsonReader& document, EngineConfig& config) {
  auto part_of = part(document, "dpdk", true);
  if (!part_of) return;
  if (!dpdk::built_in()) throw ConfigError("dpdk is configured, and this build has none");
  if (part_of->has("hugepages")) {
    if (!part_of->json()["hugepages"].is_boolean()) throw ConfigError("dpdk: hugepages is neither true nor false");
    config.dpdk.hugepages = part_of->json()["hugepages"].get<bool>();
  }
  if (part_of->has("descriptors")) {
    config.dpdk.descriptors = static_cast<std::uint16_t>(part_of->number("descriptors", 64, 32768));
  }
}

bool on_same_device(const FeedLine& one, const FeedLine& other) {
  if (!one.device || !other.device) return false;
  const auto name = [](const dpdk::Device& device) {
    return device.pci + device.vdev.substr(0, device.vdev.find(','));
  };
  return name(*one.device) == name(*other.device);
}

void read_feeds(JsonReader& document, EngineConfig& config) {
  const Json& feeds = document.at("feeds");
  if (!feeds.is_array() || feeds.empty() || feeds.size() > 2)
    throw ConfigError("feeds is not a list of one or two lines");
  for (const Json& one : feeds) {
    if (!one.is_object()) throw ConfigError("feeds holds something else than objects");
    JsonReader feed(one, "", kWords);
    auto& line = config.feeds[feed.one_of("line", {"A", "B"}) == "A" ? 0 : 1];
    if (line) throw ConfigError("feeds: each line once");
    line = FeedLine{address(feed, "group"), address(feed, "interface"), port(feed), {}};
    line->device = read_device(feed, line->group);
  }
  const auto& [a, b] = config.feeds;
  if (a && b && on_same_device(*a, *b)) throw ConfigError("feeds: both lines on one DPDK device: a line has its own");
}

// Whose datagrams count at all.
void read_trust(JsonReader& document, EngineConfig& config) {
  if (document.has("feed_session") && !document.json()["feed_session"].is_null()) {
    config.feed_session = document.text("feed_session");
    const bool fits = !config.feed_session.empty() && config.feed_session.size() <= mold::Session{}.size();
    if (!fits) throw ConfigError("feed_session is not 1 to 10 characters");
  }
  if (!document.has("feed_sources")) return;
  for (const Json& one : document.at("feed_sources", Json::value_t::array, " is not a list")) {
    if (!one.is_string() || !base::is_ipv4_address(one.get<std::string>())) {
      throw ConfigError("feed_sources holds something else than IPv4 addresses");
    }
    config.feed_sources.push_back(one.get<std::string>());
  }
}

void read_endpoints(JsonReader& document, EngineConfig& config) {
  if (auto at = part(document, "rerequest")) config.rerequest = base::Endpoint{address(*at, "host"), port(*at)};
  if (auto at = part(document, "gateway")) {
    config.gateway = GatewayLogin{{address(*at, "host"), port(*at)}, at->text("user"), at->text("password")};
    if (auto peer = part(*at, "peer", true)) config.gateway_peer = base::Endpoint{address(*peer, "host"), port(*peer)};
    if (config.gateway->user.size() > 6) throw ConfigError("gateway: user has more than 6 characters");
    if (config.gateway->password.size() > 10) throw ConfigError("gateway: password has more than 10 characters");
  }
  if (auto at = part(document, "dropcopy", true)) {
    const GatewayLogin same = config.gateway.value_or(GatewayLogin{});
    config.dropcopy = GatewayLogin{{address(*at, "host"), port(*at)},
                                   at->has("user") ? at->text("user") : same.user,
                                   at->has("password") ? at->text("password") : same.password};
  }
}

void read_paths(JsonReader& document, EngineConfig& config) {
  config.admin_socket = path(document, "admin_socket");
  config.metrics_page = path(document, "metrics_page");
  config.journal_directory = path(document, "journal_directory");
  config.latch_file = path(document, "latch_file");
  config.limits_file = path(document, "limits_file");
  config.allowed_signers = path(document, "allowed_signers");
  if (document.has("ticket_socket") && !document.json()["ticket_socket"].is_null()) {
    config.ticket_socket = path(document, "ticket_socket");
  }
}

void read_cpus(JsonReader& document, EngineConfig& config) {
  const Json& cpus = document.at("cpus");
  if (!cpus.is_object()) throw ConfigError("cpus is not an object");
  for (const auto& [role, list] : cpus.items()) {
    if (!list.is_array()) throw ConfigError("cpus: " + role + " is not a list");
    for (const Json& cpu : list) {
      if (!cpu.is_number_unsigned() || cpu.get<std::uint64_t>() > 8191)
        throw ConfigError("cpus: " + role + " holds no CPU");
      config.cpus[role].push_back(cpu.get<int>());
    }
  }
}

void read_strategy(JsonReader& document, core::StrategyConfig& strategy) {
  auto part_of = part(document, "strategy", true);
  if (!part_of) return;
  strategy.name = part_of->has("name") ? part_of->one_of("name", {"none", "imbalance"}) : "none";
  constexpr std::uint64_t most = 1'000'000;
  strategy.clip = static_cast<std::uint32_t>(part_of->number_or("clip", most - 1, strategy.clip));
  strategy.threshold_permille =
      static_cast<std::uint32_t>(part_of->number_or("threshold_permille", 1000, strategy.threshold_permille));
  strategy.cooldown_us = static_cast<std::uint32_t>(part_of->number_or("cooldown_us", most, strategy.cooldown_us));
  strategy.order_timeout_ms =
      static_cast<std::uint32_t>(part_of->number_or("order_timeout_ms", most, strategy.order_timeout_ms));
}

void read_core(JsonReader& document, EngineConfig& config) {
  constexpr std::uint64_t most = 1ULL << 40;
  config.egress = document.one_of("egress", {"live", "shadow", "test"});
  config.core.egress = config.egress == "live"     ? core::Egress::live
                       : config.egress == "shadow" ? core::Egress::shadow
                                                   : core::Egress::test;
  config.core.profile = *ouch::profile_of(document.one_of("venue_profile", {"ouch5-2023-05", "ouch5-later"}));
  config.core.feed_stale_ms = document.number("feed_stale_ms", 1, 1ULL << 32);
  config.core.order_age_max_ms = document.number_or("order_age_max_ms", 1ULL << 32, config.core.order_age_max_ms);
  if (config.core.order_age_max_ms == 0) throw ConfigError("order_age_max_ms is 0, out of its range");
  config.link_silence_max_ms = document.number_or("link_silence_max_ms", 1ULL << 32, config.link_silence_max_ms);
  if (config.link_silence_max_ms == 0) throw ConfigError("link_silence_max_ms is 0, out of its range");
  config.core.drain_timeout_ms = document.number("drain_timeout_ms", 0, 1ULL << 32);
  config.core.trading_day_start_utc_s = document.number_or("trading_day_start_utc_s", 86'399, 0);
  config.core.digest_every_inputs = document.number_or("digest_every_inputs", most, 0);
  config.core.book_orders_max = document.number_or("book_orders_max", 1 << 28, config.core.book_orders_max);
  config.core.book_levels_max = document.number_or("book_levels_max", 1 << 28, config.core.book_levels_max);
  read_strategy(document, config.core.strategy);
}

void read_versions(JsonReader& document) {
  if (document.has("contract")) {
    const std::string contract = document.text("contract");
    if (!contract.starts_with("1."))
      throw ConfigError("contract " + contract + " is not readable by " + std::string(core::kContractVersion));
  }
  if (!document.has("critical")) return;
  for (const Json& name : document.at("critical", Json::value_t::array, " is not a list")) {
    if (!name.is_string()) throw ConfigError("critical holds something else than names");
    if (!kKnown.contains(name.get<std::string>()))
      throw ConfigError("critical field " + name.dump() + " is not known here");
  }
}

EngineConfig from(JsonReader& document) {
  EngineConfig config;
  read_versions(document);
  document.text("name");
  config.slot = document.text("slot");
  const bool slot_ok = !config.slot.empty() && config.slot.size() <= 16 &&
                       config.slot.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
  if (!slot_ok) throw ConfigError("slot is not 1 to 16 of a-z, 0-9 and -");
  read_core(document, config);
  read_feeds(document, config);
  read_trust(document, config);
  read_dpdk(document, config);
  read_endpoints(document, config);
  read_paths(document, config);
  read_cpus(document, config);
  // A record larger than the ring would wait for room for ever: the largest datagram and limits file must fit.
  constexpr std::uint64_t ring_bytes_least = 1 << 18;
  config.ring_bytes = std::max(std::bit_ceil(document.number("ring_bytes", 4096, 1ULL << 36)), ring_bytes_least);
  config.segment_bytes = std::max<std::uint64_t>(document.number_or("segment_bytes", 1ULL << 36, 8ULL << 20), 1 << 20);
  const auto level = DurabilityLevel::parse(document.text("durability"));
  if (!level) throw ConfigError("durability is not one of none, durable, replica:1 to replica:8");
  config.durability = *level;
  const std::string idle = document.one_of("idle", {"spin", "yield", "backoff"});
  config.idle = idle == "spin" ? Idle::spin : idle == "yield" ? Idle::yield : Idle::backoff;
  if (document.has("journal_market")) {
    config.market_as_reference = document.one_of("journal_market", {"full", "ref"}) == "ref";
  }
  if (document.has("standby_link")) {
    if (!document.json()["standby_link"].is_boolean()) throw ConfigError("standby_link is neither true nor false");
    config.has_standby_link = document.json()["standby_link"].get<bool>();
    if (config.has_standby_link && !config.gateway) throw ConfigError("standby_link is true, and gateway is null");
  }
  if (document.has("memory")) config.memory_required = document.one_of("memory", {"try", "required"}) == "required";
  const std::string canonical = document.json().dump();
  config.digest = base::hex(base::sha256(canonical));
  return config;
}

}  // namespace

std::variant<EngineConfig, std::string> read_config(const std::string& path) {
  const auto bytes = base::read_file(path);
  if (!bytes) return path + ": cannot be read";
  const Json document = Json::parse(*bytes, nullptr, false);
  if (!document.is_object()) return path + ": not a JSON object";
  try {
    JsonReader reader(document, "", kWords);
    return from(reader);
  } catch (const ConfigError& wrong) {
    return path + ": " + wrong.what();
  } catch (const Json::exception& error) {
    return path + ": " + error.what();
  }
}

}  // namespace hft::trader
