// The gateway's configuration file: read once, checked whole, every error with its key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/files.h"
#include "base/net.h"

namespace hft::gateway {

struct AccountConfig {
  std::string name;
  std::string strategy;
  std::vector<std::string> slots;
  std::string user;      // what the engine logs in with, 6 characters at most
  std::string password;  // 10 at most
  base::Endpoint venue;
  std::string venue_user;
  std::string venue_password;
};

enum class OnFence : std::uint8_t { cancel, keep };

struct Config {
  std::string name;
  bool is_standby = false;
  base::Endpoint listen;
  std::string admin_socket;
  std::string state_directory;
  std::string log_directory;
  std::string metrics_page;  // the file that monitoring reads instead of asking; empty: none
  std::string profile;       // ouch5-2023-05 or ouch5-later
  OnFence on_fence = OnFence::cancel;
  std::string limits_file;        // empty: none, which only a test gateway may do
  std::string host_signers;       // allowed_signers of the hosts' tickets
  std::string authority_signers;  // allowed_signers of fences and limits
  std::string epoch_source;       // the authority's file; empty: fences come by the admin socket alone
  std::uint64_t reconnect_ms = 500;
  std::uint64_t heartbeat_ms = 1000;  // SoupBinTCP 3.00: one second
  std::uint64_t silence_ms = 15000;   // and fifteen
  std::uint64_t order_age_max_ms = 1000;
  std::uint64_t hello_ms = 5000;         // so long may a connection say nothing
  std::uint64_t beat_ms = 0;             // so often engines shall beat; 0: they are not asked to
  std::uint64_t end_grace_ms = 0;        // so long after the end of its stream may a holder come back
  std::optional<std::uint64_t> residue;  // of the epochs that it gives, modulo 2; none: it has no peer
  std::vector<AccountConfig> accounts;

  std::string state_path() const { return state_directory + "/fence.block"; }
  std::string state_path_before() const { return state_directory + "/fence.json"; }  // of releases before 0.2
  // The day's responses of an account.
  std::string history_path(std::size_t account) const {
    return log_directory + "/responses." + std::to_string(account);
  }
  std::string latch_path() const { return state_directory + "/latch.block"; }
};

std::variant<Config, base::Failure> load_config(const std::string& path, bool is_test);

}  // namespace hft::gateway
