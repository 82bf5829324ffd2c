// What an operator writes for a venue: one JSON object, every key known, every mistake named with its path.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/config_error.h"
#include "base/net.h"
#include "venue/exchange.h"
#include "venue/injector.h"
#include "venue/order_server.h"
#include "venue/synthetic.h"
#include "wire/mold.h"

namespace hft::venue {

using base::ConfigError;

struct LineConfig {
  std::string name;
  std::vector<base::Endpoint> targets;  // one multicast group, or one unicast address for each receiver
  std::string interface = "127.0.0.1";
  int ttl = 1;
  FaultPlan faults;
};

enum class SourceKind : std::uint8_t { none, capture, synthetic };

struct SourceConfig {
  SourceKind kind = SourceKind::none;
  bool autostart = true;         // false waits for the admin verb `start`
  std::string path;              // capture
  double speed = 1;              // 1, 2, 8: times as fast as it happened; 0 as fast as it goes
  std::uint64_t window_us = 20;  // messages this close share a datagram
  std::optional<Mix> mix;        // synthetic
  std::uint64_t live = 10'000;
  std::uint64_t messages = 0;  // 0 goes on until the end
  std::uint64_t messages_per_s = 10'000;
  std::uint32_t per_datagram = 10;
  std::uint64_t seed = 1;
};

struct Config {
  std::string session = "VENUE00001";
  ouch::Profile profile = ouch::Profile::ouch5_2023_05;
  SelfTrade self_trade = SelfTrade::cancel_newest;
  std::vector<std::string> symbols;
  std::uint16_t first_locate = 1;
  References references = References::gapped;
  std::uint64_t reference_seed = 1;
  std::uint64_t reference_first = 0;
  std::vector<AccountConfig> accounts;
  OrderServer::Settings orders;
  std::vector<LineConfig> lines;
  base::Endpoint retransmit;
  std::size_t datagram_bytes = mold::kDatagramBytesMax;
  std::uint64_t retain_messages = 4'000'000;
  std::uint64_t heartbeat_ms = 1000;
  SourceConfig source;
  std::string admin_path;
  std::string log_path;
  int cpu = -1;
};

Config parse_config(const std::string& text);  // throws ConfigError
Config read_config(const std::string& path);
std::vector<std::string> firms_of(const Config& config);

}  // namespace hft::venue
