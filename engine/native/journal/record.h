// One journal record: a 64-byte little-endian header, then the payload, padded with zeros to 8 bytes.
//
// The CRC covers the header (with its own field zero) and the payload and is seeded with the CRC of the record
// before, so a record cannot be moved, dropped or changed unseen. The persister computes it, because it alone knows
// the order in the files (its own seals stand between the records of the hot thread); in the ring both CRC fields
// are zero. A reader that does not know a kind may pass it only when `skippable` is set: so N-1 reads N.
// Kinds up to 99 are the contract's (engine/contract/journal.py), from 100 on they are this engine's own.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "journal/crc32c.h"

namespace hft {

constexpr std::uint32_t kRecordMagic = 0x4A544648;  // "HFTJ" as bytes in the file
constexpr std::uint16_t kRecordVersion = 1;

enum RecordFlags : std::uint32_t { kSkippable = 1, kInput = 2 };

enum class Kind : std::uint16_t {
  start = 1,         // JSON; first record of every run, not an input
  market_full = 2,   // one MoldUDP64 packet after arbitration
  market_ref = 3,    // session, first sequence, count, CRC of the message blocks
  response = 4,      // one sequenced OUCH message
  tick = 5,          // u64 nanoseconds
  admin = 6,         // JSON {"uid":..,"request":{..}}
  limits = 7,        // the limits file's bytes
  epoch = 8,         // u64, the highest epoch from now on
  state = 9,         // JSON {"from":..,"to":..,"why":..}
  intent = 10,       // the OUCH message, before it is sent
  seal = 11,         // SHA-256 of the record bytes since the seal before; the persister's
  link = 12,         // JSON, a change of the session at the gateway
  feed = 100,        // a gap opened or closed, the feed went silent or came back
  egress = 101,      // an intent that the last gate did not let out
  refusal = 102,     // an intent that a rule refused (skippable)
  digest = 103,      // both digests at this input (skippable)
  reconciled = 104,  // what the drop copy said
};

constexpr bool is_known(std::uint16_t kind) { return (kind >= 1 && kind <= 12) || (kind >= 100 && kind <= 104); }

// Which kinds are inputs of the core is fixed, so that no caller can forget the flag.
constexpr std::uint32_t flags_of(Kind kind) {
  switch (kind) {
    case Kind::start:
    case Kind::state:
    case Kind::intent: return 0;
    case Kind::seal:
    case Kind::refusal:
    case Kind::digest: return kSkippable;
    default: return kInput;
  }
}

struct RecordHeader {
  std::uint32_t magic;
  std::uint16_t version;
  std::uint16_t kind;
  std::uint32_t flags;
  std::uint32_t length;
  std::uint64_t epoch;
  std::uint64_t input_seq;
  std::uint64_t monotonic_ns;
  std::int64_t utc_ns;
  std::uint32_t previous_crc;
  std::uint32_t crc32c;
  std::uint64_t reserved;
};
static_assert(sizeof(RecordHeader) == 64);

// What a record says about when and under whom it was made; the core takes time from here only.
struct Stamp {
  std::uint64_t epoch = 0;
  std::uint64_t input_seq = 0;
  std::uint64_t monotonic_ns = 0;
  std::int64_t utc_ns = 0;
};

struct RecordView {
  RecordHeader header{};
  std::span<const std::byte> payload;

  [[nodiscard]] Kind kind() const { return static_cast<Kind>(header.kind); }
};

constexpr std::uint32_t padded(std::uint32_t length) { return (length + 7U) & ~7U; }
constexpr std::uint32_t kRecordPayloadMax = 16U << 20;  // larger is a broken length, not a record

inline std::uint64_t record_bytes(std::uint32_t length) { return sizeof(RecordHeader) + padded(length); }

inline std::uint32_t record_crc(RecordHeader header, const void* payload) {
  header.crc32c = 0;
  const std::uint32_t over_header = crc32c(header.previous_crc, &header, sizeof header);
  return crc32c(over_header, payload, header.length);
}

// Puts header and padding around a payload that already lies behind the header; both CRC fields stay zero.
inline void frame_record(std::byte* out, Kind kind, std::uint32_t flags, std::uint32_t length, const Stamp& stamp) {
  const RecordHeader header{kRecordMagic,
                            kRecordVersion,
                            static_cast<std::uint16_t>(kind),
                            flags,
                            length,
                            stamp.epoch,
                            stamp.input_seq,
                            stamp.monotonic_ns,
                            stamp.utc_ns,
                            0,
                            0,
                            0};
  std::memcpy(out, &header, sizeof header);
  std::memset(out + sizeof header + length, 0, padded(length) - length);
}

// Chains a framed record; returns its CRC, which the next one needs.
inline std::uint32_t chain_record(std::byte* record, std::uint32_t previous_crc) {
  RecordHeader header;
  std::memcpy(&header, record, sizeof header);
  header.previous_crc = previous_crc;
  header.crc32c = record_crc(header, record + sizeof header);
  std::memcpy(record, &header, sizeof header);
  return header.crc32c;
}

template <class T>
std::span<const std::byte> bytes_of(const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  return std::as_bytes(std::span<const T, 1>(&value, 1));
}

// Copies a fixed-size payload out; false when the record is shorter (a broken writer, never wire data).
template <class T>
bool payload_as(const RecordView& record, T& out) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (record.payload.size() < sizeof(T)) return false;
  std::memcpy(&out, record.payload.data(), sizeof(T));
  return true;
}

}  // namespace hft
