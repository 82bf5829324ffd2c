// One account's session at the venue: SoupBinTCP client, the day's responses kept on disk for replay.
//
// A first login with sequence 0 only finds out where the day's stream stands; a second one replays what is
// missing. Then comes the account query: the first answer to one at or behind that head is ours (the replay holds
// older ones), and once it is here, open orders and the last user reference number are the venue's own. Only
// then may orders flow.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gateway/history.h"
#include "gateway/hub.h"
#include "gateway/pace.h"
#include "gateway/waiting.h"
#include "wire/soup_session.h"

namespace hft::gateway {

class VenueSession : public Source {
 public:
  enum class Phase : std::uint8_t { down, connecting, logging_in, replaying, ready };

  VenueSession(Hub& hub, const AccountConfig& config);

  void on_events(std::uint32_t events) override;
  void tick(std::int64_t now_ns);

  // A whole packet as it is. `none`: the socket takes nothing now, keep the packet and try again on resume.
  soup::Sent send(Bytes packet);
  // A packet of the gateway's own; queued behind a packet that is half out.
  void send_own(char type, Bytes payload = {});
  bool cancel(const OpenOrder& order);
  void logout();
  void try_again() { backoff_ = {}, retry_ns_ = 0; }
  std::uint64_t logins_rejected() const { return backoff_.rejections(); }  // in a row

  bool is_ready() const { return phase_ == Phase::ready; }
  std::string_view phase_name() const;
  const std::string& session() const { return session_; }
  std::uint64_t next_sequence() const { return history_.next_sequence(); }
  std::uint64_t first_sequence() const { return history_.first_sequence(); }
  // The day's framed sequenced packets.
  const History& history() const { return history_; }
  base::Failure keep_history(const std::string& path) { return history_.open(path); }

  const AccountConfig& config;
  Account account;
  EngineLink* owner = nullptr;  // the engine connection that is logged in, if any
  std::string last_holder;

 private:
  void connect();
  void on_connected();
  void receive();
  void on_packet(const soup::Packet& packet, std::int64_t received_ns);
  void on_login(const soup::Packet& packet);
  void on_rejected(const soup::Packet& packet);
  void on_head(std::uint64_t head);
  void start_replay();
  void on_sequenced(const soup::Packet& packet, std::int64_t received_ns);
  void flush();
  void watch(bool is_writing);
  void forget_day(std::uint64_t first_sequence);
  void lost(std::string_view why);
  bool is_stuck(std::uint64_t now_ns);

  Hub& hub_;
  Phase phase_ = Phase::down;
  soup::Session link_;
  Outgoing outgoing_;
  std::string session_;
  History history_;
  std::uint64_t head_ = 1;  // what the venue's stream had reached when this login began
  bool is_finding_head_ = true;
  Backoff backoff_;
  std::int64_t retry_ns_ = 0;
};

}  // namespace hft::gateway
