// The run configuration (engine/contract/config.py): read once, checked whole, the first fault named by its field.
//
// Fields of this engine's own stand beside the contract's and have defaults: `journal_market` full|ref,
// `segment_bytes`, `standby_link` true|false, `digest_every_inputs`, `trading_day_start_utc_s`, `book_orders_max`,
// `book_levels_max`, `memory` try|required, and inside `strategy` the numbers of core/types.h.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/net.h"
#include "core/types.h"
#include "dpdk/receiver.h"
#include "journal/durability_gate.h"

namespace hft::trader {

struct FeedLine {
  std::string group, interface;
  std::uint16_t port = 0;
  std::optional<dpdk::Device> device = {};  // none: a kernel socket
};

struct GatewayLogin : base::Endpoint {
  std::string user, password;
};

enum class Idle : std::uint8_t { spin, yield, backoff };

struct EngineConfig {
  core::CoreConfig core;
  std::string slot, egress;
  std::array<std::optional<FeedLine>, 2> feeds;  // A, B
  dpdk::Options dpdk;
  std::vector<std::string> feed_sources;  // IPv4 addresses; none: whoever sends
  std::string feed_session;               // none: the first one that is proven
  std::uint64_t link_silence_max_ms = 15'000;
  bool has_standby_link = false;  // an admitted link at the gateway while nothing is claimed
  std::optional<base::Endpoint> rerequest;
  std::optional<GatewayLogin> gateway;
  std::optional<base::Endpoint> gateway_peer;  // the other one of its pair, with the same login
  std::optional<GatewayLogin> dropcopy;        // logs in like the gateway unless it says otherwise
  std::string ticket_socket, admin_socket, metrics_page, journal_directory, latch_file, limits_file, allowed_signers;
  std::uint64_t ring_bytes = 0;
  std::uint64_t segment_bytes = 8ULL << 20;
  DurabilityLevel durability;
  Idle idle = Idle::backoff;
  std::map<std::string, std::vector<int>> cpus;
  bool market_as_reference = false;
  bool memory_required = false;
  std::string digest;  // SHA-256 of the canonical document, 64 hex digits

  // As planned for a thread's role; none: it is not pinned.
  [[nodiscard]] std::vector<int> cpus_of(const std::string& role) const {
    const auto found = cpus.find(role);
    return found == cpus.end() ? std::vector<int>{} : found->second;
  }
};

// The configuration, or one sentence about what is wrong with it.
std::variant<EngineConfig, std::string> read_config(const std::string& path);

}  // namespace hft::trader
