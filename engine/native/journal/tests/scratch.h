// Scratch directories and a journal written in one go, for the tests of this folder.
#pragma once

#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "journal/persister.h"
#include "journal/reader.h"
#include "journal/ring.h"

namespace hft::test {

class Scratch {
 public:
  Scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "hft-journal-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Scratch() { std::filesystem::remove_all(path_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::vector<std::byte> payload_of(std::uint64_t seq) {
  std::vector<std::byte> bytes(8 + seq % 61);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(seq * 31 + i * 7 + 1);
  return bytes;
}

inline std::uint64_t append_input(Ring& ring, std::uint64_t seq) {
  const auto payload = payload_of(seq);
  return ring.append(Kind::tick, payload, Stamp{3, seq, seq * 1000, static_cast<std::int64_t>(seq) * 1000});
}

inline PersisterOptions small_segments(const std::filesystem::path& directory) {
  return {.directory = directory, .segment_bytes = 16384, .block_bytes = 4096};
}

// Writes inputs 1..count through a ring and a persister, as the engine does.
inline void write_journal(const std::filesystem::path& directory, std::uint64_t count) {
  Ring ring = Ring::create(1 << 16);
  Persister persister(ring, small_segments(directory));
  for (std::uint64_t seq = 1; seq <= count; ++seq) {
    while (append_input(ring, seq) == 0) persister.step();
  }
  persister.stop();
}

inline std::vector<std::uint64_t> read_inputs(JournalReader& reader) {
  std::vector<std::uint64_t> seen;
  while (const auto record = reader.next()) {
    const auto expected = payload_of(record->header.input_seq);
    if (record->payload.size() != expected.size() ||
        std::memcmp(record->payload.data(), expected.data(), expected.size()) != 0) {
      seen.push_back(0);
    }
    seen.push_back(record->header.input_seq);
  }
  return seen;
}

}  // namespace hft::test
