// Replay and restore: see replay.h.
#include "core/replay.h"

#include <cstring>

#include "core/documents.h"
#include "wire/mold.h"

namespace hft::core {
namespace {

struct Decided {
  Kind kind;
  std::vector<std::byte> payload;
};

// Holds what the core decides until the journal shows what was decided.
class Compare : public Sink {
 public:
  void emit(Kind kind, std::span<const std::byte> payload, const Stamp&) override {
    waiting_.push_back({kind, {payload.begin(), payload.end()}});
  }

  void check(const RecordView& record, ReplayResult& result) {
    ++result.decisions;
    const bool same = !waiting_.empty() && waiting_.front().kind == record.kind() &&
                      waiting_.front().payload.size() == record.payload.size() &&
                      std::equal(record.payload.begin(), record.payload.end(), waiting_.front().payload.begin());
    if (!waiting_.empty()) waiting_.pop_front();
    if (same) return;
    if (result.mismatches++ == 0) {
      result.first_mismatch = "kind " + std::to_string(record.header.kind) + " at input " +
                              std::to_string(record.header.input_seq) + " was decided otherwise";
    }
  }

  // Decisions that no record followed: legitimate only where a process ended.
  std::size_t take_waiting() {
    const std::size_t count = waiting_.size();
    waiting_.clear();
    return count;
  }

 private:
  std::deque<Decided> waiting_;
};

bool is_decision(Kind kind) {
  return kind == Kind::intent || kind == Kind::refusal || kind == Kind::state || kind == Kind::digest;
}

// The packet a `market_ref` stands for, checked against its CRC.
std::vector<std::byte> packet_of(const RecordView& record, const MarketStore& store) {
  MarketRef ref{};
  if (!store || !payload_as(record, ref)) return {};
  auto packet = store(std::string(ref.session, sizeof ref.session), ref.first_sequence, ref.count);
  if (packet.size() < mold::kHeaderBytes) return {};
  const auto blocks = std::span(packet).subspan(mold::kHeaderBytes);
  if (crc32c(0, blocks.data(), blocks.size()) != ref.crc32c) return {};
  return packet;
}

bool apply_input(Core& core, RecordView record, const MarketStore& store) {
  if (record.kind() != Kind::market_ref) return core.apply(record);
  const auto packet = packet_of(record, store);
  if (packet.empty()) return false;
  record.header.kind = static_cast<std::uint16_t>(Kind::market_full);
  record.payload = packet;
  return core.apply(record);
}

std::unique_ptr<Core> core_for(const RecordView& start, Sink& sink) {
  const auto* text = reinterpret_cast<const char*>(start.payload.data());
  const auto config = parse_start_record({text, start.payload.size()}).value_or(CoreConfig{});
  return std::make_unique<Core>(sink, book_limits_of(config));
}

}  // namespace

bool restore(Core& core, JournalReader& reader, std::uint64_t records_max) {
  for (std::uint64_t done = 0; done < records_max; ++done) {
    const auto record = reader.next();
    if (!record) return true;
    if (!core.adopt(*record)) return false;
  }
  return true;
}

ReplayResult replay(const std::filesystem::path& directory, const MarketStore& store) {
  ReplayResult result;
  Compare compare;
  auto core = std::make_unique<Core>(compare, book::Limits{.orders_max = 1, .levels_max = 1, .locates = 1});
  JournalReader reader(directory);
  std::uint64_t shown = 0;
  for (auto record = reader.next(); record && result.readable; record = reader.next(), ++shown) {
    if (record->kind() == Kind::start) {
      result.unrecorded += compare.take_waiting();
      // A process that starts again knows only what was recorded: so does its replay.
      ++result.runs;
      core = core_for(*record, compare);
      JournalReader again(directory);
      result.readable = restore(*core, again, shown);
      result.readable = result.readable && core->apply(*record);
    } else if (is_decision(record->kind())) {
      compare.check(*record, result);
    } else {
      ++result.inputs;
      result.mismatches += compare.take_waiting();
      result.readable = apply_input(*core, *record, store);
    }
  }
  result.end = reader.end();
  result.unrecorded += compare.take_waiting();
  result.input_seq = result.end.last_input_seq;
  result.state_digest = core->state_digest();
  result.decision_digest = core->decision_digest();
  return result;
}

}  // namespace hft::core
