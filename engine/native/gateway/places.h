// Places for connections: strangers have few, and take them from each other. Pure.
//
// A stranger is a connection that was not admitted yet. One address has a few of these places and all addresses
// together have some, so the others are free for whoever was admitted. Where there is none, the oldest silent stranger
// of the address that has most of them makes room; one that said HELLO is being looked at and stays.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace hft::gateway {

struct PlaceLimits {
  std::size_t all = 256;  // far below the usual limit of descriptors (getrlimit(2): 1024)
  std::size_t strangers = 96;
  std::size_t strangers_of_a_peer = 24;
};

struct Guest {
  std::uint64_t number = 0;  // rises with each connection
  std::uint32_t peer = 0;    // its address
  bool is_stranger = true;
  bool is_silent = true;  // no HELLO yet
};

struct Place {
  bool is_given = true;
  std::uint64_t leaves = 0;  // the guest that makes room; 0: nobody has to
};

// A place for one more stranger from PEER, beside GUESTS (in the order of their numbers)?
inline Place place_for(std::uint32_t peer, const std::vector<Guest>& guests, const PlaceLimits& limits = {}) {
  std::map<std::uint32_t, std::size_t> strangers_of;
  std::size_t strangers = 0;
  for (const auto& guest : guests) {
    if (!guest.is_stranger) continue;
    ++strangers;
    ++strangers_of[guest.peer];
  }
  if (guests.size() - strangers >= limits.all - limits.strangers) return {false, 0};
  const bool is_greedy = strangers_of[peer] >= limits.strangers_of_a_peer;
  if (!is_greedy && strangers < limits.strangers) return {true, 0};
  const Guest* leaves = nullptr;
  for (const auto& guest : guests) {
    const bool may_go = guest.is_stranger && guest.is_silent && (!is_greedy || guest.peer == peer);
    if (may_go && (leaves == nullptr || strangers_of[guest.peer] > strangers_of[leaves->peer])) leaves = &guest;
  }
  return leaves == nullptr ? Place{false, 0} : Place{true, leaves->number};
}

}  // namespace hft::gateway
