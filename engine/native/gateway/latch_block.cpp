// Encoding and checking the two copies of the latch.
#include "gateway/latch_block.h"

#include <fcntl.h>

#include <algorithm>
#include <optional>

#include "base/words.h"
#include "gateway/json.h"
#include "gateway/sealed_copy.h"

namespace hft::gateway {
namespace {

constexpr std::string_view kMagic = "HFTGATEL";
constexpr std::string_view kMagicBefore = "HFTLATCH";  // still read; an engine's file has it too, and no such sum
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

// A write syncs each copy before it begins the next, so that at most one of them is ever torn.
bool put(int fd, const std::string& copy, std::size_t index) {
  return put_copy(fd, copy, index) && ::fdatasync(fd) == 0;
}

struct Copy {
  std::uint64_t generation = 0;
  Latch latch;
};

std::optional<Copy> latch_in(std::string_view bytes) {
  const auto copy = unseal(bytes, {kMagic, kMagicBefore});
  auto latch = copy ? decode(copy->payload) : std::nullopt;
  return latch ? std::optional(Copy{copy->generation, std::move(*latch)}) : std::nullopt;
}

}  // namespace

bool LatchBlock::keeps(const std::string& id) { return bounded(id, kIdBytesMax) == id; }

base::Failure LatchBlock::create(const std::string& path) {
  return make_copies(path, seal(kMagic, 1, encode(Latch{})));
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
    const auto copy = latch_in(std::string_view(bytes).substr(begin, kCopyBytes));
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
  const auto copy = seal(kMagic, ++generation_, encode(latch));
  if (!put(file_.get(), copy, 0) || !put(file_.get(), copy, 1)) return base::failed("cannot write", path_);
  return base::sync_directory_of(path_);
}

}  // namespace hft::gateway
