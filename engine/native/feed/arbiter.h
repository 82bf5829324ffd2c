// A/B arbitration of a MoldUDP64 feed: each message once, in order, from whichever line brings it first.
//
// Pure: no socket, no clock; datagrams and times come in as arguments, what to do comes out. A message that both
// lines lost makes a gap. A gap first waits `gap_wait_ns` for the slower line, then all of it is re-requested, in
// several requests at once (recovery.h), again after each `request_timeout_ns` without an answer; after `requests_max`
// vain tries for its first message it is declared lost: the sink hears which messages, and the stream goes on behind
// them.
//
// Anybody can send a datagram, so what one says by itself is a claim. The session is pinned once several datagrams of
// it made progress, and changes only behind its end on every line that lives; a number far ahead is forgotten when its
// own line goes on below it; nothing is given up for lost beyond what several datagrams of a line say was published;
// lines that all go back are another stream under the same name. Before that proof, while another session speaks and
// ours does not, or after such a restart, the feed is `contested`. Only `current_ns` says that the feed lives. What the
// sink hears:
//
//   void deliver(const mold::Packet& run)              messages in order, without a hole to those before
//   void lost(std::uint64_t first, std::uint64_t count)  will never come; books built so far are wrong now
//   void session(const mold::Session& name)            a session begins; the next sequence is `expected()`
//   void end_of_session()                              everything up to the end was delivered or lost
//   void session_resumed()                             the end was none: the session went on behind it
#pragma once

#include <algorithm>
#include <optional>
#include <utility>

#include "feed/arbiter_config.h"
#include "feed/recovery.h"
#include "feed/window.h"

namespace hft::feed {

class Arbiter {
 public:
  explicit Arbiter(const Config& config)
      : config_(config), window_(config.window_slots, config.datagram_bytes_max), recovery_(config) {}

  template <class Sink>
  Outcome on_datagram(Line line, Bytes datagram, std::uint64_t now_ns, Sink& sink) {
    ++counters_.datagrams[at(line)];
    const mold::Packet packet = mold::parse(datagram);
    const Outcome outcome = take(line, packet, now_ns, sink);
    ++counters_.outcomes[static_cast<std::size_t>(outcome)];
    return outcome;
  }

  // What time alone decides: ask again for what is missing, or give it up. Call it when no datagram came for a
  // while and after each batch of datagrams, as long as it returns a request to send.
  template <class Sink>
  std::optional<mold::Request> poll(std::uint64_t now_ns, Sink& sink) {
    if (phase_ != Phase::gapped) return std::nullopt;
    look_ |= grow_old(now_ns);
    if (now_ns < gap_since_ns_ || now_ns - gap_since_ns_ < config_.gap_wait_ns) return std::nullopt;
    look_ |= recovery_.expire(expected_, now_ns);
    if (tries_ >= config_.requests_max && !recovery_.covers(expected_) && published() > expected_) {
      give_up(now_ns, sink);
      return std::nullopt;
    }
    return look_ ? ask(now_ns) : std::nullopt;
  }

  Phase phase() const { return phase_; }
  std::uint64_t expected() const { return expected_; }
  std::uint64_t known_end() const { return known_end_; }
  const mold::Session& session() const { return session_; }
  const Counters& counters() const { return counters_; }
  // When the line last said something of the session in force; 0: never.
  std::uint64_t heard_ns(Line line) const { return lines_[at(line)].heard_ns; }
  // When the session in force last delivered, or said that there is nothing newer; 0 until it is proven.
  std::uint64_t current_ns() const { return current_ns_; }
  // Whose stream this is cannot be told: no orders.
  bool contested() const {
    return restarted_ || session_votes_ >= config_.confirm || (phase_ != Phase::joining && !proven());
  }
  std::size_t kept() const { return window_.used(); }

 private:
  static constexpr std::size_t at(Line line) { return static_cast<std::size_t>(line); }
  // Several datagrams of the session in force were the newest there was; before that anybody may have begun it.
  bool proven() const { return proof_ >= config_.confirm; }

  // What one line has said in this session.
  struct Said {
    // One behind the newest message that its datagrams claim, highest first: what the last one has, `confirm` claim.
    std::array<std::uint64_t, kConfirmMax> ends{};
    std::uint64_t heard_ns = 0;
    std::uint64_t lower_since_ns = 0;
    unsigned lower = 0;  // datagrams in a row that claim less than the highest
    bool ended = false;
    bool went_back = false;
  };

  template <class Sink>
  Outcome take(Line line, const mold::Packet& packet, std::uint64_t now_ns, Sink& sink) {
    if (packet.why != Reject::none) {
      ++counters_.rejects[static_cast<std::size_t>(packet.why)];
      return Outcome::rejected;
    }
    if (!in_session(packet, now_ns, sink)) return Outcome::other_session;
    if (!believable(packet)) return Outcome::wild_sequence;
    const bool newest = packet.sequence + packet.count >= known_end_;
    note(line, packet, now_ns, sink);
    if (restarted_) {
      // The claim that made the gap is withdrawn, and what a restarted stream says opens none.
      if (phase_ == Phase::gapped && expected_ >= known_end_) phase_ = Phase::live;
      return Outcome::other_session;
    }
    const Outcome outcome = take_in_session(line, packet, now_ns, sink);
    settle(now_ns, sink);
    if (newest || outcome == Outcome::delivered) progress(now_ns);
    return outcome;
  }

  void progress(std::uint64_t now_ns) {
    session_votes_ = 0;
    if (proof_ < config_.confirm) ++proof_;
    if (proven()) current_ns_ = now_ns;
  }

  // Keeps the line's own account: what it claims, whether it ended, whether it went back.
  template <class Sink>
  void note(Line line, const mold::Packet& packet, std::uint64_t now_ns, Sink& sink) {
    if (line == Line::rerequest) return;
    Said& said = lines_[at(line)];
    const std::uint64_t end = packet.sequence + packet.count;
    said.heard_ns = now_ns;
    if (end >= said.ends[0]) {
      said.lower = 0;
      if (end >= expected_) said.went_back = false;
    } else {
      if (said.lower++ == 0) said.lower_since_ns = now_ns;
      const bool lasts = said.lower >= config_.confirm && now_ns - said.lower_since_ns >= config_.back_ns;
      if (lasts || said.lower >= config_.back_count) go_back(said, end);
    }
    const auto place = std::find_if(said.ends.begin(), said.ends.end(), [&](std::uint64_t old) { return end >= old; });
    if (place != said.ends.end()) {
      std::move_backward(place, said.ends.end() - 1, said.ends.end());
      *place = end;
    }
    // An end before what was already seen contradicts the stream itself; it says no more than a heartbeat.
    if (end >= known_end_) said.ended = packet.end_of_session;
    const bool was_ended = phase_ == Phase::ended;
    known_end_ = std::max(known_end_, end);
    lapse(lines_[line == Line::a ? 1 : 0], now_ns);
    const auto is_end = [this](const Said& one) { return one.ended && one.ends[0] >= known_end_; };
    end_known_ = is_end(lines_[0]) || is_end(lines_[1]);
    if (was_ended && (!end_known_ || known_end_ > expected_)) {
      phase_ = Phase::live;
      sink.session_resumed();
    }
    restarted_ = restarted_ || all_went_back(now_ns);
  }

  // A claim that nothing followed, on a line that has fallen silent.
  void lapse(Said& said, std::uint64_t now_ns) {
    const bool is_silent = now_ns - said.heard_ns > config_.dead_ns;
    if (is_silent && said.ends[0] > expected_ && published(said) <= expected_) go_back(said, expected_);
  }

  // Whatever this line claimed beyond, nobody but it knew of.
  void go_back(Said& said, std::uint64_t end) {
    for (auto& claim : said.ends) claim = std::min(claim, end);
    said.lower = 0;
    said.went_back = end < expected_;
    said.ended = false;
    known_end_ = std::max({expected_, lines_[0].ends[0], lines_[1].ends[0]});
    window_.forget_beyond(known_end_);
    for (auto* known : {&gap_end_, &gap_top_, &young_end_, &old_end_}) *known = std::min(*known, known_end_);
  }

  // Up to here several datagrams of this line say that something was published.
  std::uint64_t published(const Said& said) const {
    return said.ends[std::min<std::size_t>(std::max(config_.confirm, 1U), kConfirmMax) - 1];
  }
  std::uint64_t published() const { return std::max(published(lines_[0]), published(lines_[1])); }

  bool lives(const Said& said, std::uint64_t now_ns) const {
    return said.heard_ns != 0 && now_ns - said.heard_ns <= config_.dead_ns;
  }

  bool all_went_back(std::uint64_t now_ns) const {
    bool any = false;
    for (const Line line : {Line::a, Line::b}) {
      const Said& said = lines_[at(line)];
      if (!lives(said, now_ns)) continue;
      if (!said.went_back) return false;
      any = true;
    }
    return any;
  }

  bool all_ended(std::uint64_t now_ns) const {
    for (const Line line : {Line::a, Line::b}) {
      const Said& said = lines_[at(line)];
      if (lives(said, now_ns) && !said.ended) return false;
    }
    return true;
  }

  template <class Sink>
  Outcome take_in_session(Line line, const mold::Packet& packet, std::uint64_t now_ns, Sink& sink) {
    const std::uint64_t end = packet.sequence + packet.count;
    if (line == Line::rerequest && packet.count > 0) {
      recovery_.answered({packet.sequence, end}, now_ns);
      look_ = true;
    }
    if (packet.count == 0) return packet.end_of_session ? Outcome::end_of_session : Outcome::heartbeat;
    if (end <= expected_) return was_lost(packet) ? Outcome::too_late : Outcome::duplicate;
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
    known_end_ = std::max(known_end_, expected_);
    tries_ = 0;
    return Outcome::delivered;
  }

  bool was_lost(const mold::Packet& packet) const {
    return std::any_of(lost_.begin(), lost_.end(), [&](const auto& run) {
      return packet.sequence < run.second && packet.sequence + packet.count > run.first;
    });
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
    const bool was_gapped = phase_ == Phase::gapped;
    gap_end_ = std::min(known_end_, window_.first());
    if (was_gapped && expected_ < gap_top_) return;  // answers may have parted it meanwhile
    gap_top_ = gap_end_;
    look_ = true;
    phase_ = Phase::gapped;
    tries_ = 0;
    ++counters_.gaps;
    if (was_gapped && expected_ < old_end_) return;  // it has waited for the slower line as the one before
    gap_since_ns_ = young_since_ns_ = now_ns;
    if (!was_gapped) young_end_ = old_end_ = gap_top_;
  }

  // What was known to exist `gap_wait_ns` ago has waited for the slower line.
  bool grow_old(std::uint64_t now_ns) {
    if (now_ns < young_since_ns_ || now_ns - young_since_ns_ < config_.gap_wait_ns) return false;
    old_end_ = young_end_;
    young_end_ = known_end_;
    young_since_ns_ = now_ns;
    return true;
  }

  std::optional<mold::Request> ask(std::uint64_t now_ns) {
    if (recovery_.is_full()) return std::nullopt;
    std::optional<Run> run;
    window_.holes(expected_, std::max(gap_top_, old_end_), [&](std::uint64_t first, std::uint64_t end) {
      run = recovery_.open_part(first, end);
      return !run;
    });
    look_ = run.has_value();
    if (!run) return std::nullopt;
    recovery_.ask(*run, now_ns);
    if (run->first == expected_) ++tries_;
    ++counters_.requests;
    return mold::Request{session_, run->first, static_cast<std::uint16_t>(run->end - run->first)};
  }

  template <class Sink>
  void give_up(std::uint64_t now_ns, Sink& sink) {
    const std::uint64_t first = expected_;
    expected_ = std::min(gap_end_, published());
    counters_.lost += expected_ - first;
    lost_[gaps_lost_++ % lost_.size()] = {first, expected_};
    sink.lost(first, expected_ - first);
    mold::Packet early;
    while (window_.take(expected_, session_, early)) pass_on(Line::rerequest, early, sink);
    settle(now_ns, sink);
  }

  // True when the packet belongs to the session we are in, or to one that begins with it.
  template <class Sink>
  bool in_session(const mold::Packet& packet, std::uint64_t now_ns, Sink& sink) {
    if (phase_ != Phase::joining && packet.session == session_) return true;
    if (config_.session && packet.session != *config_.session) return false;
    if (phase_ == Phase::joining) return begin(packet, sink);
    if (phase_ == Phase::ended && all_ended(now_ns) && !is_past(packet.session)) return begin(packet, sink);
    session_votes_ = packet.session == candidate_ ? session_votes_ + 1 : 1;
    candidate_ = packet.session;
    return session_votes_ >= config_.confirm && !proven() && !is_past(packet.session) && begin(packet, sink);
  }

  // Late datagrams of a session that is over must not bring it back.
  bool is_past(const mold::Session& name) const {
    const auto end = past_.begin() + static_cast<std::ptrdiff_t>(std::min(over_, past_.size()));
    return std::find(past_.begin(), end, name) != end;
  }

  template <class Sink>
  bool begin(const mold::Packet& packet, Sink& sink) {
    const bool first = phase_ == Phase::joining;
    // One that gave way before it was proven may have been pushed aside by a stranger: it may come back.
    if (!first && (phase_ == Phase::ended || proven())) past_[over_++ % past_.size()] = session_;
    session_ = packet.session;
    expected_ = !first ? 1 : config_.start_sequence != 0 ? config_.start_sequence : packet.sequence;
    known_end_ = expected_;
    end_known_ = restarted_ = false;
    session_votes_ = jump_votes_ = proof_ = 0;
    current_ns_ = 0;
    lines_ = {};
    lost_ = {};
    window_.clear();
    recovery_.clear();
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
  Recovery recovery_;
  Phase phase_ = Phase::joining;
  mold::Session session_{};
  std::uint64_t expected_ = 0;   // the next message to deliver
  std::uint64_t known_end_ = 0;  // one behind the newest message known to exist
  bool end_known_ = false;
  std::uint64_t gap_end_ = 0;  // the first hole is [expected_, gap_end_)
  std::uint64_t gap_top_ = 0;  // and was [expected_, gap_top_) before answers parted it
  std::uint64_t gap_since_ns_ = 0;
  std::uint64_t old_end_ = 0, young_end_ = 0, young_since_ns_ = 0;  // see grow_old
  bool look_ = false;                                               // there may be something to ask for
  unsigned tries_ = 0;                                              // for the message that is expected
  mold::Session candidate_{};
  unsigned session_votes_ = 0;
  std::uint64_t jump_from_ = 0;
  unsigned jump_votes_ = 0;
  std::array<mold::Session, 8> past_{};
  std::size_t over_ = 0;  // sessions that are over, the last ones in past_
  std::array<Said, kLines> lines_{};
  std::array<std::pair<std::uint64_t, std::uint64_t>, 16> lost_{};  // the last runs, [first, end)
  std::size_t gaps_lost_ = 0;
  unsigned proof_ = 0;  // datagrams that showed the session to be the one, up to `confirm`
  std::uint64_t current_ns_ = 0;
  bool restarted_ = false;
  Counters counters_;
};

}  // namespace hft::feed
