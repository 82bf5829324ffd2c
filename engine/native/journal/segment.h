// One preallocated segment file, being written. Zeros behind the last record mean "nothing more was written".
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace hft {

std::filesystem::path segment_path(const std::filesystem::path& directory, std::uint64_t number);
// Numbers of the segment files in a directory, rising; empty when there is none.
std::vector<std::uint64_t> list_segments(const std::filesystem::path& directory);
// Creates the file and takes its blocks from the file system now, so that a full disk shows before the write.
void preallocate_segment(const std::filesystem::path& path, std::uint64_t bytes);

class SegmentWriter {
 public:
  // Opens, preallocating if need be. Throws std::system_error, as everything here that meets the disk.
  SegmentWriter(const std::filesystem::path& directory, std::uint64_t number, std::uint64_t bytes);
  ~SegmentWriter();
  SegmentWriter(const SegmentWriter&) = delete;
  SegmentWriter& operator=(const SegmentWriter&) = delete;

  [[nodiscard]] std::uint64_t room_bytes() const { return position_ < bytes_ ? bytes_ - position_ : 0; }
  void write(std::span<const std::byte> records);
  void sync();

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  std::uint64_t bytes_;
  std::uint64_t position_ = 0;
};

}  // namespace hft
