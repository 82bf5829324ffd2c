// Writes the directory once; from then on values alone change.
#include "base/page_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "base/files.h"

namespace hft::base {
namespace {

constexpr std::size_t kDirectory = 4096;
constexpr std::size_t kValues = 16384;

struct Entry {
  char name[48];
  std::uint32_t type;
  char unit[12];
  std::uint64_t offset;
  std::uint32_t writer;
  std::uint32_t count;
};
static_assert(sizeof(Entry) == 80);
constexpr std::size_t kRowsMax = (kValues - kDirectory) / sizeof(Entry);

std::uint64_t own_start_time() {
  const std::string stat = read_file("/proc/self/stat").value_or("");
  // Field 22; the second field, the name, may hold spaces but ends at the last parenthesis (proc(5)).
  std::size_t at = stat.rfind(')');
  for (int field = 2; field < 22 && at != std::string::npos; ++field) at = stat.find(' ', at + 1);
  return at == std::string::npos ? 0 : std::stoull(stat.substr(at + 1));
}

template <class T>
void put(char* page, std::size_t offset, const T& value) {
  std::memcpy(page + offset, &value, sizeof value);
}

std::size_t values_of(const std::vector<PageRow>& rows) {
  std::size_t count = 0;
  for (const auto& row : rows) count += row.count;
  return count;
}

[[noreturn]] void fail(int error, const std::string& path) {
  throw std::system_error(error, std::generic_category(), path);
}

}  // namespace

PageFile::PageFile(const std::string& path, const std::vector<PageRow>& rows)
    : rows_(rows.size()), bytes_(kValues + 8 * values_of(rows)) {
  if (rows_ > kRowsMax) fail(E2BIG, path);
  const std::string aside = path + ".new";
  unlink(aside.c_str());
  const int fd = open(aside.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) fail(errno, aside);
  const auto size = static_cast<off_t>(bytes_);
  const int error = posix_fallocate(fd, 0, size);
  void* page =
      error == 0 ? mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0) : MAP_FAILED;
  const int why = error != 0 ? error : errno;
  close(fd);
  if (page == MAP_FAILED) fail(why, path);
  page_ = static_cast<char*>(page);
  write_header(rows_);
  write_directory(rows);
  // Whoever reads the magic finds everything else in place.
  std::uint32_t magic = 0;
  std::memcpy(&magic, "HFTM", sizeof magic);
  std::atomic_ref(*reinterpret_cast<std::uint32_t*>(page_)).store(magic, std::memory_order_release);
  if (rename(aside.c_str(), path.c_str()) != 0) {
    const int refused = errno;
    munmap(page_, bytes_);
    fail(refused, path);
  }
}

PageFile::~PageFile() { munmap(page_, bytes_); }

void PageFile::write_header(std::size_t rows) {
  std::string boot_id = read_file("/proc/sys/kernel/random/boot_id").value_or("");
  boot_id.resize(36);
  put(page_, 4, std::uint32_t{1});
  std::memcpy(page_ + 8, boot_id.data(), 36);
  put(page_, 44, static_cast<std::uint32_t>(getpid()));
  put(page_, 48, static_cast<std::uint32_t>(rows));
  put(page_, 56, own_start_time());
}

void PageFile::write_directory(const std::vector<PageRow>& rows) {
  std::size_t offset = kValues;
  for (std::size_t at = 0; at < rows.size(); ++at) {
    Entry entry{};
    std::strncpy(entry.name, rows[at].name.c_str(), sizeof entry.name - 1);
    std::strncpy(entry.unit, rows[at].unit.c_str(), sizeof entry.unit - 1);
    entry.type = static_cast<std::uint32_t>(rows[at].type);
    entry.offset = offset;
    entry.count = static_cast<std::uint32_t>(rows[at].count);
    put(page_, kDirectory + at * sizeof entry, entry);
    offset += 8 * rows[at].count;
  }
}

void PageFile::set_writer(std::uint32_t thread_id) {
  for (std::size_t at = 0; at < rows_; ++at)
    put(page_, kDirectory + at * sizeof(Entry) + offsetof(Entry, writer), thread_id);
}

void PageFile::heartbeat(std::uint64_t now_ns) {
  reinterpret_cast<Cell*>(page_ + 64)->store(now_ns, std::memory_order_relaxed);
}

PageFile::Cell* PageFile::cells() const { return reinterpret_cast<Cell*>(page_ + kValues); }

}  // namespace hft::base
