// Encoding and checking the two copies of the latch.
#include "gateway/latch_block.h"

#include <fcntl.h>

#include <array>
#include <cstring>
#include <optional>

#include "base/digest.h"
#include "base/words.h"
#include "gateway/json.h"

namespace hft::gateway {
namespace {

constexpr std::string_view kMagic = "HFTGATEL";
constexpr std::string_view kMagicBefore = "HFTLATCH";  // still read; an engine's file has it too, and no such sum
constexpr std::size_t kHeaderBytes = 8 + 8 + 8 + sizeof(base::Sha256);
constexpr std::size_t kIdBytesMax = 64;
constexpr std::size_t kByBytesMax = 96;

// Of bounded length, and nothing that JSON would make longer: the block has a fixed size, so what goes in must, too.
std::string bounded(std::string_view text, std::size_t bytes_max) {
  std::string plain = base::cleaned(text, bytes_max);
  for (auto& character : plain)
    if (character == '"' || character == '\\') character = '\'';
  return plain;
}

std::string encode(const Latch& latch) {
  auto entries = Json::array();
  for (const auto& entry : latch.entries())
    entries.push_back({{"scope", name_of(entry.scope)},
                       {"id", bounded(entry.id, kIdBytesMax)},
                       {"reason", bounded(entry.reason, kReasonBytesMax)},
                       {"utc_ns", entry.utc_ns},
                       {"epoch", entry.epoch},
                       {"by", bounded(entry.by, kByBytesMax)},
                       {"number", entry.number}});
  return canonical(entries);
}

std::optional<Latch> decode(std::string_view text) {
  const auto entries = Json::parse(text, nullptr, false);
  if (!entries.is_array()) return std::nullopt;
  Latch latch;
  for (const auto& entry : entries) {
    if (!entry.is_object()) return std::nullopt;
    const auto scope = scope_named(text_at(entry, "scope").value_or(""));
    const auto id = text_at(entry, "id");
    if (!scope || !id || !entry.contains("utc_ns")) return std::nullopt;
    const auto when = entry["utc_ns"].is_number_integer() ? entry["utc_ns"].get<std::int64_t>() : 0;
    const auto epoch = number_at(entry, "epoch").value_or(0);  // none: written before there was one, bars all
    latch.set({*scope, *id, text_at(entry, "reason").value_or(""), when, epoch, text_at(entry, "by").value_or(""),
               number_at(entry, "number").value_or(0)});
  }
  return latch;
}

std::string seal(const Latch& latch, std::uint64_t generation) {
  auto payload = encode(latch);
  std::string copy(kMagic);
  const std::uint64_t length = payload.size();
  payload.resize(LatchBlock::kCopyBytes - kHeaderBytes, '\0');
  copy.append(reinterpret_cast<const char*>(&generation), sizeof generation);
  copy.append(reinterpret_cast<const char*>(&length), sizeof length);
  const auto sum = base::sha256(copy + payload);
  copy.append(reinterpret_cast<const char*>(sum.data()), sum.size());
  return copy + payload;
}

struct Copy {
  std::uint64_t generation = 0;
  Latch latch;
};

std::optional<Copy> unseal(std::string_view copy) {
  if (copy.size() < LatchBlock::kCopyBytes) return std::nullopt;
  if (!copy.starts_with(kMagic) && !copy.starts_with(kMagicBefore)) return std::nullopt;
  Copy found;
  std::uint64_t length = 0;
  std::memcpy(&found.generation, copy.data() + 8, sizeof found.generation);
  std::memcpy(&length, copy.data() + 16, sizeof length);
  if (length > copy.size() - kHeaderBytes) return std::nullopt;
  const auto sum = base::sha256(std::string(copy.substr(0, 24)) + std::string(copy.substr(kHeaderBytes)));
  if (std::memcmp(sum.data(), copy.data() + 24, sum.size()) != 0) return std::nullopt;
  auto latch = decode(copy.substr(kHeaderBytes, length));
  if (!latch) return std::nullopt;
  found.latch = std::move(*latch);
  return found;
}

bool put(int fd, const std::string& copy, std::size_t index) {
  const auto offset = static_cast<off_t>(index * LatchBlock::kCopyBytes);
  return ::pwrite(fd, copy.data(), copy.size(), offset) == static_cast<ssize_t>(copy.size()) && ::fdatasync(fd) == 0;
}

}  // namespace

bool LatchBlock::keeps(const std::string& id) { return bounded(id, kIdBytesMax) == id; }

base::Failure LatchBlock::create(const std::string& path) {
  base::Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return base::failed("cannot create", path);
  const auto error = ::posix_fallocate(file.get(), 0, 2 * kCopyBytes);
  if (error != 0) return "cannot preallocate " + path + ": " + std::strerror(error);
  const auto clear = seal(Latch{}, 1);
  if (!put(file.get(), clear, 0) || !put(file.get(), clear, 1)) return base::failed("cannot write", path);
  return base::sync_directory_of(path);
}

Latch LatchBlock::open(const std::string& path, std::int64_t now_utc_ns) {
  path_ = path;
  Latch latch;
  file_ = base::Fd(::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
  if (!file_) {
    latch.unreadable(base::failed("latch block cannot be opened for writing:", path), now_utc_ns);
    return latch;
  }
  std::string bytes(2 * kCopyBytes, '\0');
  if (::pread(file_.get(), bytes.data(), bytes.size(), 0) < 0) bytes.clear();
  for (std::size_t index = 0; index < 2; ++index) {
    const auto begin = std::min(index * kCopyBytes, bytes.size());
    const auto copy = unseal(std::string_view(bytes).substr(begin, kCopyBytes));
    if (!copy) {
      latch.unreadable("latch block: copy " + std::to_string(index + 1) + " is unreadable", now_utc_ns);
      continue;
    }
    generation_ = std::max(generation_, copy->generation);
    for (const auto& entry : copy->latch.entries()) latch.set(entry);
  }
  return latch;
}

base::Failure LatchBlock::write(const Latch& latch) {
  if (!file_) file_ = base::Fd(::open(path_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file_) return base::failed("latch block cannot be opened for writing:", path_);
  const auto copy = seal(latch, ++generation_);
  if (!put(file_.get(), copy, 0) || !put(file_.get(), copy, 1)) return base::failed("cannot write", path_);
  return base::sync_directory_of(path_);
}

}  // namespace hft::gateway
