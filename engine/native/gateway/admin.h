// The admin socket: JSON lines over a Unix socket that only its owner and root may open.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/fd.h"
#include "base/files.h"
#include "gateway/hub.h"

namespace hft::gateway {

class AdminServer : public Source {
 public:
  explicit AdminServer(Hub& hub);
  ~AdminServer() override;

  base::Failure listen();
  void on_events(std::uint32_t events) override;

 private:
  class Caller;
  void drop(std::uint64_t number);

  Hub& hub_;
  base::Fd socket_;
  std::uint64_t seen_ = 0;
  std::map<std::uint64_t, std::unique_ptr<Caller>> callers_;
};

}  // namespace hft::gateway
