// Building the datagrams; stimulus.h says why they look like this.
#include "load/stimulus.h"

#include "venue/publisher.h"
#include "venue/synthetic.h"
#include "wire/itch_decode.h"

namespace hft::load {

namespace {

constexpr std::uint64_t kNoiseReferenceStep = 1ULL << 40;  // between cycles; triggers stay far below

std::vector<std::string> all_symbols(const StimulusPlan& plan) {
  std::vector<std::string> names;
  for (std::uint16_t i = 0; i < plan.trigger_symbols; ++i)
    names.push_back(std::string("TRG").append(std::to_string(i)));
  for (std::string& name : venue::synthetic_symbols(plan.noise_symbols)) names.push_back(std::move(name));
  return names;
}

// One ITCH message by value.
template <class Message>
class Made {
 public:
  Made(std::uint16_t locate, std::uint64_t now_ns) {
    Writer<Message>(bytes_.data()).set(itch::locate, locate).set(itch::timestamp, now_ns % venue::kDayNs);
  }
  template <class Field>
  Made& set(const Field& field, typename Field::value_type value) {
    field.store(bytes_.data(), value);
    return *this;
  }
  Bytes bytes() const { return bytes_; }
  std::string text() const { return std::string(as_text(bytes_)); }

 private:
  std::array<std::uint8_t, Message::length> bytes_;
};

Made<itch::AddOrder> add_order(std::uint16_t locate, std::string_view stock, std::uint64_t reference, bool buy,
                               std::uint32_t shares, std::uint32_t price, std::uint64_t now_ns) {
  Made<itch::AddOrder> made(locate, now_ns);
  made.set(itch::AddOrder::reference, reference)
      .set(itch::AddOrder::side, buy ? itch::kBuy : itch::kSell)
      .set(itch::AddOrder::shares, shares)
      .set(itch::AddOrder::stock, stock)
      .set(itch::AddOrder::price, price);
  return made;
}

}  // namespace

Stimulus::Stimulus(const StimulusPlan& plan)
    : plan_(plan), directory_(all_symbols(plan), {}, 1), sent_(plan.trigger_symbols * steps) {
  make_opening();
  if (plan_.noise_symbols != 0) make_noise();
}

void Stimulus::make_opening() {
  venue::Publisher publisher(directory_);
  const std::uint64_t open_ns = 34'200'000'000'000;
  const auto keep = [&](Bytes message) { opening_.emplace_back(as_text(message)); };
  keep(publisher.system_event('O', open_ns));
  for (venue::Symbol symbol = 0; symbol < directory_.size(); ++symbol) {
    keep(publisher.stock_directory(symbol, open_ns));
    keep(publisher.trading_action(symbol, 'T', open_ns));
  }
  keep(publisher.system_event('S', open_ns));
  keep(publisher.system_event('Q', open_ns));
  for (venue::Symbol symbol = 0; symbol < plan_.trigger_symbols; ++symbol) {
    for (const bool buy : {true, false}) {
      opening_.push_back(add_order(directory_.locate(symbol), directory_.name(symbol),
                                   reference(symbol, 0, buy ? 0 : 1), buy, plan_.quote_shares,
                                   buy ? bid_at(0) : ask_at(0), open_ns)
                             .text());
    }
  }
}

// One cycle of a synthetic market that ends as empty as it began, so that it can run again and again.
void Stimulus::make_noise() {
  const auto symbols = static_cast<venue::Symbol>(plan_.noise_symbols);
  const venue::Directory directory(venue::synthetic_symbols(symbols), {},
                                   static_cast<std::uint16_t>(1 + plan_.trigger_symbols));
  venue::Publisher publisher(directory);
  venue::Matching core(symbols, venue::SelfTrade::allow,
                       venue::ReferenceSource(venue::References::gapped, plan_.seed, kNoiseReferenceStep));
  venue::Synthetic market(core, *venue::find_mix("recent-delete"), plan_.noise_live, plan_.seed);
  venue::Events events;
  const auto take = [&] {
    for (const venue::Event& event : events) {
      const Bytes message = publisher.encode(event, 34'200'000'000'000 + noise_.size() * 1000);
      if (!message.empty()) noise_.emplace_back(as_text(message));
    }
    events.clear();
  };
  while (noise_.size() < plan_.noise_cycle) market.step(events), take();
  core.cancel_if([](const venue::Order&) { return true; }, 'U', events);
  take();
}

Bytes Stimulus::trigger(std::uint64_t index, MutableBytes out, std::uint64_t now_ns) {
  const std::uint64_t symbol = index % plan_.trigger_symbols;
  const std::uint64_t turn = index / plan_.trigger_symbols;
  const bool buy = turn % 2 == 0;
  const auto id = static_cast<venue::Symbol>(symbol);
  auto made = add_order(directory_.locate(id), directory_.name(id), reference(symbol, turn, 2), buy,
                        plan_.trigger_shares, buy ? bid_at(turn) : ask_at(turn), now_ns);
  made.set(itch::tracking, kTriggerTracking);
  sent_[symbol * steps + turn % steps] = index + 1;
  mold::Builder builder(out, session_, next_++);
  builder.add(made.bytes());
  return builder.datagram();
}

Bytes Stimulus::prime(std::uint64_t index, MutableBytes out, std::uint64_t now_ns) {
  const std::uint64_t symbol = index % plan_.trigger_symbols;
  const std::uint64_t turn = index / plan_.trigger_symbols;
  const std::uint16_t locate = directory_.locate(static_cast<venue::Symbol>(symbol));
  mold::Builder builder(out, session_, next_);
  builder.add(
      Made<itch::OrderDelete>(locate, now_ns).set(itch::OrderDelete::reference, reference(symbol, turn, 2)).bytes());
  const auto move = [&](bool bid) {
    builder.add(Made<itch::OrderReplace>(locate, now_ns)
                    .set(itch::OrderReplace::reference, reference(symbol, turn, bid ? 0 : 1))
                    .set(itch::OrderReplace::new_reference, reference(symbol, turn + 1, bid ? 0 : 1))
                    .set(itch::OrderReplace::shares, plan_.quote_shares)
                    .set(itch::OrderReplace::price, bid ? bid_at(turn + 1) : ask_at(turn + 1))
                    .bytes());
  };
  const bool up = bid_at(turn + 1) > bid_at(turn);  // the side that moves away goes first: never crossed
  move(!up);
  move(up);
  next_ += builder.messages();
  return builder.datagram();
}

void Stimulus::shift_references(std::uint8_t* message) const {
  const auto shift = [&](std::size_t offset) {
    store_be<8>(message + offset, load_be<8>(message + offset) + noise_cycles_ * kNoiseReferenceStep);
  };
  if (itch::names_an_order(static_cast<char>(message[0]))) shift(itch::order_reference.offset);
  if (message[0] == itch::OrderReplace::type) shift(itch::OrderReplace::new_reference.offset);
}

Bytes Stimulus::noise(MutableBytes out) {
  mold::Builder builder(out, session_, next_);
  std::array<std::uint8_t, itch::kMessageBytesMax> message;
  while (builder.messages() < plan_.noise_per_datagram) {
    const std::string& made = noise_[noise_at_];
    std::copy(made.begin(), made.end(), message.begin());
    if (noise_cycles_ != 0) shift_references(message.data());
    if (!builder.add(Bytes(message).first(made.size()))) break;
    if (++noise_at_ == noise_.size()) noise_at_ = 0, ++noise_cycles_;
  }
  next_ += builder.messages();
  return builder.datagram();
}

Bytes Stimulus::control(std::uint16_t count, MutableBytes out) const {
  return out.first(mold::store_header(out, session_, next_, count));
}

Bytes Stimulus::pack(const std::vector<std::string>& messages, std::size_t& at, MutableBytes out) {
  mold::Builder builder(out, session_, next_);
  while (at < messages.size() && builder.add(as_bytes(messages[at]))) ++at;
  next_ += builder.messages();
  return builder.datagram();
}

std::optional<std::uint64_t> Stimulus::owner_of(std::string_view symbol, std::uint64_t price) const {
  const auto id = directory_.find(symbol);
  if (!id || *id >= plan_.trigger_symbols || price < plan_.first_price) return std::nullopt;
  const std::uint64_t step = (price - plan_.first_price) / (2 * tick);
  if (step >= steps || (price - plan_.first_price) % tick != 0) return std::nullopt;
  const std::uint64_t owner = sent_[*id * steps + step];
  return owner == 0 ? std::nullopt : std::optional(owner - 1);
}

}  // namespace hft::load
