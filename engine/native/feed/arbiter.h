// A/B arbitration of a MoldUDP64 feed: each message once, in order, from whichever line brings it first.
//
// Pure: no socket, no clock; datagrams and times come in as arguments, what to do comes out. A message that both
// lines lost makes a gap. A gap first waits `gap_wait_ns` for the slower line, then is re-requested, again after
// each `request_timeout_ns` without progress, and after `requests_max` vain tries it is declared lost: the sink
// hears which messages, and the stream goes on behind them. A server may answer with what fits into one datagram: when
// part of an answer came, the rest is asked for after `gap_wait_ns`, or whoever starts late would get one datagram
// in each timeout. What the sink hears (class or struct with these):
//
//   void deliver(const mold::Packet& run)              messages in order, without a hole to those before
//   void lost(std::uint64_t first, std::uint64_t count)  will never come; books built so far are wrong now
//   void session(const mold::Session& name)            a session begins; the next sequence is `expected()`
//   void end_of_session()                              everything up to the end was delivered or lost
#pragma once

#include <optional>

#include "feed/window.h"

namespace hft::feed {

enum class Line : std::uint8_t { a, b, rerequest };
inline constexpr std::size_t kLines = 3;

enum class Phase : std::uint8_t {
  joining,  // nothing heard yet
  live,     // everything up to the newest known message was delivered
  gapped,   // something is missing
  ended,    // end of session seen and reached
};

// What became of one datagram.
enum class Outcome : std::uint8_t {
  delivered,
  duplicate,    // all of it came before
  kept,         // early: waits in the window
  window_full,  // early and no room: will be re-requested
  heartbeat,
  end_of_session,
  rejected,       // not a MoldUDP64 packet; see Counters::rejects
  other_session,  // of a session that is over, or one not confirmed yet
  wild_sequence,  // further ahead than jump_max and not confirmed yet
  count_,
};

struct Config {
  std::optional<mold::Session> session = std::nullopt;  // the only one to take; without it, the first one heard
  std::uint64_t start_sequence = 1;                     // 0: join at whatever comes first
  std::uint64_t gap_wait_ns = 1'000'000;
  std::uint64_t request_timeout_ns = 20'000'000;
  unsigned requests_max = 5;
  std::uint16_t request_count_max = 1000;
  std::size_t window_slots = 256;
  std::size_t datagram_bytes_max = 1500;
  // One stray datagram must not end a session or skip a day: a new session (unless the old one ended) or a jump
  // of more than jump_max messages counts only after this many datagrams in a row that say the same.
  std::uint64_t jump_max = 1'000'000;
  unsigned confirm = 3;
};

struct Counters {
  std::array<std::uint64_t, static_cast<std::size_t>(Outcome::count_)> outcomes{};
  std::array<std::uint64_t, static_cast<std::size_t>(Reject::count_)> rejects{};
  std::array<std::uint64_t, kLines> datagrams{};
  std::array<std::uint64_t, kLines> messages_won{};  // delivered from this line directly or out of the window
  std::uint64_t messages = 0;
  std::uint64_t gaps = 0;
  std::uint64_t requests = 0;
  std::uint64_t lost = 0;
  std::uint64_t sessions = 0;

  std::uint64_t of(Outcome outcome) const { return outcomes[static_cast<std::size_t>(outcome)]; }
  std::uint64_t of(Reject why) const { return rejects[static_cast<std::size_t>(why)]; }
};

class Arbiter {
 public:
  explicit Arbiter(const Config& config) : config_(config), window_(config.window_slots, config.datagram_bytes_max) {}

  template <class Sink>
  Outcome on_datagram(Line line, Bytes datagram, std::uint64_t now_ns, Sink& sink) {
    ++counters_.datagrams[at(line)];
    heard_ns_[at(line)] = now_ns;
    const mold::Packet packet = mold::parse(datagram);
    const Outcome outcome = take(line, packet, now_ns, sink);
    ++counters_.outcomes[static_cast<std::size_t>(outcome)];
    return outcome;
  }

  // What time alone decides: ask again for what is missing, or give it up. Call it when no datagram came for a
  // while and after each batch of datagrams; it returns at most one request to send.
  template <class Sink>
  std::optional<mold::Request> poll(std::uint64_t now_ns, Sink& sink) {
    if (phase_ != Phase::gapped) return std::nullopt;
    const bool asked = asked_until_ > expected_;
    const std::uint64_t wait_ns = asked && !answered_ ? config_.request_timeout_ns : config_.gap_wait_ns;
    const std::uint64_t since_ns = asked ? progress_ns_ : gap_since_ns_;
    if (now_ns < since_ns || now_ns - since_ns < wait_ns) return std::nullopt;
    if (tries_ >= config_.requests_max) {
      give_up(now_ns, sink);
      return std::nullopt;
    }
    return ask(now_ns);
  }

  Phase phase() const { return phase_; }
  std::uint64_t expected() const { return expected_; }
  std::uint64_t known_end() const { return known_end_; }
  const mold::Session& session() const { return session_; }
  const Counters& counters() const { return counters_; }
  std::uint64_t heard_ns(Line line) const { return heard_ns_[at(line)]; }
  std::size_t kept() const { return window_.used(); }

 private:
  static constexpr std::size_t at(Line line) { return static_cast<std::size_t>(line); }

  template <class Sink>
  Outcome take(Line line, const mold::Packet& packet, std::uint64_t now_ns, Sink& sink) {
    if (packet.why != Reject::none) {
      ++counters_.rejects[static_cast<std::size_t>(packet.why)];
      return Outcome::rejected;
    }
    if (!in_session(packet, sink)) return Outcome::other_session;
    if (!believable(packet)) return Outcome::wild_sequence;
    const Outcome outcome = take_in_session(line, packet, now_ns, sink);
    settle(now_ns, sink);
    return outcome;
  }

  template <class Sink>
  Outcome take_in_session(Line line, const mold::Packet& packet, std::uint64_t now_ns, Sink& sink) {
    const std::uint64_t end = packet.sequence + packet.count;
    // An end before what was already seen contradicts the stream itself; it says no more than a heartbeat.
    if (packet.end_of_session && end >= known_end_) end_known_ = true;
    known_end_ = std::max(known_end_, end);
    if (packet.count == 0) return packet.end_of_session ? Outcome::end_of_session : Outcome::heartbeat;
    if (end <= expected_) return Outcome::duplicate;
    if (packet.sequence > expected_) {
      switch (window_.keep(packet)) {
        case Window::Kept::kept: return Outcome::kept;
        case Window::Kept::already: return Outcome::duplicate;
        case Window::Kept::full: return Outcome::window_full;
      }
    }
    const auto seen = static_cast<std::uint16_t>(expected_ - packet.sequence);
    pass_on(line, mold::without_front(packet, seen), sink);
    mold::Packet early;
    while (window_.take(expected_, session_, early)) pass_on(line, early, sink);
    progress_ns_ = now_ns;
    tries_ = 0;
    answered_ = answered_ || line == Line::rerequest;
    return Outcome::delivered;
  }

  template <class Sink>
  void pass_on(Line line, const mold::Packet& run, Sink& sink) {
    expected_ += run.count;
    counters_.messages += run.count;
    counters_.messages_won[at(line)] += run.count;
    sink.deliver(run);
  }

  // After every step: is something missing, is it the gap we knew, is the session over?
  template <class Sink>
  void settle(std::uint64_t now_ns, Sink& sink) {
    if (phase_ == Phase::ended) return;
    if (expected_ >= known_end_) {
      phase_ = end_known_ ? Phase::ended : Phase::live;
      if (phase_ == Phase::ended) sink.end_of_session();
      return;
    }
    const bool known_gap = phase_ == Phase::gapped && expected_ < gap_end_;
    gap_end_ = std::min(known_end_, window_.first());
    if (known_gap) return;
    phase_ = Phase::gapped;
    gap_since_ns_ = now_ns;
    tries_ = 0;
    asked_until_ = 0;
    answered_ = false;
    ++counters_.gaps;
  }

  mold::Request ask(std::uint64_t now_ns) {
    const std::uint64_t missing = gap_end_ - expected_;
    const auto wanted = static_cast<std::uint16_t>(std::min<std::uint64_t>(missing, config_.request_count_max));
    asked_until_ = expected_ + wanted;
    progress_ns_ = now_ns;
    answered_ = false;
    ++tries_;
    ++counters_.requests;
    return {session_, expected_, wanted};
  }

  template <class Sink>
  void give_up(std::uint64_t now_ns, Sink& sink) {
    const std::uint64_t first = expected_;
    expected_ = gap_end_;
    counters_.lost += expected_ - first;
    sink.lost(first, expected_ - first);
    mold::Packet early;
    while (window_.take(expected_, session_, early)) pass_on(Line::rerequest, early, sink);
    settle(now_ns, sink);
  }

  // True when the packet belongs to the session we are in, or to one that begins with it.
  template <class Sink>
  bool in_session(const mold::Packet& packet, Sink& sink) {
    if (phase_ != Phase::joining && packet.session == session_) {
      session_votes_ = 0;
      return phase_ != Phase::ended || packet.sequence + packet.count <= expected_;
    }
    if (config_.session && packet.session != *config_.session) return false;
    if (is_past(packet.session)) return false;
    if (phase_ == Phase::joining || phase_ == Phase::ended) return begin(packet, sink);
    session_votes_ = packet.session == candidate_ ? session_votes_ + 1 : 1;
    candidate_ = packet.session;
    return session_votes_ >= config_.confirm && begin(packet, sink);
  }

  // Late datagrams of a session that is over must not bring it back.
  bool is_past(const mold::Session& name) const {
    const auto over = counters_.sessions == 0 ? 0 : std::min<std::size_t>(counters_.sessions - 1, past_.size());
    const auto end = past_.begin() + static_cast<std::ptrdiff_t>(over);
    return std::find(past_.begin(), end, name) != end;
  }

  template <class Sink>
  bool begin(const mold::Packet& packet, Sink& sink) {
    const bool first = phase_ == Phase::joining;
    if (!first) past_[(counters_.sessions - 1) % past_.size()] = session_;
    session_ = packet.session;
    expected_ = !first ? 1 : config_.start_sequence != 0 ? config_.start_sequence : packet.sequence;
    known_end_ = expected_;
    end_known_ = false;
    session_votes_ = jump_votes_ = 0;
    window_.clear();
    phase_ = Phase::live;
    ++counters_.sessions;
    sink.session(session_);
    return true;
  }

  // A sequence far ahead of everything known is believed when several in a row agree.
  bool believable(const mold::Packet& packet) {
    if (packet.sequence <= known_end_ || packet.sequence - known_end_ <= config_.jump_max) {
      jump_votes_ = 0;
      return true;
    }
    const bool agrees = packet.sequence >= jump_from_ && packet.sequence - jump_from_ <= config_.jump_max;
    jump_votes_ = agrees ? jump_votes_ + 1 : 1;
    jump_from_ = packet.sequence;
    return jump_votes_ >= config_.confirm;
  }

  Config config_;
  Window window_;
  Phase phase_ = Phase::joining;
  mold::Session session_{};
  std::uint64_t expected_ = 0;   // the next message to deliver
  std::uint64_t known_end_ = 0;  // one behind the newest message known to exist
  bool end_known_ = false;
  std::uint64_t gap_end_ = 0;  // the open gap is [expected_, gap_end_)
  std::uint64_t gap_since_ns_ = 0;
  std::uint64_t progress_ns_ = 0;  // of the last request, or of the last delivery after it
  std::uint64_t asked_until_ = 0;
  bool answered_ = false;  // something came back for the last request
  unsigned tries_ = 0;
  mold::Session candidate_{};
  unsigned session_votes_ = 0;
  std::uint64_t jump_from_ = 0;
  unsigned jump_votes_ = 0;
  std::array<mold::Session, 8> past_{};
  std::array<std::uint64_t, kLines> heard_ns_{};
  Counters counters_;
};

}  // namespace hft::feed
