// JSON lines by hand: the log is written beside the matching, where a JSON tree for each message costs too much.
#include "venue/log.h"

#include <array>

#include "wire/clordid.h"

namespace hft::venue {

namespace {

void put_key(std::string& out, std::string_view key) {
  out += out.empty() ? '{' : ',';
  out += '"';
  out += key;
  out += "\":";
}

// Bytes of a wire may be anything: what is not printable ASCII is written as \u00XX.
void put_text(std::string& out, std::string_view key, std::string_view text) {
  put_key(out, key);
  if (text.empty()) {
    out += "null";
    return;
  }
  out += '"';
  for (const char letter : text) {
    const auto byte = static_cast<unsigned char>(letter);
    if (byte < 0x20 || byte > 0x7E) {
      std::array<char, 8> escaped;
      std::snprintf(escaped.data(), escaped.size(), "\\u%04x", byte);
      out += escaped.data();
    } else {
      if (letter == '"' || letter == '\\') out += '\\';
      out += letter;
    }
  }
  out += '"';
}

void put_letter(std::string& out, std::string_view key, char letter) {
  put_text(out, key, std::string_view(&letter, letter == 0 ? 0 : 1));
}

void put_number(std::string& out, std::string_view key, std::uint64_t value, bool known) {
  put_key(out, key);
  out += known ? std::to_string(value) : "null";
}

}  // namespace

std::string to_json(const LogEntry& entry, std::uint64_t now_ns, std::uint64_t sequence) {
  std::string out;
  const auto parts = clordid::decode(entry.clordid);
  put_number(out, "t_ns", now_ns, true);
  put_number(out, "seq", sequence, true);
  put_text(out, "event", entry.event);
  put_text(out, "session", trimmed(entry.session));
  put_number(out, "epoch", parts ? parts->epoch : 0, parts.has_value());
  put_number(out, "order_seq", parts ? parts->sequence : 0, parts.has_value());
  put_number(out, "urn", entry.urn, entry.urn != 0);
  put_number(out, "original_urn", entry.original_urn, entry.original_urn != 0);
  put_letter(out, "type", entry.type);
  put_text(out, "code", entry.code);
  put_text(out, "clordid", trimmed(entry.clordid));
  put_number(out, "order_ref", entry.order_ref, entry.order_ref != 0);
  put_text(out, "symbol", trimmed(entry.symbol));
  put_letter(out, "side", entry.side);
  put_number(out, "quantity", entry.quantity, entry.quantity != 0);
  put_number(out, "price", entry.price, entry.price != 0);
  put_number(out, "match", entry.match, entry.match != 0);
  put_number(out, "first", entry.first, entry.first != 0);
  put_number(out, "count", entry.count, entry.count != 0);
  put_number(out, "datagram", entry.datagram, entry.datagram != 0);
  put_text(out, "detail", entry.detail);
  out += '}';
  return out;
}

Log::Log(const std::string& path) : path_(path) {
  if (!path_.empty()) file_ = std::fopen(path_.c_str(), "a");
}

Log::~Log() {
  if (file_ != nullptr) std::fclose(file_);
}

void Log::write(const LogEntry& entry, std::uint64_t now_ns) {
  ++lines_;
  if (file_ == nullptr) return;
  line_ = to_json(entry, now_ns, lines_);
  line_ += '\n';
  std::fwrite(line_.data(), 1, line_.size(), file_);
  dirty_ = true;
}

void Log::flush() {
  if (dirty_) std::fflush(file_);
  dirty_ = false;
}

}  // namespace hft::venue
