// Plain pwrite into space taken beforehand: see segment.h.
#include "journal/segment.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <string>
#include <string_view>
#include <system_error>

namespace hft {
namespace {

constexpr std::string_view kPrefix = "journal-";
constexpr std::string_view kSuffix = ".hftj";

[[noreturn]] void fail(const std::filesystem::path& path, const char* what, int error) {
  throw std::system_error(error, std::generic_category(), path.string() + ": " + what);
}

}  // namespace

std::filesystem::path segment_path(const std::filesystem::path& directory, std::uint64_t number) {
  std::array<char, 32> name{};
  std::snprintf(name.data(), name.size(), "journal-%08llu.hftj", static_cast<unsigned long long>(number));
  return directory / name.data();
}

std::vector<std::uint64_t> list_segments(const std::filesystem::path& directory) {
  std::vector<std::uint64_t> numbers;
  if (!std::filesystem::is_directory(directory)) return numbers;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) continue;
    std::uint64_t number = 0;
    const char* begin = name.data() + kPrefix.size();
    const char* end = name.data() + name.size() - kSuffix.size();
    if (const auto [stop, error] = std::from_chars(begin, end, number); error == std::errc{} && stop == end) {
      numbers.push_back(number);
    }
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

void preallocate_segment(const std::filesystem::path& path, std::uint64_t bytes) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
  if (fd < 0) fail(path, "open", errno);
  const int error = posix_fallocate(fd, 0, static_cast<off_t>(bytes));
  close(fd);
  if (error != 0) fail(path, "posix_fallocate", error);
}

SegmentWriter::SegmentWriter(const std::filesystem::path& directory, std::uint64_t number, std::uint64_t bytes)
    : path_(segment_path(directory, number)), bytes_(bytes) {
  preallocate_segment(path_, bytes);
  fd_ = open(path_.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd_ < 0) fail(path_, "open", errno);
}

SegmentWriter::~SegmentWriter() {
  if (fd_ >= 0) close(fd_);
}

void SegmentWriter::write(std::span<const std::byte> records) {
  std::size_t done = 0;
  while (done < records.size()) {
    const ssize_t wrote =
        pwrite(fd_, records.data() + done, records.size() - done, static_cast<off_t>(position_ + done));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) fail(path_, "write", wrote < 0 ? errno : ENOSPC);
    done += static_cast<std::size_t>(wrote);
  }
  position_ += records.size();
}

void SegmentWriter::sync() {
  if (fdatasync(fd_) != 0) fail(path_, "fdatasync", errno);
}

}  // namespace hft
