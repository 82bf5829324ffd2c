// The admin thread: the Unix socket with its JSON lines, signals, the latch file, reloads, and the service manager.
//
// It waits for nobody, no child process either: a request that the hot thread has taken is looked at again on the next
// turn, so a hung hot loop leaves this thread able to answer, and unable to ping the watchdog for it.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/words.h"
#include "trader/event_loop.h"
#include "trader/host.h"
#include "trader/latch_file.h"

namespace hft::trader {

struct AdminParts {
  const EngineConfig& config;
  EventLoop& loop;
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
    base::Fd fd;
    std::uint32_t uid = 0, pid = 0;
    std::string in, out;
    std::size_t ahead = 0;  // of `in`, looked at for kills
    bool too_long = false;
    base::VerbSpotter spotter{"kill"};
    std::unique_ptr<Request> waiting;
    std::string verb;
    bool gone = false;
  };

  void wait();
  void take_signals();
  void accept_peers();
  void read_peer(Peer& peer);
  void next_line(Peer& peer);
  void take(Peer& peer, std::string_view bytes);
  void kill(Peer& peer, std::string_view line);
  void kill_now(const Peer& peer, std::string_view line);
  void kill_ahead(Peer& peer);
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
  void finish_reload();
  void take_limits(bool is_signed);
  void refuse_limits(const std::string& why);
  void stop_by_signal();
  void latch_to_disk(const core::Latch& latch);
  void tell_service_manager();
  void look_after_ports();

  AdminParts parts_;
  base::Fd listener_;
  base::Fd signals_;
  std::list<Peer> peers_;
  std::list<std::unique_ptr<Request>> own_;
  std::list<std::unique_ptr<Request>> unasked_;  // kills that the hot loop had no place for
  // A limits file whose signature a child is checking.
  std::string reloading_;
  pid_t verifying_ = -1;
  std::uint64_t verifying_since_ns_ = 0;
  bool reload_again_ = false;
  std::uint32_t kill_signals_ = 0;  // of signals.h, written to the latch
  Snapshot last_;
  std::uint64_t limits_refused_ = 0;
  std::uint64_t turns_pinged_ = 0;
  std::uint64_t pinged_ns_ = 0;
  std::uint64_t ports_seen_ns_ = 0;
  std::uint64_t forced_ns_ = 0;
  int terms_ = 0;
};

}  // namespace hft::trader
