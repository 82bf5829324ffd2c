// The operator's side of the venue: a Unix socket, one JSON object a line in, one a line out.
//
// Verbs: status; disable_account, enable_account {account}; mass_cancel {account|firm, symbol}; book_dump
// {symbols:[...]} or {path} for all of them as JSON lines; pause {what: orders|feed|both}, resume; start (the
// source); disconnect {user}; end (of session). Answers: {"ok":true,...} or {"ok":false,"code","detail"}.
#pragma once

#include <map>
#include <string>

#include "base/fd.h"

namespace hft::venue {

class Venue;

class Admin {
 public:
  Admin(const std::string& path, Venue& venue, int epoll);
  ~Admin();
  [[nodiscard]] bool owns(int fd) const { return fd == listener_.get() || peers_.contains(fd); }
  void on_ready(int fd);

 private:
  struct Peer {
    base::Fd fd;
    std::string in;
  };
  void accept_all();
  bool answer_lines(Peer& peer);

  std::string path_;
  Venue& venue_;
  int epoll_;
  base::Fd listener_;
  std::map<int, Peer> peers_;
};

// One request line to one answer line; separate from the socket.
std::string admin_answer(Venue& venue, const std::string& line);

}  // namespace hft::venue
