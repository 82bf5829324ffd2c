// Book events to ITCH 5.0; the codec knows the offsets, this file knows the meaning.
#include "venue/publisher.h"

namespace hft::venue {

template <class Message>
Writer<Message> Publisher::begin(std::uint16_t locate, std::uint64_t now_ns) {
  Writer<Message> writer(buffer_.data());
  writer.set(itch::locate, locate).set(itch::timestamp, now_ns % kDayNs);
  return writer;
}

Bytes Publisher::add(const Event& event, std::uint64_t now_ns) {
  using itch::AddOrder;
  const char side = event.side == Side::buy ? itch::kBuy : itch::kSell;
  const auto fill = [&](auto writer) {
    return writer.set(AddOrder::reference, event.ref)
        .set(AddOrder::side, side)
        .set(AddOrder::shares, event.quantity)
        .set(AddOrder::stock, directory_.name(event.symbol))
        .set(AddOrder::price, event.price);
  };
  const std::uint16_t locate = directory_.locate(event.symbol);
  if (!event.attributable) return fill(begin<AddOrder>(locate, now_ns)).bytes();
  return fill(begin<itch::AddOrderMpid>(locate, now_ns))
      .set(itch::AddOrderMpid::attribution, directory_.firm(event.firm))
      .bytes();
}

Bytes Publisher::encode(const Event& event, std::uint64_t now_ns) {
  if (event.what < What::book_add) return {};
  const std::uint16_t locate = directory_.locate(event.symbol);
  switch (event.what) {
    case What::book_execute:
      return begin<itch::OrderExecuted>(locate, now_ns)
          .set(itch::OrderExecuted::reference, event.ref)
          .set(itch::OrderExecuted::shares, event.quantity)
          .set(itch::OrderExecuted::match, event.match)
          .bytes();
    case What::book_reduce:
      return begin<itch::OrderCancel>(locate, now_ns)
          .set(itch::OrderCancel::reference, event.ref)
          .set(itch::OrderCancel::shares, event.quantity)
          .bytes();
    case What::book_delete:
      return begin<itch::OrderDelete>(locate, now_ns).set(itch::OrderDelete::reference, event.ref).bytes();
    case What::book_replace:
      return begin<itch::OrderReplace>(locate, now_ns)
          .set(itch::OrderReplace::reference, event.other)
          .set(itch::OrderReplace::new_reference, event.ref)
          .set(itch::OrderReplace::shares, event.quantity)
          .set(itch::OrderReplace::price, event.price)
          .bytes();
    default: return add(event, now_ns);
  }
}

Bytes Publisher::system_event(char code, std::uint64_t now_ns) {
  return begin<itch::SystemEvent>(0, now_ns).set(itch::SystemEvent::event_code, code).bytes();
}

Bytes Publisher::stock_directory(Symbol symbol, std::uint64_t now_ns) {
  using itch::StockDirectory;
  return begin<StockDirectory>(directory_.locate(symbol), now_ns)
      .set(StockDirectory::stock, directory_.name(symbol))
      .set(StockDirectory::market_category, 'Q')
      .set(StockDirectory::financial_status, 'N')
      .set(StockDirectory::round_lot_size, 100)
      .set(StockDirectory::round_lots_only, 'N')
      .set(StockDirectory::issue_classification, 'C')
      .set(StockDirectory::issue_sub_type, "Z")
      .set(StockDirectory::authenticity, 'T')  // T = a test issue: nobody may take this for a live market
      .set(StockDirectory::short_sale_threshold, 'N')
      .set(StockDirectory::ipo_flag, 'N')
      .set(StockDirectory::luld_tier, '2')
      .set(StockDirectory::etp_flag, 'N')
      .set(StockDirectory::inverse, 'N')
      .bytes();
}

Bytes Publisher::trading_action(Symbol symbol, char state, std::uint64_t now_ns) {
  return begin<itch::TradingAction>(directory_.locate(symbol), now_ns)
      .set(itch::TradingAction::stock, directory_.name(symbol))
      .set(itch::TradingAction::trading_state, state)
      .set(itch::TradingAction::reserved, ' ')
      .set(itch::TradingAction::reason, "")
      .bytes();
}

}  // namespace hft::venue
