// See bench.h.
#include "core/tests/bench.h"

#include <nlohmann/json.hpp>

namespace hft::core::test {
namespace {

constexpr std::int64_t kUtcOffsetNs = 1'700'000'000'000'000'000;
constexpr book::Limits kSmallBook{.orders_max = 1 << 14, .levels_max = 1 << 12, .locates = 64};

template <class M>
std::vector<std::uint8_t> blank() {
  std::vector<std::uint8_t> bytes(M::length);
  bytes[0] = static_cast<std::uint8_t>(M::type);
  return bytes;
}

std::vector<std::uint8_t> directory(std::uint16_t locate, std::string_view stock) {
  auto bytes = blank<itch::StockDirectory>();
  Writer<itch::StockDirectory> message(bytes.data());
  message.set(itch::locate, locate).set(itch::StockDirectory::stock, stock);
  return bytes;
}

std::vector<std::uint8_t> add(std::uint16_t locate, std::uint64_t reference, char side, std::uint32_t price_e4) {
  auto bytes = blank<itch::AddOrder>();
  Writer<itch::AddOrder> message(bytes.data());
  using Add = itch::AddOrder;
  message.set(itch::locate, locate).set(Add::reference, reference).set(Add::side, side).set(Add::shares, 100);
  message.set(Add::stock, locate == 1 ? "AAPL" : "MSFT").set(Add::price, price_e4);
  return bytes;
}

std::vector<std::uint8_t> remove(std::uint64_t reference) {
  auto bytes = blank<itch::OrderDelete>();
  Writer<itch::OrderDelete>(bytes.data()).set(itch::OrderDelete::reference, reference);
  return bytes;
}

}  // namespace

std::string limits_json(const Limits& limits) {
  const nlohmann::json engine{{"symbols", limits.symbols},
                              {"order_quantity_max", limits.order_quantity_max},
                              {"order_notional_max_e4", limits.order_notional_max_e4},
                              {"gross_notional_max_e4", limits.gross_notional_max_e4},
                              {"collar_bps", limits.collar_bps},
                              {"position_max", limits.position_max},
                              {"messages_per_second_max", limits.messages_per_second_max},
                              {"open_orders_max", limits.open_orders_max},
                              {"duplicate_window_ms", limits.duplicate_window_ms},
                              {"daily_loss_max_e4", limits.daily_loss_max_e4},
                              {"repeated_executions_max", limits.repeated_executions_max}};
  return nlohmann::json{{"serial", limits.serial}, {"not_after_utc_ns", limits.not_after_utc_ns}, {"engine", engine}}
      .dump();
}

Bench::Bench(const CoreConfig& config, const Limits& limits) : core(*this, kSmallBook) {
  start(config);
  input(Kind::limits, limits_json(limits));
}

bool Bench::input(Kind kind, std::span<const std::byte> payload) {
  RecordView record;
  record.header.kind = static_cast<std::uint16_t>(kind);
  record.header.epoch = core.epoch();
  record.header.input_seq = kind == Kind::start ? input_seq : ++input_seq;
  record.header.monotonic_ns = now_ns;
  record.header.utc_ns = utc_ns();
  record.header.length = static_cast<std::uint32_t>(payload.size());
  record.payload = payload;
  return core.apply(record);
}

std::int64_t Bench::utc_ns() const { return static_cast<std::int64_t>(now_ns) + kUtcOffsetNs; }

void Bench::start(const CoreConfig& config) { input(Kind::start, start_record(config, "artifact", "config", 1)); }

void Bench::tick() { input(Kind::tick, bytes_of(now_ns)); }

void Bench::set_limits(Limits limits) {
  limits.serial = core.limits()->serial + 1;
  input(Kind::limits, limits_json(limits));
}

void Bench::packet(const std::vector<std::vector<std::uint8_t>>& messages) {
  std::array<std::uint8_t, mold::kDatagramBytesMax> buffer{};
  mold::Builder builder(buffer, mold::make_session("TEST"), sequence_);
  for (const auto& message : messages) builder.add(message);
  sequence_ += messages.size();
  input(Kind::market_full, std::as_bytes(builder.datagram()));
}

void Bench::quote(std::uint16_t locate, std::uint32_t bid_e4, std::uint32_t ask_e4) {
  std::vector<std::vector<std::uint8_t>> messages{directory(locate, locate == 1 ? "AAPL" : "MSFT")};
  const std::uint64_t base = std::uint64_t{locate} << 32;
  if (core.market().book().find(base + 1)) {
    messages.push_back(remove(base + 1));
    messages.push_back(remove(base + 2));
  }
  messages.push_back(add(locate, base + 1, 'B', bid_e4));
  messages.push_back(add(locate, base + 2, 'S', ask_e4));
  packet(messages);
}

void Bench::feed(FeedEvent::What what) {
  const FeedEvent event{what, sequence_, 0};
  input(Kind::feed, bytes_of(event));
}

Answer Bench::command(std::string_view json) {
  input(Kind::admin, admin_record(0, 0, json));
  return core.answer();
}

void Bench::link_up(std::uint64_t epoch, std::uint32_t next_urn, std::string_view session) {
  LinkEvent event{.what = LinkEvent::What::up,
                  .epoch = epoch,
                  .session = std::string(session),
                  .next_urn = next_urn,
                  .next_response = 0,
                  .urn = 0,
                  .code = {},
                  .detail = {},
                  .has_positions = false,
                  .positions = {}};
  input(Kind::link, link_record(event));
  replayed();
  settle_link();
}

void Bench::replayed() { link(R"({"replayed":)" + std::to_string(core.next_response()) + "}"); }

void Bench::settle_link() {
  wait_ms(20);
  tick();
}

void Bench::go_active(std::uint64_t epoch) {
  quote(1, 999'900, 1'000'100);
  quote(2, 499'900, 500'100);
  command(R"({"verb":"promote","epoch":)" + std::to_string(epoch) + "}");
  link_up(epoch);
}

Answer Bench::order(char side, std::uint32_t quantity, std::string_view symbol, std::uint64_t price_e4) {
  return command(nlohmann::json{
      {"verb", "intent"},
      {"side", std::string(1, side)},
      {"quantity", quantity},
      {"symbol", symbol},
      {"price_e4",
       price_e4}}.dump());
}

void Bench::respond(Bytes message) { input(Kind::response, std::as_bytes(message)); }

void Bench::accept(std::uint32_t urn) {
  using M = ouch::Accepted;
  std::array<std::uint8_t, 128> buffer{};
  ouch::Encoder<M> message(buffer, core.config().profile);
  message.set(M::urn, urn).set(M::state, 'L').set(M::order_reference, ++reference_).set(M::side, 'B');
  message.set(M::quantity, 100).set(M::symbol, "AAPL").set(M::price, 1'000'000).set(M::clordid, "");
  respond(message.bytes());
}

void Bench::replace(std::uint32_t original, std::uint32_t urn, std::uint32_t quantity, std::uint64_t price_e4,
                    char side, std::string_view symbol) {
  using M = ouch::Replaced;
  std::array<std::uint8_t, 128> buffer{};
  ouch::Encoder<M> message(buffer, core.config().profile);
  message.set(M::original_urn, original).set(M::urn, urn).set(M::state, 'L').set(M::side, side);
  message.set(M::order_reference, ++reference_).set(M::quantity, quantity).set(M::symbol, symbol);
  message.set(M::price, price_e4).set(M::clordid, "");
  respond(message.bytes());
}

void Bench::repriced(std::uint32_t urn, std::uint64_t price_e4) {
  using M = ouch::PriorityUpdate;
  std::array<std::uint8_t, 128> buffer{};
  ouch::Encoder<M> message(buffer, core.config().profile);
  message.set(M::urn, urn).set(M::price, price_e4).set(M::order_reference, ++reference_);
  respond(message.bytes());
}

void Bench::modified(std::uint32_t urn, std::uint32_t left) {
  using M = ouch::Modified;
  std::array<std::uint8_t, 128> buffer{};
  ouch::Encoder<M> message(buffer, core.config().profile);
  message.set(M::urn, urn).set(M::side, 'B').set(M::quantity, left);
  respond(message.bytes());
}

void Bench::execute(std::uint32_t urn, std::uint32_t quantity, std::uint64_t price_e4) {
  using M = ouch::Executed;
  std::array<std::uint8_t, 128> buffer{};
  ouch::Encoder<M> message(buffer, core.config().profile);
  message.set(M::urn, urn).set(M::quantity, quantity).set(M::price, price_e4).set(M::liquidity, 'R');
  respond(message.bytes());
}

void Bench::canceled(std::uint32_t urn, std::uint32_t quantity) {
  using M = ouch::Canceled;
  std::array<std::uint8_t, 128> buffer{};
  ouch::Encoder<M> message(buffer, core.config().profile);
  message.set(M::urn, urn).set(M::quantity, quantity).set(M::reason, 'U');
  respond(message.bytes());
}

void Bench::rejected(std::uint32_t urn) {
  using M = ouch::Rejected;
  std::array<std::uint8_t, 128> buffer{};
  ouch::Encoder<M> message(buffer, core.config().profile);
  message.set(M::urn, urn).set(M::reason, 1).set(M::clordid, "");
  respond(message.bytes());
}

void Bench::trade(char side, std::uint32_t quantity, std::string_view symbol, std::uint64_t price_e4) {
  const Answer sent = order(side, quantity, symbol, price_e4);
  accept(sent.urn);
  execute(sent.urn, quantity, price_e4);
}

std::vector<Emitted> Bench::intents(char type) const {
  std::vector<Emitted> found;
  for (const Emitted& emitted : out) {
    if (emitted.kind == Kind::intent && emitted.wire()[0] == static_cast<std::uint8_t>(type)) found.push_back(emitted);
  }
  return found;
}

}  // namespace hft::core::test
