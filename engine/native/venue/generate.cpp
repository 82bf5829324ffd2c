// The market of synthetic.h on an invented clock that starts at 09:30.
#include "venue/generate.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "venue/publisher.h"

namespace hft::venue {

std::uint64_t generate(const Generation& wanted, const std::function<void(Bytes)>& take) {
  const Directory directory(synthetic_symbols(wanted.symbols), {}, 1);
  Publisher publisher(directory);
  Matching core(directory.size(), SelfTrade::allow, ReferenceSource(wanted.references, wanted.seed, 0));
  Synthetic market(core, wanted.mix, wanted.live, wanted.seed);
  std::uint64_t now_ns = (9 * 3600ULL + 30 * 60ULL) * 1'000'000'000ULL;
  std::uint64_t made = 0;
  const auto give = [&](Bytes message) {
    take(message);
    ++made;
  };
  give(publisher.system_event('O', now_ns));
  for (Symbol symbol = 0; symbol < directory.size(); ++symbol) {
    give(publisher.stock_directory(symbol, now_ns));
    give(publisher.trading_action(symbol, 'T', now_ns));
  }
  give(publisher.system_event('Q', now_ns));
  Events events;
  while (made < wanted.messages) {
    now_ns += wanted.gap_ns;
    events.clear();
    market.step(events);
    for (const Event& event : events) {
      if (event.what >= What::book_add) give(publisher.encode(event, now_ns));
    }
  }
  return made;
}

std::uint64_t generate_file(const Generation& wanted, const std::string& path) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  const std::uint64_t made = generate(wanted, [&](Bytes message) {
    std::array<std::uint8_t, 2> prefix;
    store_be<2>(prefix.data(), message.size());
    file.write(reinterpret_cast<const char*>(prefix.data()), prefix.size());
    file.write(reinterpret_cast<const char*>(message.data()), static_cast<std::streamsize>(message.size()));
  });
  if (!file.flush()) throw std::runtime_error(path + ": " + std::strerror(errno));
  return made;
}

}  // namespace hft::venue
