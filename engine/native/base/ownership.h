// What one process owns alone: directories, and paths that it will cut, replace or unlink.
//
// A claim comes before the first change. It is a record lock (fcntl(2)) on a file made for nothing else, so the kernel
// ends it with the process and tells who holds it: no pid in a file that a dead process left can be believed. A
// directory is locked itself as well (flock(2)), which outlives a lost lock file. Links are not followed, and what
// another user could change is refused. Nothing else may open a lock file: closing it anywhere ends the lock.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "base/fd.h"

namespace hft::base {

// Why a start ends here, having changed nothing.
struct OwnershipError : std::runtime_error {
  OwnershipError(int code, const std::string& what) : std::runtime_error(what), exit_code(code) {}
  int exit_code;  // kExitRetry: another process owns it; kExitConfiguration: nobody should own it
};

class Ownership {
 public:
  // Makes the directory (0750) if it is not there; refuses a link, another owner than this user or root, and one that
  // group or others may write. Throws OwnershipError, as does claim_path.
  void claim_directory(const std::string& path);
  // One file or socket, by a lock file beside it, in a directory where nobody else can replace either (a sticky one
  // like /dev/shm will do).
  void claim_path(const std::string& path);

 private:
  void lock(const std::string& owned, const std::string& lock_file);

  std::vector<Fd> held_;
};

// The files of a private directory that a program appends to or replaces: none may be a link (OwnershipError).
void refuse_links(const std::vector<std::string>& paths);

}  // namespace hft::base
