// One engine connection: nonce, HELLO, CLAIM, login, then every message judged at the moment it would leave.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "gateway/history.h"
#include "gateway/hub.h"
#include "gateway/json.h"
#include "gateway/waiting.h"
#include "wire/link.h"
#include "wire/soup_session.h"

namespace hft::gateway {

class EngineLink : public Source {
 public:
  enum class Phase : std::uint8_t { hello, verifying, claim, login, open, ended };

  EngineLink(Hub& hub, base::Fd socket, std::uint64_t number);
  ~EngineLink() override;

  void start();
  void on_events(std::uint32_t events) override;
  void tick(std::int64_t now_ns);
  void deliver(Bytes packet);  // a sequenced packet, byte for byte
  void resume();               // the venue's socket takes bytes again
  void end(Reason reason);     // tells the engine why, closes

  const std::uint64_t number;
  const Party& party() const { return party_; }
  std::string_view phase_name() const;
  std::string_view account_name() const;
  const std::string& slot() const { return slot_; }
  std::uint32_t peer() const { return peer_; }
  bool is_stranger() const { return phase_ <= Phase::verifying; }  // not admitted
  bool is_silent() const { return phase_ == Phase::hello; }
  bool has_claimed() const { return phase_ > Phase::claim; }
  // Admitted, and has claimed nothing: a standby's link, or one that is about to claim.
  bool is_waiting() const { return phase_ == Phase::claim; }
  bool is_reading() const { return (watched_ & EPOLLIN) != 0; }
  bool has_unread() const;                                         // it is read, and bytes wait
  const std::optional<link::Beat>& beat() const { return beat_; }  // the last one
  std::uint64_t heard_ns() const { return beat_ns_; }
  bool will_beat() const { return will_beat_ || beat_.has_value(); }  // asked to, and its contract has beats
  void refuse_link(Reason reason);                                    // as `end`, and logged
  void fenced_in(std::uint64_t epoch);

 private:
  void receive();
  void process();
  void on_packet(const soup::Packet& packet);
  void on_beat(const soup::Packet& packet);
  void on_hello(const soup::Packet& packet);
  void on_verified(Hello hello, Verdict verdict);
  Admitted look_at(const Hello& hello) const;
  void on_claim(const soup::Packet& packet);
  Reason raise(std::uint64_t epoch);
  void on_login(const soup::Packet& packet);
  void welcome_login(std::uint64_t next_sequence);
  void stream();
  Reason judge_login(const soup::LoginRequest& login, VenueSession*& found) const;
  bool on_order(Bytes payload);  // false: held back, the venue's socket is full
  void hold(Bytes payload);
  Reason leave(const Message& message, Bytes payload, const Moment& moment, bool& is_held);
  void refuse(Reason reason, const Message& message);
  LogLine line(const Message& message) const;
  std::uint64_t waited_ns() const;
  Json welcome() const;
  void send_json(char type, const Json& json);
  void put(Bytes bytes);
  void flush();
  void watch();
  void close();
  void lost();  // the other end is gone

  Hub& hub_;
  soup::Session link_;
  Phase phase_ = Phase::hello;
  const std::uint32_t peer_;
  const std::uint64_t opened_ns_;
  link::Nonce nonce_{};
  std::string slot_;
  Party party_;
  VenueSession* session_ = nullptr;
  std::vector<std::uint8_t> held_;
  Waiting waiting_;
  std::optional<History::Cursor> replay_;  // what was answered before; live behind its end
  std::optional<link::Beat> beat_;
  std::uint64_t beat_ns_ = 0;
  bool will_beat_ = false;
  bool is_processing_ = false;
  bool is_admitted_ = false;
  std::uint32_t watched_ = EPOLLIN;
};

}  // namespace hft::gateway
