// The sequenced public stream: packs messages into MoldUDP64 datagrams, hands each to every line, keeps them for
// retransmission, and speaks heartbeats and end of session. No socket here: lines are callbacks.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "wire/mold.h"

namespace hft::venue {

class Feed {
 public:
  using Line = std::function<void(Bytes datagram)>;

  // At least `retain_messages` of the latest messages can be asked for again.
  Feed(std::string_view session, std::uint64_t retain_messages, std::size_t datagram_bytes_max);

  void add_line(Line data, Line control) { lines_.push_back({std::move(data), std::move(control)}); }
  void publish(Bytes message);
  void flush();      // sends what is packed, however little
  void heartbeat();  // only what is flushed counts
  void end_of_session();
  // The answer to a request, empty when nothing of it is kept; never more than one datagram.
  Bytes answer(Bytes request);

  [[nodiscard]] std::uint64_t next_sequence() const { return next_; }
  [[nodiscard]] std::uint64_t datagrams() const { return datagrams_; }
  [[nodiscard]] std::uint64_t oldest_kept() const { return kept_.empty() ? next_ : kept_.front().first; }
  [[nodiscard]] std::uint16_t packed() const { return packed_; }

 private:
  struct Ends {
    Line data;     // sequenced datagrams: faults may hit them
    Line control;  // heartbeats and end of session
  };
  struct Kept {
    std::uint64_t first;
    std::string datagram;
  };
  void control(std::uint16_t count);

  mold::Session session_;
  std::uint64_t retain_messages_;
  std::size_t bytes_max_;
  std::vector<Ends> lines_;
  std::deque<Kept> kept_;
  std::array<std::uint8_t, 2048> buffer_{};
  std::array<std::uint8_t, 2048> answer_{};
  std::size_t used_ = 0;
  std::uint16_t packed_ = 0;
  std::uint64_t next_ = 1;  // sequence of the next message published
  std::uint64_t datagrams_ = 0;
};

}  // namespace hft::venue
