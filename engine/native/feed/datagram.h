// One datagram of market data as a source hands it over, whatever it came through.
#pragma once

#include <cstdint>

#include "wire/bytes.h"

namespace hft::feed {

struct Datagram {
  Bytes bytes;
  std::int64_t received_utc_ns = 0;  // receive stamp of kernel, device or poll loop; 0 when there is none
  std::uint32_t source = 0;          // IPv4 address that it came from, host order
};

}  // namespace hft::feed
