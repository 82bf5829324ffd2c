// Packing, keeping and answering; feed.h says what each call means.
#include "venue/feed.h"

#include <algorithm>

namespace hft::venue {

Feed::Feed(std::string_view session, std::uint64_t retain_messages, std::size_t datagram_bytes_max)
    : session_(mold::make_session(session)),
      retain_messages_(retain_messages),
      bytes_max_(std::min(datagram_bytes_max, buffer_.size())) {}

void Feed::publish(Bytes message) {
  const std::size_t block = mold::kBlockHeaderBytes + message.size();
  if (packed_ != 0 && used_ + block > bytes_max_) flush();
  if (packed_ == 0) used_ = mold::store_header(buffer_, session_, next_, 0);
  store_be<2>(buffer_.data() + used_, message.size());
  std::copy(message.begin(), message.end(), buffer_.data() + used_ + mold::kBlockHeaderBytes);
  used_ += block;
  ++packed_;
  ++next_;
}

void Feed::flush() {
  if (packed_ == 0) return;
  mold::count.store(buffer_.data(), packed_);
  const Bytes datagram(buffer_.data(), used_);
  kept_.push_back({next_ - packed_, std::string(as_text(datagram))});
  while (kept_.size() > 1 && next_ - kept_[1].first >= retain_messages_) kept_.pop_front();
  packed_ = 0;
  ++datagrams_;
  for (const Ends& line : lines_) line.data(datagram);
}

void Feed::control(std::uint16_t count) {
  std::array<std::uint8_t, mold::kHeaderBytes> header;
  mold::store_header(header, session_, next_ - packed_, count);
  for (const Ends& line : lines_) line.control(header);
}

void Feed::heartbeat() { control(mold::kHeartbeat); }

void Feed::end_of_session() {
  flush();
  control(mold::kEndOfSession);
}

Bytes Feed::answer(Bytes bytes) {
  const auto request = mold::parse_request(bytes);
  if (!request || request->session != session_ || request->first < oldest_kept()) return {};
  auto kept = std::upper_bound(kept_.begin(), kept_.end(), request->first,
                               [](std::uint64_t first, const Kept& entry) { return first < entry.first; });
  if (kept == kept_.begin()) return {};
  mold::Builder builder(MutableBytes(answer_).first(bytes_max_), session_, request->first);
  bool fits = true;
  for (--kept; kept != kept_.end() && fits && builder.messages() < request->count; ++kept) {
    const auto packet = mold::parse(as_bytes(kept->datagram));
    mold::for_each(packet, [&](std::uint64_t sequence, Bytes message) {
      if (sequence < request->first || !fits || builder.messages() >= request->count) return;
      fits = builder.add(message);
    });
  }
  return builder.messages() == 0 ? Bytes{} : builder.datagram();
}

}  // namespace hft::venue
