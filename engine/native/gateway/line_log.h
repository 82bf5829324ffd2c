// The message log and the refusal log: one JSON line per decision, every line with the same keys.
//
// {"t_ns","seq","event","session","link","party","epoch","urn","type","clordid","code","reason"}. `seq` rises
// by one over both logs together and goes on after a restart, so their lines merge into one history. A line is
// written before the bytes leave: what the kernel holds survives a SIGKILL, so no order can leave unlogged.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/files.h"
#include "gateway/reason.h"

namespace hft::gateway {

struct LogLine {
  std::int64_t t_ns = 0;  // UTC
  std::uint64_t seq = 0;
  std::string_view event = {};
  std::string_view session = {};  // the account
  std::uint64_t link = 0;         // the engine connection, 0 when none
  std::string_view party = {};    // HOST/SLOT
  std::uint64_t epoch = 0;
  std::uint32_t urn = 0;
  char type = ' ';
  std::string_view clordid = {};
  Reason reason = Reason::ok;
  std::string_view detail = {};  // replaces the reason's sentence when given
};

class LineLog {
 public:
  base::Failure open(const std::string& path);
  std::uint64_t last_seq() const { return last_seq_; }  // of the last whole line when it was opened

  // False when the line could not be written whole; a later line then starts afresh.
  bool append(const LogLine& line);

 private:
  base::Fd file_;
  bool is_torn_ = false;
  std::uint64_t last_seq_ = 0;
  std::string line_;
};

}  // namespace hft::gateway
