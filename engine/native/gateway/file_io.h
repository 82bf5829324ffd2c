// Files that must survive a crash at any moment: an owned descriptor, whole reads, and replacement by rename.
//
// Replacing writes aside, syncs the file, renames over the old one and syncs the directory; before the last
// step returned, either the old or the new content is there after a power cut (fsync(2), rename(2)).
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace hft::gateway {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~Fd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void reset(int fd = -1) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

// Empty when all went well, else what failed.
using Failure = std::string;

inline Failure failed(std::string_view what, const std::string& path) {
  return std::string(what) + " " + path + ": " + std::strerror(errno);
}

inline std::optional<std::string> read_whole(const std::string& path) {
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return std::nullopt;
  std::string content;
  char buffer[16384];
  for (;;) {
    const auto got = ::read(file.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) return content;
    content.append(buffer, static_cast<std::size_t>(got));
  }
}

inline bool write_whole(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

inline std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

inline Failure sync_directory(const std::string& path) {
  const auto directory = directory_of(path);
  Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return failed("cannot sync directory", directory);
  return {};
}

inline Failure replace_durably(const std::string& path, std::string_view bytes) {
  const auto aside = path + ".new";
  {
    Fd file(::open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!file) return failed("cannot write", aside);
    if (!write_whole(file.get(), bytes)) return failed("cannot write", aside);
    if (::fsync(file.get()) != 0) return failed("cannot sync", aside);
  }
  if (::rename(aside.c_str(), path.c_str()) != 0) return failed("cannot rename", aside);
  return sync_directory(path);
}

}  // namespace hft::gateway
