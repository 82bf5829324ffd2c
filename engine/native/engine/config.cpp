// Parsing with nlohmann::json; every getter throws one sentence, caught at the only way in.
#include "engine/config.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <bit>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "journal/seal.h"

namespace hft::engine {
namespace {

using Json = nlohmann::json;

struct Wrong : std::runtime_error {
  using std::runtime_error::runtime_error;
};

const std::set<std::string> kKnown{"contract",
                                   "critical",
                                   "name",
                                   "slot",
                                   "egress",
                                   "venue_profile",
                                   "feeds",
                                   "rerequest",
                                   "feed_stale_ms",
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
                                   "dpdk"};

const Json& field(const Json& object, const std::string& key) {
  const auto found = object.find(key);
  if (found == object.end()) throw Wrong(key + " is missing");
  return *found;
}

std::string text(const Json& object, const std::string& key) {
  const Json& value = field(object, key);
  if (!value.is_string()) throw Wrong(key + " is not a text");
  return value.get<std::string>();
}

std::string one_of(const Json& object, const std::string& key, std::initializer_list<const char*> known) {
  const std::string value = text(object, key);
  if (std::find(known.begin(), known.end(), value) != known.end()) return value;
  throw Wrong(key + " is \"" + value + "\", which is not one of those known");
}

std::string path(const Json& object, const std::string& key) {
  const std::string value = text(object, key);
  if (!value.starts_with('/')) throw Wrong(key + " is not an absolute path");
  return value;
}

std::uint64_t number(const Json& object, const std::string& key, std::uint64_t least, std::uint64_t most) {
  const Json& value = field(object, key);
  if (!value.is_number_unsigned()) throw Wrong(key + " is not a whole number from 0 on");
  const auto got = value.get<std::uint64_t>();
  if (got < least || got > most) throw Wrong(key + " is " + std::to_string(got) + ", out of its range");
  return got;
}

std::uint64_t number_or(const Json& object, const std::string& key, std::uint64_t most, std::uint64_t otherwise) {
  return object.contains(key) ? number(object, key, 0, most) : otherwise;
}

std::string address(const Json& object, const std::string& key) {
  const std::string value = text(object, key);
  in_addr parsed{};
  if (inet_pton(AF_INET, value.c_str(), &parsed) != 1) throw Wrong(key + " \"" + value + "\" is no IPv4 address");
  return value;
}

std::uint16_t port(const Json& object) { return static_cast<std::uint16_t>(number(object, "port", 1, 65535)); }

// A nested object; nothing when it is null or, if it may be, absent.
const Json* part(const Json& object, const std::string& key, bool may_lack = false) {
  if (may_lack && !object.contains(key)) return nullptr;
  const Json& value = field(object, key);
  if (value.is_null()) return nullptr;
  if (!value.is_object()) throw Wrong(key + " is not an object");
  return &value;
}

// "DDDD:BB:DD.F", as the kernel names PCI devices.
bool is_pci_address(const std::string& text) {
  constexpr std::string_view form = "xxxx:xx:xx.7";
  return std::equal(text.begin(), text.end(), form.begin(), form.end(), [](char seen, char wanted) {
    if (wanted == 'x') return std::string_view("0123456789abcdef").find(seen) != std::string_view::npos;
    return wanted == '7' ? seen >= '0' && seen <= '7' : seen == wanted;
  });
}

std::optional<dpdk::Device> read_device(const Json& feed, const std::string& group) {
  const Json* wanted = part(feed, "dpdk", true);
  if (wanted == nullptr) return std::nullopt;
  if (!dpdk::built_in()) throw Wrong("feeds: dpdk is wanted, and this build has none");
  if (wanted->contains("pci") == wanted->contains("vdev")) throw Wrong("feeds: dpdk names one of pci and vdev");
  if (!IN_MULTICAST(ntohl(inet_addr(group.c_str()))))
    throw Wrong("feeds: dpdk needs a multicast group: it answers no ARP");
  dpdk::Device device;
  if (wanted->contains("pci")) {
    device.pci = text(*wanted, "pci");
    if (!is_pci_address(device.pci)) throw Wrong("feeds: dpdk: pci is not an address such as 0000:41:00.0");
  } else {
    device.vdev = text(*wanted, "vdev");
    if (!device.vdev.starts_with("net_")) throw Wrong("feeds: dpdk: vdev is not a network device of DPDK (net_...)");
  }
  return device;
}

void read_dpdk(const Json& document, EngineConfig& config) {
  const Json* part_of = part(document, "dpdk", true);
  if (part_of == nullptr) return;
  if (!dpdk::built_in()) throw Wrong("dpdk is configured, and this build has none");
  if (part_of->contains("hugepages")) {
    if (!(*part_of)["hugepages"].is_boolean()) throw Wrong("dpdk: hugepages is neither true nor false");
    config.dpdk.hugepages = (*part_of)["hugepages"].get<bool>();
  }
  if (part_of->contains("descriptors")) {
    config.dpdk.descriptors = static_cast<std::uint16_t>(number(*part_of, "descriptors", 64, 32768));
  }
}

bool on_same_device(const FeedLine& one, const FeedLine& other) {
  if (!one.device || !other.device) return false;
  const auto name = [](const dpdk::Device& device) {
    return device.pci + device.vdev.substr(0, device.vdev.find(','));
  };
  return name(*one.device) == name(*other.device);
}

void read_feeds(const Json& document, EngineConfig& config) {
  const Json& feeds = field(document, "feeds");
  if (!feeds.is_array() || feeds.empty() || feeds.size() > 2) throw Wrong("feeds is not a list of one or two lines");
  for (const Json& feed : feeds) {
    if (!feed.is_object()) throw Wrong("feeds holds something else than objects");
    auto& line = config.feeds[one_of(feed, "line", {"A", "B"}) == "A" ? 0 : 1];
    if (line) throw Wrong("feeds: each line once");
    line = FeedLine{address(feed, "group"), address(feed, "interface"), port(feed), {}};
    line->device = read_device(feed, line->group);
  }
  const auto& [a, b] = config.feeds;
  if (a && b && on_same_device(*a, *b)) throw Wrong("feeds: both lines on one DPDK device: a line has its own");
}

void read_endpoints(const Json& document, EngineConfig& config) {
  if (const Json* at = part(document, "rerequest")) config.rerequest = Endpoint{address(*at, "host"), port(*at)};
  if (const Json* at = part(document, "gateway")) {
    config.gateway = GatewayLogin{{address(*at, "host"), port(*at)}, text(*at, "user"), text(*at, "password")};
    if (config.gateway->user.size() > 6) throw Wrong("gateway: user has more than 6 characters");
    if (config.gateway->password.size() > 10) throw Wrong("gateway: password has more than 10 characters");
  }
  if (const Json* at = part(document, "dropcopy", true)) {
    const GatewayLogin same = config.gateway.value_or(GatewayLogin{});
    config.dropcopy = GatewayLogin{{address(*at, "host"), port(*at)},
                                   at->contains("user") ? text(*at, "user") : same.user,
                                   at->contains("password") ? text(*at, "password") : same.password};
  }
}

void read_paths(const Json& document, EngineConfig& config) {
  config.admin_socket = path(document, "admin_socket");
  config.metrics_page = path(document, "metrics_page");
  config.journal_directory = path(document, "journal_directory");
  config.latch_file = path(document, "latch_file");
  config.limits_file = path(document, "limits_file");
  config.allowed_signers = path(document, "allowed_signers");
  if (document.contains("ticket_socket") && !document["ticket_socket"].is_null()) {
    config.ticket_socket = path(document, "ticket_socket");
  }
}

void read_cpus(const Json& document, EngineConfig& config) {
  const Json& cpus = field(document, "cpus");
  if (!cpus.is_object()) throw Wrong("cpus is not an object");
  for (const auto& [role, list] : cpus.items()) {
    if (!list.is_array()) throw Wrong("cpus: " + role + " is not a list");
    for (const Json& cpu : list) {
      if (!cpu.is_number_unsigned() || cpu.get<std::uint64_t>() > 8191) throw Wrong("cpus: " + role + " holds no CPU");
      config.cpus[role].push_back(cpu.get<int>());
    }
  }
}

void read_strategy(const Json& document, core::StrategyConfig& strategy) {
  const Json* part_of = part(document, "strategy", true);
  if (part_of == nullptr) return;
  strategy.name = part_of->contains("name") ? one_of(*part_of, "name", {"none", "imbalance"}) : "none";
  constexpr std::uint64_t most = 1'000'000;
  strategy.clip = static_cast<std::uint32_t>(number_or(*part_of, "clip", most - 1, strategy.clip));
  strategy.threshold_permille =
      static_cast<std::uint32_t>(number_or(*part_of, "threshold_permille", 1000, strategy.threshold_permille));
  strategy.cooldown_us = static_cast<std::uint32_t>(number_or(*part_of, "cooldown_us", most, strategy.cooldown_us));
  strategy.order_timeout_ms =
      static_cast<std::uint32_t>(number_or(*part_of, "order_timeout_ms", most, strategy.order_timeout_ms));
}

void read_core(const Json& document, EngineConfig& config) {
  constexpr std::uint64_t most = 1ULL << 40;
  config.egress = one_of(document, "egress", {"live", "shadow", "test"});
  config.core.egress = config.egress == "live"     ? core::Egress::live
                       : config.egress == "shadow" ? core::Egress::shadow
                                                   : core::Egress::test;
  config.core.profile = *ouch::profile_of(one_of(document, "venue_profile", {"ouch5-2023-05", "ouch5-later"}));
  config.core.feed_stale_ms = number(document, "feed_stale_ms", 1, 1ULL << 32);
  config.core.drain_timeout_ms = number(document, "drain_timeout_ms", 0, 1ULL << 32);
  config.core.trading_day_start_utc_s = number_or(document, "trading_day_start_utc_s", 86'399, 0);
  config.core.digest_every_inputs = number_or(document, "digest_every_inputs", most, 0);
  config.core.book_orders_max = number_or(document, "book_orders_max", 1 << 28, config.core.book_orders_max);
  config.core.book_levels_max = number_or(document, "book_levels_max", 1 << 28, config.core.book_levels_max);
  read_strategy(document, config.core.strategy);
}

void read_versions(const Json& document) {
  if (document.contains("contract")) {
    const std::string contract = text(document, "contract");
    if (!contract.starts_with("1.")) throw Wrong("contract " + contract + " is not readable by 1.0.0");
  }
  if (!document.contains("critical")) return;
  if (!document["critical"].is_array()) throw Wrong("critical is not a list");
  for (const Json& name : document["critical"]) {
    if (!name.is_string()) throw Wrong("critical holds something else than names");
    if (!kKnown.contains(name.get<std::string>())) throw Wrong("critical field " + name.dump() + " is not known here");
  }
}

EngineConfig from(const Json& document) {
  EngineConfig config;
  read_versions(document);
  text(document, "name");
  config.slot = text(document, "slot");
  const bool slot_ok = !config.slot.empty() && config.slot.size() <= 16 &&
                       config.slot.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
  if (!slot_ok) throw Wrong("slot is not 1 to 16 of a-z, 0-9 and -");
  read_core(document, config);
  read_feeds(document, config);
  read_dpdk(document, config);
  read_endpoints(document, config);
  read_paths(document, config);
  read_cpus(document, config);
  // A record larger than the ring would wait for room for ever: the largest datagram and limits file must fit.
  constexpr std::uint64_t ring_bytes_least = 1 << 18;
  config.ring_bytes = std::max(std::bit_ceil(number(document, "ring_bytes", 4096, 1ULL << 36)), ring_bytes_least);
  config.segment_bytes = std::max<std::uint64_t>(number_or(document, "segment_bytes", 1ULL << 36, 8ULL << 20), 1 << 20);
  const auto level = DurabilityLevel::parse(text(document, "durability"));
  if (!level) throw Wrong("durability is not one of none, durable, replica:1 to replica:8");
  config.durability = *level;
  const std::string idle = one_of(document, "idle", {"spin", "yield", "backoff"});
  config.idle = idle == "spin" ? Idle::spin : idle == "yield" ? Idle::yield : Idle::backoff;
  if (document.contains("journal_market")) {
    config.market_as_reference = one_of(document, "journal_market", {"full", "ref"}) == "ref";
  }
  if (document.contains("memory"))
    config.memory_required = one_of(document, "memory", {"try", "required"}) == "required";
  const std::string canonical = document.dump();
  config.digest = hex(sha256(std::as_bytes(std::span(canonical))));
  return config;
}

}  // namespace

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (in.bad()) return std::nullopt;
  return bytes;
}

std::variant<EngineConfig, std::string> read_config(const std::string& path) {
  const auto bytes = read_file(path);
  if (!bytes) return path + ": cannot be read";
  const Json document = Json::parse(*bytes, nullptr, false);
  if (!document.is_object()) return path + ": not a JSON object";
  try {
    return from(document);
  } catch (const Wrong& wrong) {
    return path + ": " + wrong.what();
  } catch (const Json::exception& error) {
    return path + ": " + error.what();
  }
}

}  // namespace hft::engine
