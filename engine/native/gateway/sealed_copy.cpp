// See sealed_copy.h.
#include "gateway/sealed_copy.h"

#include <fcntl.h>

#include <algorithm>
#include <cstring>

#include "base/digest.h"
#include "base/fd.h"
#include "base/files.h"

namespace hft::gateway {

std::string seal(std::string_view magic, std::uint64_t generation, std::string payload) {
  std::string copy(magic);
  const std::uint64_t length = payload.size();
  payload.resize(kCopyPayloadBytes, '\0');
  copy.append(reinterpret_cast<const char*>(&generation), sizeof generation);
  copy.append(reinterpret_cast<const char*>(&length), sizeof length);
  const auto sum = base::sha256(copy + payload);
  copy.append(reinterpret_cast<const char*>(sum.data()), sum.size());
  return copy + payload;
}

std::optional<SealedCopy> unseal(std::string_view bytes, std::initializer_list<std::string_view> magics) {
  if (bytes.size() < kCopyBytes) return std::nullopt;
  const auto copy = bytes.substr(0, kCopyBytes);
  const auto is_here = [&](std::string_view magic) { return copy.starts_with(magic); };
  if (std::none_of(magics.begin(), magics.end(), is_here)) return std::nullopt;
  SealedCopy found;
  std::uint64_t length = 0;
  std::memcpy(&found.generation, copy.data() + 8, sizeof found.generation);
  std::memcpy(&length, copy.data() + 16, sizeof length);
  if (length > kCopyPayloadBytes) return std::nullopt;
  const auto sum = base::sha256(std::string(copy.substr(0, 24)) + std::string(copy.substr(kCopyHeaderBytes)));
  if (std::memcmp(sum.data(), copy.data() + 24, sum.size()) != 0) return std::nullopt;
  found.payload = copy.substr(kCopyHeaderBytes, length);
  return found;
}

bool put_copy(int fd, std::string_view copy, std::size_t index) {
  const auto offset = static_cast<off_t>(index * kCopyBytes);
  return ::pwrite(fd, copy.data(), copy.size(), offset) == static_cast<ssize_t>(copy.size());
}

std::string make_copies(const std::string& path, std::string_view copy) {
  const base::Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return base::failed("cannot create", path);
  const auto error = ::posix_fallocate(file.get(), 0, 2 * kCopyBytes);
  if (error != 0) return "cannot preallocate " + path + ": " + std::strerror(error);
  if (!put_copy(file.get(), copy, 0) || !put_copy(file.get(), copy, 1) || ::fsync(file.get()) != 0)
    return base::failed("cannot write", path);
  return base::sync_directory_of(path);
}

}  // namespace hft::gateway
