// The venue's log: one JSON object a line, one schema for every line, in the order things happened.
//
// Each inbound message gets exactly one verdict line (accepted, rejected, ignored, malformed); what follows from
// it (executed, canceled, self_matched) gets a line each, for each owner. Epoch and order sequence come from the
// ClOrdID, so the log alone proves which engine traded. Absent values are null; no line ever lacks a key.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace hft::venue {

struct LogEntry {
  std::string_view event;
  std::string_view session;  // account or drop copy user; for faults the line
  char type = 0;             // letter of the OUCH or SoupBinTCP message
  std::uint64_t urn = 0;     // 0 = none: user reference numbers start at 1
  std::uint64_t original_urn = 0;
  std::string_view clordid;
  std::uint64_t order_ref = 0;
  std::string_view symbol;
  char side = 0;
  std::uint64_t quantity = 0;
  std::uint64_t price = 0;
  std::uint64_t match = 0;
  std::string_view code;
  std::string_view detail;
  std::uint64_t first = 0, count = 0;  // of a feed line: first message, how many
  std::uint64_t datagram = 0;          // of a fault: index of the datagram on its line, from 1
};

class Log {
 public:
  // An empty path means no log. The file is appended to: a restart must not erase what was traded before.
  explicit Log(const std::string& path);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void write(const LogEntry& entry, std::uint64_t now_ns);
  void flush();
  [[nodiscard]] bool good() const { return path_.empty() || (file_ != nullptr && std::ferror(file_) == 0); }
  [[nodiscard]] std::uint64_t lines() const { return lines_; }

 private:
  std::string path_;
  std::FILE* file_ = nullptr;
  std::string line_;
  std::uint64_t lines_ = 0;
  bool dirty_ = false;
};

// The line without its end; separate from the file so that a test can read it.
std::string to_json(const LogEntry& entry, std::uint64_t now_ns, std::uint64_t sequence);

}  // namespace hft::venue
