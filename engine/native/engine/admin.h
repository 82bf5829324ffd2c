// The admin thread: the Unix socket with its JSON lines, signals, the latch file, reloads, and the service manager.
//
// It waits for nobody: a request that the hot thread has taken is looked at again on the next turn, so a hung hot
// loop leaves this thread able to answer, and unable to ping the watchdog for it.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "engine/host.h"
#include "engine/hot.h"
#include "engine/latch_file.h"

namespace hft::engine {

struct AdminParts {
  const EngineConfig& config;
  Hot& hot;
  LatchFile& latch;
  Notifier& notifier;
  const MetricsPage& metrics;
  FeedInput& feed;
  const Ring& ring;
  bool conformance = false;
  std::string artifact_digest;
  std::uint64_t recovered_records = 0;
  std::uint64_t dropped_bytes = 0;
  int wake_fd = -1;
  std::string host_facts;  // JSON object: memory, arena
};

class Admin {
 public:
  explicit Admin(AdminParts parts);
  ~Admin();
  Admin(const Admin&) = delete;
  Admin& operator=(const Admin&) = delete;

  // Opens the socket and installs the signals. Throws std::system_error.
  void open();
  // Serves until the hot loop has stopped. True when a second SIGTERM ended it.
  bool run();

 private:
  struct Peer {
    int fd = -1;
    std::uint32_t uid = 0;
    std::string in, out;
    std::unique_ptr<Request> waiting;
    std::string verb;
    bool gone = false;
  };

  void wait();
  void take_signals();
  void accept_peers();
  void read_peer(Peer& peer);
  void next_line(Peer& peer);
  void serve(Peer& peer, std::string_view line);
  void serve_verb(Peer& peer, const std::string& verb, std::string_view line);
  void submit(Peer& peer, Request::What what, core::Verb verb, std::string record, std::uint64_t stall_ms = 0);
  void finish(Peer& peer);
  void flush(Peer& peer);
  void refuse(Peer& peer, std::string_view code, std::string_view detail);
  [[nodiscard]] bool is_written(const Request& request) const;
  std::string answer_text(const Peer& peer, const Request& request);
  std::string status_text(const Request& request);
  std::string histograms_text() const;
  void submit_own(core::Verb verb, std::string record);
  void finish_own();
  void kill_by_signal();
  void reload_limits();
  void stop_by_signal();
  void latch_to_disk(const core::Latch& latch);
  void tell_service_manager();
  void look_after_ports();

  AdminParts parts_;
  int listener_ = -1;
  int signals_ = -1;
  std::list<Peer> peers_;
  std::list<std::unique_ptr<Request>> own_;
  Snapshot last_;
  std::uint64_t limits_refused_ = 0;
  std::uint64_t turns_pinged_ = 0;
  std::uint64_t pinged_ns_ = 0;
  std::uint64_t ports_seen_ns_ = 0;
  std::uint64_t forced_ns_ = 0;
  int terms_ = 0;
};

}  // namespace hft::engine
