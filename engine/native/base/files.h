// Whole files: read at once, written whole, replaced so that a crash at any moment leaves the old or the new one.
//
// Replacing writes aside, syncs the file, renames over the old one and syncs the directory; before the last
// step returned, either the old or the new content is there after a power cut (fsync(2), rename(2)).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hft::base {

// Empty when all went well, else one sentence about what failed.
using Failure = std::string;

// "WHAT PATH: reason", with the reason of the system call that just failed.
[[nodiscard]] Failure failed(std::string_view what, const std::string& path);

// A file's bytes; nothing when it cannot be read, with the reason in errno.
[[nodiscard]] std::optional<std::string> read_file(const std::string& path);

// False when not every byte could be written.
[[nodiscard]] bool write_all(int fd, std::string_view bytes);

// Makes the name of a file durable that was just made or renamed.
[[nodiscard]] Failure sync_directory_of(const std::string& path);

[[nodiscard]] Failure replace_durably(const std::string& path, std::string_view bytes);

}  // namespace hft::base
