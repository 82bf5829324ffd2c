// Recovery to the last whole record: see reader.h.
#include "journal/reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <system_error>
#include <utility>

#include "base/fd.h"
#include "base/files.h"
#include "journal/segment.h"

namespace hft {
namespace {

std::vector<std::byte> read_whole(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) throw std::system_error(errno, std::generic_category(), path.string());
  std::vector<std::byte> bytes(static_cast<std::size_t>(in.tellg()));
  in.seekg(0);
  in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

// Length up to the last byte that is not zero: a preallocated tail is not lost, it was never written.
std::uint64_t used_bytes(std::span<const std::byte> bytes) {
  const auto last = std::find_if(bytes.rbegin(), bytes.rend(), [](std::byte b) { return b != std::byte{0}; });
  return static_cast<std::uint64_t>(bytes.rend() - last);
}

bool whole_record(std::span<const std::byte> rest, std::uint32_t chain_crc, RecordHeader& header) {
  if (rest.size() < sizeof header) return false;
  std::memcpy(&header, rest.data(), sizeof header);
  if (header.magic != kRecordMagic || header.reserved != 0 || header.length > kRecordPayloadMax) return false;
  if (rest.size() < record_bytes(header.length) || header.previous_crc != chain_crc) return false;
  const auto padding = rest.subspan(sizeof header + header.length, padded(header.length) - header.length);
  return used_bytes(padding) == 0 && record_crc(header, rest.data() + sizeof header) == header.crc32c;
}

// Looks at every place where a record could begin: its own checksum says whether one does.
std::uint64_t count_whole(std::span<const std::byte> bytes) {
  std::uint64_t count = 0;
  for (std::size_t at = 0; at + sizeof(RecordHeader) <= bytes.size();) {
    RecordHeader header{};
    std::memcpy(&header, bytes.data() + at, sizeof header);
    const bool whole = header.magic == kRecordMagic && whole_record(bytes.subspan(at), header.previous_crc, header);
    count += whole ? 1 : 0;
    at += whole ? record_bytes(header.length) : 8;
  }
  return count;
}

// Where what is cut of a segment is kept: a name that no earlier cut has.
std::filesystem::path name_of_cut(const std::filesystem::path& segment) {
  std::string name = segment.string() + ".cut";
  for (int number = 2; std::filesystem::exists(std::filesystem::symlink_status(name)); ++number)
    name = segment.string() + ".cut" + std::to_string(number);
  return name;
}

// On disk beside the segment before the segment is cut.
void keep_and_truncate(const std::filesystem::path& path, std::uint64_t size) {
  const auto bytes = read_whole(path);
  const auto kept = name_of_cut(path);
  const base::Fd file(::open(kept.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640));
  const std::string_view rest(reinterpret_cast<const char*>(bytes.data()) + size, bytes.size() - size);
  if (!file || !base::write_all(file.get(), rest) || ::fsync(file.get()) != 0 ||
      !base::sync_directory_of(kept.string()).empty())
    throw std::system_error(errno, std::generic_category(), kept.string());
  std::filesystem::resize_file(path, size);
}

}  // namespace

const char* ending_name(Ending ending) {
  static constexpr const char* names[] = {"clean", "torn", "corrupt", "refused"};
  return names[static_cast<std::size_t>(ending)];
}

std::string JournalEnd::text() const {
  std::string line = "journal " + std::string(ending_name(ending)) + ": recovered " + std::to_string(records) +
                     " records up to input " + std::to_string(last_input_seq);
  if (segment != 0) line += ", segment " + std::to_string(segment) + " byte " + std::to_string(file_offset);
  if (lost_bytes != 0) line += ", " + std::to_string(lost_bytes) + " bytes behind it are no whole record";
  return line;
}

JournalReader::JournalReader(std::filesystem::path directory) : directory_(std::move(directory)) {
  if (!std::filesystem::is_directory(directory_)) {
    throw std::system_error(ENOTDIR, std::generic_category(), directory_.string());
  }
  numbers_ = list_segments(directory_);
}

std::optional<RecordView> JournalReader::next() {
  std::optional<RecordView> record;
  while (!record && end_.ending == Ending::clean) {
    if (at_ >= file_.size() && !open_next()) break;
    if (!step(record)) break;
  }
  return record;
}

// Opens the next segment that holds anything; one that is all zeros was preallocated and never used.
bool JournalReader::open_next() {
  while (next_number_ < numbers_.size()) {
    const std::uint64_t number = numbers_[next_number_++];
    auto bytes = read_whole(segment_path(directory_, number));
    if (used_bytes(bytes) == 0) continue;
    file_ = std::move(bytes);
    at_ = 0;
    end_.segment = number;
    end_.file_offset = 0;
    return true;
  }
  return false;
}

bool JournalReader::finish(Ending ending) {
  end_.ending = ending;
  end_.lost_bytes = used_bytes(std::span(file_).subspan(at_));
  return false;
}

// No whole record here. Zeros: this segment ends and the next one, if any, continues the chain.
bool JournalReader::end_of_records() {
  if (used_bytes(std::span(file_).subspan(at_)) != 0) return finish(Ending::torn);
  at_ = file_.size();
  return true;
}

// False when reading is over; true with or without a record to show.
bool JournalReader::step(std::optional<RecordView>& out) {
  RecordHeader header{};
  const auto rest = std::span<const std::byte>(file_).subspan(at_);
  if (!whole_record(rest, end_.chain_crc, header)) return end_of_records();
  if (header.version > kRecordVersion || header.version == 0) return finish(Ending::refused);
  const bool known = is_known(header.kind);
  if (!known && (header.flags & kSkippable) == 0) return finish(Ending::refused);
  const auto payload = rest.subspan(sizeof header, header.length);
  if (contradicts(header, payload)) return finish(Ending::corrupt);
  const bool is_seal = static_cast<Kind>(header.kind) == Kind::seal;
  if (!is_seal) block_->add(rest.first(record_bytes(header.length)));
  at_ += record_bytes(header.length);
  end_.file_offset = at_;
  end_.chain_crc = header.crc32c;
  if ((header.flags & kInput) != 0) end_.last_input_seq = header.input_seq;
  if (is_seal) return true;
  end_.ring_offset += record_bytes(header.length);
  ++end_.records;
  if (known) out = RecordView{header, payload};
  else ++end_.unknown_skipped;
  return true;
}

bool JournalReader::contradicts(const RecordHeader& header, std::span<const std::byte> payload) {
  if ((header.flags & kInput) != 0 && header.input_seq != end_.last_input_seq + 1) return true;
  if (static_cast<Kind>(header.kind) != Kind::seal) return false;
  const base::Sha256 digest = block_->take();
  ++end_.seals;
  return payload.size() != digest.size() || std::memcmp(payload.data(), digest.data(), digest.size()) != 0;
}

std::uint64_t whole_records_behind(const std::filesystem::path& directory, const JournalEnd& end) {
  if (end.segment == 0) return 0;
  std::uint64_t count = 0;
  for (const std::uint64_t number : list_segments(directory)) {
    if (number < end.segment) continue;
    const auto bytes = read_whole(segment_path(directory, number));
    count += count_whole(std::span(bytes).subspan(number == end.segment ? end.file_offset : 0));
  }
  return count;
}

std::uint64_t cut_journal(const std::filesystem::path& directory, const JournalEnd& end) {
  if (end.segment == 0 || end.lost_bytes == 0) return 0;
  std::uint64_t cut = end.lost_bytes;
  for (const std::uint64_t number : list_segments(directory)) {
    if (number <= end.segment) continue;
    const auto path = segment_path(directory, number);
    cut += used_bytes(read_whole(path));
    std::filesystem::rename(path, name_of_cut(path));
  }
  keep_and_truncate(segment_path(directory, end.segment), end.file_offset);
  return cut;
}

}  // namespace hft
