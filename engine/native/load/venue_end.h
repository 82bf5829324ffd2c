// The generator's TCP side: it is the venue to the program under test, and notes when each order came in.
//
// One peer at a time. It answers login, heartbeats and account queries, accepts each Enter Order and, when told
// to, fills it at once (an engine that holds a position or a working order would not answer the next trigger).
// With `link` it also plays the gateway's part before that: nonce, HELLO, CLAIM, always welcome.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/net.h"
#include "wire/ouch_codec.h"
#include "wire/soup_session.h"

namespace hft::load {

struct Arrival {
  std::string_view symbol;
  std::uint64_t price;
  std::uint32_t urn;
  std::uint64_t at_ns;  // monotonic
};

struct VenueEndPlan {
  base::Endpoint at;
  bool link = false;
  bool fills = true;
  bool kernel_stamps = false;
  ouch::Profile profile = ouch::Profile::ouch5_2023_05;
};

class VenueEnd {
 public:
  using OnOrder = std::function<void(const Arrival&)>;

  VenueEnd(const VenueEndPlan& plan, OnOrder on_order);

  // Takes what is there; true when there was something.
  bool poll(std::uint64_t now_ns);
  void say_heartbeat(std::uint64_t now_ns);
  [[nodiscard]] bool logged_in() const { return logged_in_; }
  [[nodiscard]] bool lost() const { return lost_; }
  [[nodiscard]] std::uint16_t port() const { return base::port_of(listener_); }
  [[nodiscard]] std::uint64_t orders() const { return orders_; }
  [[nodiscard]] std::uint64_t answered() const { return answered_; }
  [[nodiscard]] std::uint64_t other_messages() const { return others_; }

 private:
  ssize_t receive(MutableBytes space, std::uint64_t& stamp_ns);
  void take(const soup::Packet& packet, std::uint64_t stamp_ns);
  void order(View<ouch::EnterOrder> order, std::uint64_t stamp_ns);
  void put(char type, Bytes payload);
  void flush();

  VenueEndPlan plan_;
  OnOrder on_order_;
  base::Fd listener_;
  soup::Session peer_;
  std::uint64_t last_said_ns_ = 0;
  std::uint64_t orders_ = 0, answered_ = 0, others_ = 0;
  std::uint64_t matches_ = 0;
  std::uint64_t sequence_ = 1;
  std::uint32_t last_urn_ = 0;
  bool logged_in_ = false;
  bool lost_ = false;
};

}  // namespace hft::load
