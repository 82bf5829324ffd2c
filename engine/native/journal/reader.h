// Reads a journal directory back, record by record, and says exactly where and why it ended.
//
// A record that is not whole, or whose checksum is wrong, ends the journal there: what follows never happened.
// `cut` makes that so on disk before a new process goes on writing; it keeps what it cuts in a file beside.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.h"
#include "journal/record.h"

namespace hft {

enum class Ending : std::uint8_t {
  clean,    // zeros or the end of the file behind the last record
  torn,     // the next record is not whole or fails its checksum; everything before it stands
  corrupt,  // whole by its checksum, but its seal or its input number contradicts what was read
  refused,  // another version, or a critical kind that this reader does not know
};

struct JournalEnd {
  Ending ending = Ending::clean;
  std::uint64_t records = 0;  // without seals
  std::uint64_t last_input_seq = 0;
  std::uint64_t ring_offset = 0;  // what the ring counted up to here
  std::uint32_t chain_crc = 0;
  std::uint64_t segment = 0;      // where it ended; 0 when there is none
  std::uint64_t file_offset = 0;  // in that segment, behind the last whole record
  std::uint64_t lost_bytes = 0;   // behind it, up to the last byte that is not zero
  std::uint64_t seals = 0;
  std::uint64_t unknown_skipped = 0;

  [[nodiscard]] std::string text() const;
};

const char* ending_name(Ending ending);

class JournalReader {
 public:
  // Throws std::system_error when the directory or a file in it cannot be read.
  explicit JournalReader(std::filesystem::path directory);

  // The next record of a known kind, without seals; the view holds until the next call. nullopt at the end.
  std::optional<RecordView> next();
  [[nodiscard]] const JournalEnd& end() const { return end_; }
  // The digest of what stands behind the last seal: whoever continues the journal seals it with its first block.
  [[nodiscard]] std::shared_ptr<base::Sha256Stream> open_block() const { return block_; }

 private:
  bool open_next();
  bool step(std::optional<RecordView>& out);
  bool contradicts(const RecordHeader& header, std::span<const std::byte> payload);
  bool end_of_records();
  bool finish(Ending ending);

  std::filesystem::path directory_;
  std::vector<std::uint64_t> numbers_;
  std::size_t next_number_ = 0;
  std::vector<std::byte> file_;
  std::uint64_t at_ = 0;
  std::shared_ptr<base::Sha256Stream> block_ = std::make_shared<base::Sha256Stream>();
  JournalEnd end_;
};

// Records behind a torn end that are whole by themselves, wherever they lie. A process that dies in a write leaves
// none; where there are some, the journal was damaged in its middle (or a power cut took a page and left the next).
std::uint64_t whole_records_behind(const std::filesystem::path& directory, const JournalEnd& end);

// Cuts the journal behind its last whole record. Nothing to do after a clean end; the bytes cut off, and segments
// behind them, are kept as `*.cut`. Returns the number of bytes cut off.
std::uint64_t cut_journal(const std::filesystem::path& directory, const JournalEnd& end);

}  // namespace hft
