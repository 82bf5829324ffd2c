// Reading a journal back through the core: to go on where the last process stopped, and to prove that a run would
// decide the same again, record for record.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/core.h"
#include "journal/reader.h"

namespace hft::core {

// Brings a core to the state that the journal's records leave behind, deciding nothing. What the reader says at its
// end goes to `end`. False when a record is none that a core can have written.
bool restore(Core& core, JournalReader& reader, std::uint64_t records_max = UINT64_MAX);

// Where the messages of `market_ref` records are found again: MoldUDP64 packets by first sequence.
using MarketStore =
    std::function<std::vector<std::byte>(const std::string& session, std::uint64_t first, std::uint32_t count)>;

struct ReplayResult {
  JournalEnd end;
  std::uint64_t inputs = 0;
  std::uint64_t decisions = 0;   // intents, refusals, state moves, digests that were compared
  std::uint64_t mismatches = 0;  // recorded otherwise than decided now
  std::uint64_t unrecorded = 0;  // decided at the last inputs before a death, and not in the journal
  std::uint64_t input_seq = 0;
  std::uint64_t runs = 0;  // start records
  std::string first_mismatch;
  std::string state_digest, decision_digest;
  bool readable = true;  // false: a record the core cannot read, or market data that is not there
};

// The core is made as large as each start record says.
ReplayResult replay(const std::filesystem::path& directory, const MarketStore& store = {});

// Payload of Kind::market_ref.
struct __attribute__((packed)) MarketRef {
  char session[10];
  std::uint64_t first_sequence;
  std::uint32_t count;
  std::uint32_t crc32c;  // of the message blocks as they lie in the packet
};
static_assert(sizeof(MarketRef) == 26);

}  // namespace hft::core
