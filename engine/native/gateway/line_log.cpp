// Formatting log lines by hand (they are on the hot path) and finding the last one after a restart.
#include "gateway/line_log.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <charconv>

#include "gateway/json.h"

namespace hft::gateway {
namespace {

constexpr off_t kTailBytes = 65536;
constexpr std::size_t kFieldBytesMax = 512;  // what a stranger may write of itself into one line

void put_text(std::string& line, std::string_view key, std::string_view text) {
  line.append(",\"").append(key).append("\":\"");
  for (const char character : text.substr(0, kFieldBytesMax)) {
    if (character == '"' || character == '\\') line.push_back('\\');
    line.push_back(character < ' ' || character > '~' ? '?' : character);
  }
  line.push_back('"');
}

template <typename Number>
void put_number(std::string& line, std::string_view key, Number number) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  line.append(",\"").append(key).append("\":").append(digits, end);
}

std::uint64_t last_seq_in(std::string_view tail) {
  while (!tail.empty()) {
    const auto end = tail.rfind('\n');
    if (end == std::string_view::npos) return 0;
    const auto begin = tail.rfind('\n', end == 0 ? 0 : end - 1);
    const auto start = begin == std::string_view::npos || begin == end ? 0 : begin + 1;
    const auto line = parse_object(tail.substr(start, end - start));
    if (line) return number_at(*line, "seq").value_or(0);
    tail = tail.substr(0, start);
  }
  return 0;
}

}  // namespace

base::Failure LineLog::open(const std::string& path) {
  file_ = base::Fd(::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640));
  if (!file_) return base::failed("cannot open log", path);
  struct stat status{};
  if (::fstat(file_.get(), &status) != 0) return base::failed("cannot read log", path);
  // A number that was given must not be given again, however long the lines behind it are.
  for (off_t bytes = kTailBytes;; bytes *= 4) {
    const auto from = status.st_size > bytes ? status.st_size - bytes : 0;
    std::string tail(static_cast<std::size_t>(status.st_size - from), '\0');
    const auto got = ::pread(file_.get(), tail.data(), tail.size(), from);
    if (got < 0) return base::failed("cannot read log", path);
    tail.resize(static_cast<std::size_t>(got));
    is_torn_ = !tail.empty() && tail.back() != '\n';
    last_seq_ = last_seq_in(tail);
    if (last_seq_ != 0 || from == 0) break;
  }
  line_.reserve(1024);
  return {};
}

bool LineLog::append(const LogLine& line) {
  const auto& text = text_of(line.reason);
  line_.assign(is_torn_ ? "\n{\"v\":1" : "{\"v\":1");
  put_number(line_, "t_ns", line.t_ns);
  put_number(line_, "seq", line.seq);
  put_text(line_, "event", line.event);
  put_text(line_, "session", line.session);
  put_number(line_, "link", line.link);
  put_text(line_, "party", line.party);
  put_number(line_, "epoch", line.epoch);
  put_number(line_, "urn", line.urn);
  put_text(line_, "type", {&line.type, 1});
  put_text(line_, "clordid", line.clordid);
  put_text(line_, "code", text.code);
  put_text(line_, "reason", line.detail.empty() ? text.sentence : line.detail);
  line_.append("}\n");
  const auto put = ::write(file_.get(), line_.data(), line_.size());
  if (put == static_cast<ssize_t>(line_.size())) {
    is_torn_ = false;
    return true;
  }
  is_torn_ = is_torn_ || put > 0;
  return false;
}

}  // namespace hft::gateway
