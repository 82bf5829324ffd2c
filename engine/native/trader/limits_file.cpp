// See limits_file.h.
#include "trader/limits_file.h"

#include "base/files.h"
#include "base/signature.h"
#include "core/documents.h"
#include "core/limits_schema.h"

namespace hft::trader {
namespace {

constexpr std::size_t kLimitsBytesMax = 60'000;

}  // namespace

std::variant<LimitsBytes, std::string> read_limits(const std::string& path, const std::string& allowed_signers) {
  auto bytes = base::read_file(path);
  if (!bytes) return path + ": cannot be read";
  if (bytes->size() > kLimitsBytesMax) return path + ": larger than 60,000 bytes";
  auto signature = base::read_file(path + ".sig").value_or("");
  return LimitsBytes{*bytes, {allowed_signers, "limits", "hft-limits", *bytes, std::move(signature)}};
}

std::variant<LimitsFile, std::string> judge_limits(const std::string& path, std::string bytes, bool is_signed,
                                                   const LimitsSeen& seen, std::int64_t utc_ns) {
  if (!is_signed) return path + ": no good signature of `limits`";
  std::string why;
  auto limits = core::parse_limits(bytes, &why);
  if (limits) why = core::limits_fault(*limits);
  if (!why.empty()) return path + ": " + why;
  if (limits->not_after_utc_ns <= utc_ns) return path + ": expired";
  const std::string serial = std::to_string(limits->serial);
  if (limits->serial < seen.serial) return path + ": serial " + serial + " is below " + std::to_string(seen.serial);
  if (limits->serial == seen.serial && limits->digest != seen.digest) {
    return path + ": serial " + serial + " was seen with other bytes";
  }
  return LimitsFile{std::move(bytes), std::move(*limits)};
}

std::variant<LimitsFile, std::string> load_limits(const std::string& path, const std::string& allowed_signers,
                                                  const LimitsSeen& seen, std::int64_t utc_ns) {
  auto read = read_limits(path, allowed_signers);
  if (auto* why = std::get_if<std::string>(&read)) return std::move(*why);
  auto& found = std::get<LimitsBytes>(read);
  const bool is_signed = base::is_signed(found.claim);
  return judge_limits(path, std::move(found.bytes), is_signed, seen, utc_ns);
}

}  // namespace hft::trader
