// The bytes of a metrics page (engine/contract/metrics.py): one mapped file, one directory, 64-bit values.
//
// Layout: 4 KiB of header, rows of 80 bytes from there, the values of all rows one after another from 16 KiB on.
// Stores are relaxed and one thread writes a value, so that a reader costs the writer nothing.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace hft::base {

enum class PageType : std::uint32_t { counter = 1, gauge = 2, buckets = 3 };

struct PageRow {
  std::string name;  // 47 characters at most
  PageType type = PageType::counter;
  std::string unit = "1";
  std::size_t count = 1;
};

class PageFile {
 public:
  using Cell = std::atomic<std::uint64_t>;

  // Made aside and renamed, so that who has the page of the run before mapped keeps it whole (a cut file is a SIGBUS)
  // and who opens the name finds a whole page. Throws std::system_error.
  PageFile(const std::string& path, const std::vector<PageRow>& rows);
  ~PageFile();
  PageFile(const PageFile&) = delete;
  PageFile& operator=(const PageFile&) = delete;

  // The first value; those of a row follow those of the row before it.
  [[nodiscard]] Cell* cells() const;
  void heartbeat(std::uint64_t now_ns);
  void set_writer(std::uint32_t thread_id);

 private:
  void write_header(std::size_t rows);
  void write_directory(const std::vector<PageRow>& rows);

  std::size_t rows_;
  std::size_t bytes_;
  char* page_ = nullptr;
};

}  // namespace hft::base
