// The gateway's metrics page: what monitoring sees, read from a file, so that nobody asks the order loop.
//
// The layout is the engine's (base/page_file.h). It is written from the tick, 20 times a second, with what the hub
// has anyway: no order waits for it, and a heartbeat that stands still is a loop that does.
#pragma once

#include <cstdint>
#include <string>

#include "base/page_file.h"
#include "gateway/hub.h"

namespace hft::gateway {

class Page {
 public:
  // Throws std::system_error.
  explicit Page(const std::string& path);

  void write(const Hub& hub, std::int64_t now_ns);

 private:
  base::PageFile file_;
};

}  // namespace hft::gateway
