// The kill latch of the gateway: which scopes are stopped, by whom, why. Pure; the block on disk is latch_block.h.
//
// A latch stops what opens risk (new orders, replaces, re-enabling) and lets pass what closes it (cancels,
// reductions, queries). An unreadable latch block means that everything is stopped: see `unreadable`.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hft::gateway {

// Of a reason or a name that goes into the latch, cut at a whole character.
inline constexpr std::size_t kReasonBytesMax = 160;

enum class Scope : std::uint8_t { engine = 1, strategy = 2, account = 3, site = 4 };

inline std::string_view name_of(Scope scope) {
  switch (scope) {
    case Scope::engine: return "engine";
    case Scope::strategy: return "strategy";
    case Scope::account: return "account";
    case Scope::site: return "site";
  }
  return "site";
}

inline std::optional<Scope> scope_named(std::string_view name) {
  for (auto scope : {Scope::engine, Scope::strategy, Scope::account, Scope::site})
    if (name_of(scope) == name) return scope;
  return std::nullopt;
}

struct LatchEntry {
  Scope scope = Scope::site;
  std::string id;  // HOST/SLOT, strategy or account; empty for the site
  std::string reason;
  std::int64_t utc_ns = 0;
  std::uint64_t epoch = 0;   // the highest when it was set: a newer claim is a promotion after the kill
  std::string by = {};       // who the kernel says that asked, and what was odd about the asking
  std::uint64_t number = 0;  // names it for the one who clears it; given when it is set

  bool operator==(const LatchEntry&) const = default;
};

// Who a message comes from, in the words of the scopes.
struct Origin {
  std::string_view engine;
  std::string_view strategy;
  std::string_view account;
};

class Latch {
 public:
  // What fits the preallocated block. What is more becomes one site latch behind them, because a kill is never turned
  // away, and takes nobody's place.
  static constexpr std::size_t kEntriesMax = 24;
  static constexpr std::string_view kTooMany = "more latches than the block holds";

  const std::vector<LatchEntry>& entries() const { return entries_; }
  bool is_clear() const { return entries_.empty(); }

  // Returns the number it has; the same kill by the same one for the same reason is one entry.
  std::uint64_t set(LatchEntry entry) {
    if (const auto number = number_of(entry); number != 0) return number;
    if (entries_.size() >= kEntriesMax) {
      entry = {Scope::site, "", std::string(kTooMany), entry.utc_ns, entry.epoch};
      if (const auto number = number_of(entry); number != 0) return number;
    }
    const auto is_given = [&](const LatchEntry& old) { return old.number == entry.number; };
    if (entry.number == 0 || std::any_of(entries_.begin(), entries_.end(), is_given)) entry.number = last_number_ + 1;
    last_number_ = std::max(last_number_, entry.number);
    entries_.push_back(std::move(entry));
    return entries_.back().number;
  }

  void unreadable(std::string reason, std::int64_t utc_ns) {
    set({Scope::site, "", std::move(reason), utc_ns, 0, "hft-gateway"});
  }

  // Removes what is named and leaves all others. False, and nothing is removed, when one is not there.
  bool clear(const std::vector<std::uint64_t>& numbers) {
    const auto is_named = [&](const LatchEntry& entry) {
      return std::find(numbers.begin(), numbers.end(), entry.number) != numbers.end();
    };
    const auto is_here = [&](std::uint64_t number) {
      return std::any_of(entries_.begin(), entries_.end(), [&](const auto& entry) { return entry.number == number; });
    };
    if (!std::all_of(numbers.begin(), numbers.end(), is_here)) return false;
    std::erase_if(entries_, is_named);
    return true;
  }

  bool stops(const Origin& origin) const {
    for (const auto& entry : entries_)
      if (matches(entry, origin)) return true;
    return false;
  }

  // An engine of the epoch that was stopped may come back to hear what happened; a promoted one may not.
  bool bars_promotion(const Origin& origin, std::uint64_t epoch) const {
    for (const auto& entry : entries_)
      if (matches(entry, origin) && epoch > entry.epoch) return true;
    return false;
  }

  static bool matches(const LatchEntry& entry, const Origin& origin) {
    switch (entry.scope) {
      case Scope::engine: return entry.id == origin.engine;
      case Scope::strategy: return entry.id == origin.strategy;
      case Scope::account: return entry.id == origin.account;
      case Scope::site: return true;
    }
    return true;
  }

 private:
  // Of the same kill by the same one for the same reason; 0 when there is none.
  std::uint64_t number_of(const LatchEntry& entry) const {
    for (const auto& old : entries_)
      if (old.scope == entry.scope && old.id == entry.id && old.by == entry.by && old.reason == entry.reason)
        return old.number;
    return 0;
  }

  std::vector<LatchEntry> entries_;
  std::uint64_t last_number_ = 0;
};

}  // namespace hft::gateway
