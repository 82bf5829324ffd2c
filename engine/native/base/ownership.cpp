// The locks and the looks behind ownership.h.
#include "base/ownership.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/exit_codes.h"
#include "base/files.h"

namespace hft::base {
namespace {

constexpr const char* kLockOfDirectory = "/owner.lock";
constexpr const char* kLockOfPath = ".lock";
constexpr mode_t kWritableByOthers = S_IWGRP | S_IWOTH;

[[noreturn]] void refuse(const std::string& why) { throw OwnershipError(kExitConfiguration, why); }

[[noreturn]] void cannot(const char* what, const std::string& path) {
  const bool is_wrong = errno == ELOOP || errno == ENOTDIR || errno == EISDIR || errno == EACCES || errno == EPERM;
  throw OwnershipError(is_wrong ? kExitConfiguration : kExitRetry, failed(what, path));
}

struct flock whole_file() {
  struct flock whole{};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  return whole;
}

[[noreturn]] void owned_by_another(const std::string& owned, pid_t pid) {
  const std::string who = pid > 0 ? "process " + std::to_string(pid) : "a process that cannot be named from here";
  throw OwnershipError(kExitRetry, owned + " is owned by " + who + "; nothing was changed");
}

// FORGIVING: a mode bit with which others may write all the same.
void must_be_ours(const Fd& fd, const std::string& path, mode_t forgiving = 0) {
  struct stat seen{};
  if (::fstat(fd.get(), &seen) != 0) cannot("cannot look at", path);
  if (seen.st_uid != ::geteuid() && seen.st_uid != 0)
    refuse(path + " belongs to user " + std::to_string(seen.st_uid) + ", not to this program's");
  if ((seen.st_mode & kWritableByOthers) != 0 && (seen.st_mode & forgiving) == 0)
    refuse(path + " may be written by group or others");
}

}  // namespace

void Ownership::claim_directory(const std::string& path) {
  std::error_code error;
  const auto parent = std::filesystem::path(path).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (::mkdir(path.c_str(), 0750) != 0 && errno != EEXIST) cannot("cannot make directory", path);
  Fd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) cannot("not a directory of this program's own:", path);
  must_be_ours(directory, path);
  lock(path, path + kLockOfDirectory);
  // Held by whoever owns it although the lock file is another by now.
  if (::flock(directory.get(), LOCK_EX | LOCK_NB) != 0) owned_by_another(path, 0);
  held_.push_back(std::move(directory));
}

void Ownership::claim_path(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  const Fd directory(::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) cannot("cannot open directory", parent);
  must_be_ours(directory, parent, S_ISVTX);
  lock(path, path + kLockOfPath);
}

void Ownership::lock(const std::string& owned, const std::string& lock_file) {
  Fd file(::open(lock_file.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
  if (!file) cannot("cannot open", lock_file);
  must_be_ours(file, lock_file);
  struct flock wanted = whole_file();
  if (::fcntl(file.get(), F_SETLK, &wanted) != 0) {
    if (errno != EACCES && errno != EAGAIN) cannot("cannot lock", lock_file);
    struct flock holder = whole_file();
    const bool is_known = ::fcntl(file.get(), F_GETLK, &holder) == 0 && holder.l_type != F_UNLCK;
    owned_by_another(owned, is_known ? holder.l_pid : 0);
  }
  held_.push_back(std::move(file));
}

void refuse_links(const std::vector<std::string>& paths) {
  for (const auto& path : paths) {
    struct stat seen{};
    if (::lstat(path.c_str(), &seen) == 0 && !S_ISREG(seen.st_mode)) refuse(path + " is not a plain file");
  }
}

}  // namespace hft::base
