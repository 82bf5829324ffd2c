// Encoding and checking the two copies of the latch.
#include "gateway/latch_block.h"

#include <array>
#include <cstring>
#include <optional>

#include "gateway/digest.h"
#include "gateway/json.h"

namespace hft::gateway {
namespace {

constexpr std::string_view MAGIC = "HFTLATCH";
constexpr std::size_t HEADER_BYTES = 8 + 8 + 8 + SHA256_DIGEST_LENGTH;
constexpr std::size_t ID_BYTES_MAX = 64;
constexpr std::size_t REASON_BYTES_MAX = 160;

// Plain printable text of bounded length: the block has a fixed size, so what goes in must have one as well.
std::string bounded(std::string_view text, std::size_t bytes_max) {
  std::string plain(text.substr(0, bytes_max));
  for (auto& character : plain)
    if (character < ' ' || character > '~') character = '?';
  return plain;
}

std::string encode(const Latch& latch) {
  auto entries = Json::array();
  for (const auto& entry : latch.entries())
    entries.push_back({{"scope", name_of(entry.scope)},
                       {"id", bounded(entry.id, ID_BYTES_MAX)},
                       {"reason", bounded(entry.reason, REASON_BYTES_MAX)},
                       {"utc_ns", entry.utc_ns},
                       {"epoch", entry.epoch}});
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
    latch.set({*scope, *id, text_at(entry, "reason").value_or(""), when, epoch});
  }
  return latch;
}

std::string seal(const Latch& latch, std::uint64_t generation) {
  auto payload = encode(latch);
  std::string copy(MAGIC);
  const std::uint64_t length = payload.size();
  payload.resize(LatchBlock::COPY_BYTES - HEADER_BYTES, '\0');
  copy.append(reinterpret_cast<const char*>(&generation), sizeof generation);
  copy.append(reinterpret_cast<const char*>(&length), sizeof length);
  const auto sum = sha256(copy + payload);
  copy.append(reinterpret_cast<const char*>(sum.data()), sum.size());
  return copy + payload;
}

struct Copy {
  std::uint64_t generation = 0;
  Latch latch;
};

std::optional<Copy> unseal(std::string_view copy) {
  if (copy.size() < LatchBlock::COPY_BYTES || copy.substr(0, MAGIC.size()) != MAGIC) return std::nullopt;
  Copy found;
  std::uint64_t length = 0;
  std::memcpy(&found.generation, copy.data() + 8, sizeof found.generation);
  std::memcpy(&length, copy.data() + 16, sizeof length);
  if (length > copy.size() - HEADER_BYTES) return std::nullopt;
  const auto sum = sha256(std::string(copy.substr(0, 24)) + std::string(copy.substr(HEADER_BYTES)));
  if (std::memcmp(sum.data(), copy.data() + 24, sum.size()) != 0) return std::nullopt;
  auto latch = decode(copy.substr(HEADER_BYTES, length));
  if (!latch) return std::nullopt;
  found.latch = std::move(*latch);
  return found;
}

bool put(int fd, const std::string& copy, std::size_t index) {
  const auto offset = static_cast<off_t>(index * LatchBlock::COPY_BYTES);
  return ::pwrite(fd, copy.data(), copy.size(), offset) == static_cast<ssize_t>(copy.size()) && ::fdatasync(fd) == 0;
}

}  // namespace

Failure LatchBlock::create(const std::string& path) {
  Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return failed("cannot create", path);
  const auto error = ::posix_fallocate(file.get(), 0, 2 * COPY_BYTES);
  if (error != 0) return "cannot preallocate " + path + ": " + std::strerror(error);
  const auto clear = seal(Latch{}, 1);
  if (!put(file.get(), clear, 0) || !put(file.get(), clear, 1)) return failed("cannot write", path);
  return sync_directory(path);
}

Latch LatchBlock::open(const std::string& path, std::int64_t now_utc_ns) {
  path_ = path;
  Latch latch;
  file_ = Fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!file_) {
    latch.unreadable(failed("latch block cannot be opened for writing:", path), now_utc_ns);
    return latch;
  }
  std::string bytes(2 * COPY_BYTES, '\0');
  if (::pread(file_.get(), bytes.data(), bytes.size(), 0) < 0) bytes.clear();
  for (std::size_t index = 0; index < 2; ++index) {
    const auto begin = std::min(index * COPY_BYTES, bytes.size());
    const auto copy = unseal(std::string_view(bytes).substr(begin, COPY_BYTES));
    if (!copy) {
      latch.unreadable("latch block: copy " + std::to_string(index + 1) + " is unreadable", now_utc_ns);
      continue;
    }
    generation_ = std::max(generation_, copy->generation);
    for (const auto& entry : copy->latch.entries()) latch.set(entry);
  }
  return latch;
}

Failure LatchBlock::write(const Latch& latch) {
  if (!file_) file_ = Fd(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file_) return failed("latch block cannot be opened for writing:", path_);
  const auto copy = seal(latch, ++generation_);
  if (!put(file_.get(), copy, 0) || !put(file_.get(), copy, 1)) return failed("cannot write", path_);
  return sync_directory(path_);
}

}  // namespace hft::gateway
