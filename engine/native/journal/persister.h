// The persister: takes records from the ring, chains them, writes them into segments, seals blocks, syncs.
//
// It runs on a housekeeping CPU. When the disk fails it says so once (`broken_errno` in the ring) and from then on
// throws records away, so that the hot thread never waits for a dead disk and a kill still works.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/digest.h"
#include "journal/ring.h"
#include "journal/segment.h"

namespace hft {

struct PersisterOptions {
  std::filesystem::path directory;
  std::uint64_t segment_bytes = 64ULL << 20;
  std::uint64_t block_bytes = 256ULL << 10;
  std::uint64_t first_segment = 1;
  std::uint64_t next_input_seq = 1;
  std::uint32_t chain_crc = 0;  // of the last record already in the files
  std::shared_ptr<base::Sha256Stream> open_block = std::make_shared<base::Sha256Stream>();  // of the reader, to go on
};

class Persister {
 public:
  Persister(Ring& ring, PersisterOptions options);
  ~Persister();
  Persister(const Persister&) = delete;
  Persister& operator=(const Persister&) = delete;

  // `on_thread` runs first in the new thread: the caller pins and names it there.
  void start(std::function<void()> on_thread = {});
  // Writes, seals and syncs what is left. True when everything appended is durable.
  bool stop();
  // One turn: false when there was nothing to do. For tests and for the thread's loop.
  bool step();
  [[nodiscard]] bool broken() const { return ring_.shared().broken_errno.load() != 0; }

 private:
  void loop(const std::function<void()>& on_thread);
  void write_available();
  std::uint64_t take_block(std::uint64_t from, std::uint64_t to);
  void chain_into_batch(const std::byte* record, std::uint64_t bytes);
  void seal();
  void flush();
  void next_segment();
  void give_up(int error) noexcept;

  Ring& ring_;
  PersisterOptions options_;
  std::unique_ptr<SegmentWriter> segment_;
  std::vector<std::byte> batch_;  // chained, not yet written
  std::uint64_t block_bytes_ = 0;
  Stamp last_{};
  std::uint64_t segment_number_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace hft
