// The kill latch of the gateway: which scopes are stopped, by whom, why. Pure; the block on disk is latch_block.h.
//
// A latch stops what opens risk (new orders, replaces, re-enabling) and lets pass what closes it (cancels,
// reductions, queries). An unreadable latch block means that everything is stopped: see `unreadable`.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hft::gateway {

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
  std::uint64_t epoch = 0;  // the highest when it was set: a newer claim is a promotion after the kill

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
  // What fits the preallocated block; one more becomes a site latch, because a kill is never turned away.
  static constexpr std::size_t ENTRIES_MAX = 24;

  const std::vector<LatchEntry>& entries() const { return entries_; }
  bool is_clear() const { return entries_.empty(); }

  void set(LatchEntry entry) {
    auto same = [&](const LatchEntry& old) { return old.scope == entry.scope && old.id == entry.id; };
    if (std::any_of(entries_.begin(), entries_.end(), same)) return;  // the first reason stays
    if (entries_.size() >= ENTRIES_MAX) {
      entries_.back() = {Scope::site, "", "more latches than the block holds", entry.utc_ns};
      return;
    }
    entries_.push_back(std::move(entry));
  }

  void unreadable(std::string reason, std::int64_t utc_ns) { set({Scope::site, "", std::move(reason), utc_ns}); }

  // Removes everything: an operator who clears a latch has looked at all of it.
  void clear() { entries_.clear(); }

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
  std::vector<LatchEntry> entries_;
};

}  // namespace hft::gateway
