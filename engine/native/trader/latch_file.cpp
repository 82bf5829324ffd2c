// See latch_file.h.
#include "trader/latch_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>

#include "journal/crc32c.h"

namespace hft::trader {
namespace {

constexpr std::size_t kCopyBytes = 4096;
const std::string kUnreadable = "latch unreadable: ";

struct CopyHead {
  char magic[8];
  std::uint64_t generation;
  std::uint32_t length;
  std::uint32_t crc32c;  // of the text, seeded with the generation's low half
};

constexpr std::size_t kTextBytesMax = kCopyBytes - sizeof(CopyHead);

std::uint32_t crc_of(std::uint64_t generation, const char* text, std::size_t length) {
  return crc32c(static_cast<std::uint32_t>(generation), text, length);
}

std::optional<core::Latch> decode(const std::array<char, kCopyBytes>& copy, std::uint64_t& generation) {
  CopyHead head{};
  std::memcpy(&head, copy.data(), sizeof head);
  if (std::memcmp(head.magic, "HFTLATCH", 8) != 0 || head.length > kTextBytesMax) return std::nullopt;
  const char* text = copy.data() + sizeof head;
  if (crc_of(head.generation, text, head.length) != head.crc32c) return std::nullopt;
  const auto json = nlohmann::json::parse(std::string_view(text, head.length), nullptr, false);
  if (!json.is_object()) return std::nullopt;
  generation = std::max(generation, head.generation);
  return core::Latch{json.value("set", true), json.value("scope", std::string()), json.value("id", std::string()),
                     json.value("reason", std::string()), json.value("by", std::string())};
}

std::array<char, kCopyBytes> encode(const core::Latch& latch, std::uint64_t generation) {
  core::Latch shown = latch;
  shown.reason.resize(std::min<std::size_t>(shown.reason.size(), 1000));
  shown.id.resize(std::min<std::size_t>(shown.id.size(), 200));
  shown.by.resize(std::min<std::size_t>(shown.by.size(), 200));
  const std::string text = nlohmann::json{
      {"set", shown.set},
      {"scope", shown.scope},
      {"id", shown.id},
      {"reason", shown.reason},
      {"by", shown.by}}.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  std::array<char, kCopyBytes> copy{};
  const std::size_t length = std::min(text.size(), kTextBytesMax);
  CopyHead head{{'H', 'F', 'T', 'L', 'A', 'T', 'C', 'H'},
                generation,
                static_cast<std::uint32_t>(length),
                crc_of(generation, text.data(), length)};
  std::memcpy(copy.data(), &head, sizeof head);
  std::memcpy(copy.data() + sizeof head, text.data(), length);
  return copy;
}

}  // namespace

core::Latch LatchFile::read(bool first_start) {
  const core::Latch latch = look(first_start);
  // What could not be read is written down as set, or the next start might take it for a first one.
  if (latch.set && latch.reason.starts_with(kUnreadable)) write(latch);
  return latch;
}

core::Latch LatchFile::look(bool first_start) {
  const core::Latch unreadable{true, "engine", "", kUnreadable + path_, "hft-engine"};
  fd_.reset(open(path_.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
  if (!fd_ && first_start && errno == ENOENT) {
    fd_.reset(open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd_ || posix_fallocate(fd_.get(), 0, 2 * kCopyBytes) != 0 || !write({})) return unreadable;
  }
  if (!fd_) return unreadable;
  std::array<std::optional<core::Latch>, 2> copies;
  for (std::size_t i = 0; i < copies.size(); ++i) {
    std::array<char, kCopyBytes> bytes{};
    if (pread(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(i * kCopyBytes)) == kCopyBytes) {
      copies[i] = decode(bytes, generation_);
    }
  }
  for (const auto& copy : copies) {
    if (copy && copy->set) return *copy;
  }
  return copies[0] && copies[1] ? core::Latch{} : unreadable;
}

bool LatchFile::write(const core::Latch& latch) {
  if (!fd_) fd_.reset(open(path_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd_) return false;
  const auto copy = encode(latch, ++generation_);
  for (const off_t at : {off_t{0}, static_cast<off_t>(kCopyBytes)}) {
    if (pwrite(fd_.get(), copy.data(), copy.size(), at) != static_cast<ssize_t>(copy.size())) return false;
    if (fdatasync(fd_.get()) != 0) return false;
  }
  return true;
}

}  // namespace hft::trader
