// Setting up a session at the gateway: connect, HELLO, CLAIM, login, drop copy. On a thread of its own, because all
// of it waits; the hot thread gets a session that is logged in, with what was read beyond the login. A standby's link
// ends behind HELLO; the promotion gives it back, to claim and log in at once.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>

#include "core/types.h"
#include "trader/config.h"
#include "trader/mailbox.h"
#include "wire/soup_session.h"

namespace hft::trader {

struct ConnectOrder {
  std::uint64_t epoch = 0;  // 0: a standby's link, which claims nothing
  std::string session;      // of which `next_response` counts
  std::uint64_t next_response = 1;
  bool is_retry = false;                   // the session was up before: try until it is again, or the epoch is stale
  std::optional<soup::Session> link = {};  // admitted already
};

struct Connected {
  core::LinkEvent event;
  std::optional<soup::Session> session;  // logged in, a standby's link admitted; none: it did not come up
  std::uint64_t beat_ms = 0;             // as often as the gateway asks; 0: it does not
  bool was_refused = false;              // a gateway answered, and said no
};

class Connector {
 public:
  explicit Connector(const EngineConfig& config) : config_(config) {}
  ~Connector() { stop(); }

  void start();
  void stop();
  // From the hot thread.
  void connect(ConnectOrder order) { orders_.put(std::move(order)); }
  bool take(Connected& connected) { return results_.take(connected); }
  // Forget what is under way: its result, if it still comes, closes itself.
  void cancel() { generation_.fetch_add(1); }

 private:
  void loop();
  void serve(ConnectOrder order);
  Connected attempt(ConnectOrder& order);

  const EngineConfig& config_;
  Mailbox<ConnectOrder, 16> orders_;
  Mailbox<Connected, 16> results_;
  std::atomic<std::uint64_t> generation_{0};
  std::atomic<bool> stopping_{false};
  bool is_at_peer_ = false;  // of the pair the one that was tried last; the other one is tried next
  std::thread thread_;
};

}  // namespace hft::trader
