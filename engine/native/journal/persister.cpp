// The persister's loop: see persister.h.
#include "journal/persister.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

namespace hft {
namespace {

constexpr std::uint64_t kSealRecordBytes = sizeof(RecordHeader) + sizeof(base::Sha256);

}  // namespace

Persister::Persister(Ring& ring, PersisterOptions options)
    : ring_(ring), options_(std::move(options)), segment_number_(options_.first_segment) {
  std::filesystem::create_directories(options_.directory);
  last_.input_seq = options_.next_input_seq - 1;
  ring_.shared().durable_input_seq.store(last_.input_seq);
  next_segment();
}

Persister::~Persister() { stop(); }

void Persister::start(std::function<void()> on_thread) {
  thread_ = std::thread([this, on_thread = std::move(on_thread)] { loop(on_thread); });
}

bool Persister::stop() {
  stopping_.store(true);
  if (thread_.joinable()) thread_.join();
  while (step()) {
  }
  if (!broken() && block_bytes_ > 0) {
    try {
      seal();
      flush();
      segment_->sync();
    } catch (const std::system_error& error) {
      give_up(error.code().value());
    }
  }
  return !broken() && ring_.shared().durable.load() == ring_.shared().appended.load();
}

void Persister::loop(const std::function<void()>& on_thread) {
  if (on_thread) on_thread();
  while (!stopping_.load(std::memory_order_relaxed)) {
    // 200 us of sleep bound what a durable level adds when the ring was idle; a sync itself takes longer.
    if (!step()) std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

bool Persister::step() {
  auto& shared = ring_.shared();
  const std::uint64_t appended = shared.appended.load(std::memory_order_acquire);
  if (appended == shared.written.load(std::memory_order_relaxed)) return false;
  if (broken()) {
    shared.written.store(appended, std::memory_order_release);
    return true;
  }
  try {
    write_available();
    segment_->sync();
    shared.durable_input_seq.store(last_.input_seq, std::memory_order_relaxed);
    shared.durable.store(shared.written.load(std::memory_order_relaxed), std::memory_order_release);
  } catch (const std::system_error& error) {
    give_up(error.code().value());
  }
  return true;
}

void Persister::write_available() {
  auto& shared = ring_.shared();
  const std::uint64_t appended = shared.appended.load(std::memory_order_acquire);
  std::uint64_t from = shared.written.load(std::memory_order_relaxed);
  while (from < appended) {
    from = take_block(from, appended);
    if (block_bytes_ >= options_.block_bytes) seal();
    flush();
    shared.written.store(from, std::memory_order_release);
  }
}

// Chains whole records up to the end of the block; what does not fit the segment goes to the next one.
std::uint64_t Persister::take_block(std::uint64_t from, std::uint64_t to) {
  while (from < to && block_bytes_ < options_.block_bytes) {
    RecordHeader header;
    std::memcpy(&header, ring_.at(from), sizeof header);
    const std::uint64_t bytes = record_bytes(header.length);
    if (batch_.size() + bytes + kSealRecordBytes > segment_->room_bytes()) next_segment();
    chain_into_batch(ring_.at(from), bytes);
    last_ = Stamp{header.epoch, header.input_seq, header.monotonic_ns, header.utc_ns};
    from += bytes;
  }
  return from;
}

void Persister::chain_into_batch(const std::byte* record, std::uint64_t bytes) {
  const std::size_t at = batch_.size();
  batch_.insert(batch_.end(), record, record + bytes);
  options_.chain_crc = chain_record(batch_.data() + at, options_.chain_crc);
  options_.open_block->add({batch_.data() + at, bytes});
  block_bytes_ += bytes;
}

void Persister::seal() {
  const base::Sha256 digest = options_.open_block->take();
  std::array<std::byte, kSealRecordBytes> record{};
  std::memcpy(record.data() + sizeof(RecordHeader), digest.data(), digest.size());
  frame_record(record.data(), Kind::seal, flags_of(Kind::seal), digest.size(), last_);
  options_.chain_crc = chain_record(record.data(), options_.chain_crc);
  batch_.insert(batch_.end(), record.begin(), record.end());
  block_bytes_ = 0;
}

void Persister::flush() {
  segment_->write(batch_);
  batch_.clear();
}

void Persister::next_segment() {
  if (segment_) {
    if (block_bytes_ > 0) seal();
    flush();
    segment_->sync();
    ++segment_number_;
  }
  segment_ = std::make_unique<SegmentWriter>(options_.directory, segment_number_, options_.segment_bytes);
  // The one after it is taken now: a disk that fills up shows a whole segment ahead.
  preallocate_segment(segment_path(options_.directory, segment_number_ + 1), options_.segment_bytes);
}

void Persister::give_up(int error) noexcept {
  auto& shared = ring_.shared();
  shared.broken_errno.store(static_cast<std::uint32_t>(error == 0 ? EIO : error));
  shared.written.store(shared.appended.load());
}

}  // namespace hft
