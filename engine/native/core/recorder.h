// Input in, journal first, then the core, then what the core decided: the one way a record comes to be.
//
// The live engine and the generator of test journals both go through here, so a journal cannot hold an input that
// was applied in another order. Intents are handed to `Egress` with the journal offset behind them, for the gate.
#pragma once

#include "core/core.h"
#include "journal/ring.h"

namespace hft::core {

class IntentQueue {
 public:
  virtual ~IntentQueue() = default;
  virtual void intent(std::span<const std::byte> message, std::uint64_t journal_offset) = 0;
  // The ring is full; return once the persister may have made room. Called until it has. False: do not wait, record
  // nothing from here on (a journal with a hole could not be read).
  virtual bool ring_full() = 0;
  // The core has moved to another state.
  virtual void moved() {}
};

class Recorder : public Sink {
 public:
  Recorder(Ring& ring, IntentQueue& queue, std::uint64_t last_input_seq)
      : ring_(ring), queue_(queue), input_seq_(last_input_seq) {}

  // Numbers, journals and applies one input. The time is the caller's: the only clock reading there is.
  bool input(Core& core, Kind kind, std::span<const std::byte> payload, std::uint64_t monotonic_ns,
             std::int64_t utc_ns) {
    const bool counts = (flags_of(kind) & kInput) != 0;
    if (counts) ++input_seq_;
    const Stamp stamp{core.epoch(), input_seq_, monotonic_ns, utc_ns};
    return core.apply(append(kind, payload, stamp));
  }

  // For market data as a reference: the journal gets `ref`, the core the packet itself.
  bool input_by_reference(Core& core, std::span<const std::byte> ref, std::span<const std::byte> packet,
                          std::uint64_t monotonic_ns, std::int64_t utc_ns) {
    const Stamp stamp{core.epoch(), ++input_seq_, monotonic_ns, utc_ns};
    RecordView record = append(Kind::market_ref, ref, stamp);
    record.header.kind = static_cast<std::uint16_t>(Kind::market_full);
    record.payload = packet;
    return core.apply(record);
  }

  void emit(Kind kind, std::span<const std::byte> payload, const Stamp& stamp) override {
    append(kind, payload, stamp);
    if (kind == Kind::intent) queue_.intent(payload, ring_.shared().appended.load(std::memory_order_relaxed));
    if (kind == Kind::state) queue_.moved();
  }

  [[nodiscard]] std::uint64_t last_input_seq() const { return input_seq_; }
  // The journal ends before what was last applied.
  [[nodiscard]] bool gave_up() const { return gave_up_; }

 private:
  RecordView append(Kind kind, std::span<const std::byte> payload, const Stamp& stamp) {
    const std::uint64_t at = ring_.shared().appended.load(std::memory_order_relaxed);
    while (!gave_up_ && ring_.append(kind, payload, stamp) == 0) gave_up_ = !queue_.ring_full();
    if (!gave_up_) return view_of(at);
    RecordView unrecorded;
    unrecorded.header.kind = static_cast<std::uint16_t>(kind);
    unrecorded.header.length = static_cast<std::uint32_t>(payload.size());
    unrecorded.header.epoch = stamp.epoch;
    unrecorded.header.input_seq = stamp.input_seq;
    unrecorded.header.monotonic_ns = stamp.monotonic_ns;
    unrecorded.header.utc_ns = stamp.utc_ns;
    unrecorded.payload = payload;
    return unrecorded;
  }

  // The record as it lies in the ring. The persister only reads it, and the writer comes round long after.
  RecordView view_of(std::uint64_t at) const {
    RecordView record;
    std::memcpy(&record.header, ring_.at(at), sizeof record.header);
    record.payload = {ring_.at(at) + sizeof record.header, record.header.length};
    return record;
  }

  Ring& ring_;
  IntentQueue& queue_;
  std::uint64_t input_seq_;
  bool gave_up_ = false;
};

}  // namespace hft::core
