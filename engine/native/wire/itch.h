// Nasdaq TotalView-ITCH 5.0: all 23 message types as field descriptors (see bytes.h).
//
// Source of offsets and lengths: Nasdaq TotalView-ITCH 5.0 specification (NQTVITCHspecification.pdf), section 4.
// Prices are fixed point with 4 decimals, except the three MWCB levels with 8. Timestamps are nanoseconds since
// midnight in 48 bits. Stock locate is the day's number of a symbol.
#pragma once

#include "wire/bytes.h"

namespace hft::itch {

// The 11 bytes that every message starts with.
inline constexpr U16 locate{"stock_locate", 1};
inline constexpr U16 tracking{"tracking_number", 3};
inline constexpr U48 timestamp{"timestamp", 5};
inline constexpr std::size_t kHeaderBytes = 11;
inline constexpr std::size_t kMessageBytesMax = 50;
inline constexpr char kBuy = 'B';
inline constexpr char kSell = 'S';

struct SystemEvent {
  static constexpr char type = 'S';
  static constexpr std::size_t length = 12;
  static constexpr Letter event_code{"event_code", 11};
  static constexpr std::tuple fields{event_code};
};

struct StockDirectory {
  static constexpr char type = 'R';
  static constexpr std::size_t length = 39;
  static constexpr Text<8> stock{"stock", 11};
  static constexpr Letter market_category{"market_category", 19};
  static constexpr Letter financial_status{"financial_status_indicator", 20};
  static constexpr U32 round_lot_size{"round_lot_size", 21};
  static constexpr Letter round_lots_only{"round_lots_only", 25};
  static constexpr Letter issue_classification{"issue_classification", 26};
  static constexpr Text<2> issue_sub_type{"issue_sub_type", 27};
  static constexpr Letter authenticity{"authenticity", 29};
  static constexpr Letter short_sale_threshold{"short_sale_threshold_indicator", 30};
  static constexpr Letter ipo_flag{"ipo_flag", 31};
  static constexpr Letter luld_tier{"luld_ref", 32};
  static constexpr Letter etp_flag{"etp_flag", 33};
  static constexpr U32 etp_leverage{"etp_leverage_factor", 34};
  static constexpr Letter inverse{"inverse_indicator", 38};
  static constexpr std::tuple fields{
      stock,          market_category, financial_status,     round_lot_size, round_lots_only, issue_classification,
      issue_sub_type, authenticity,    short_sale_threshold, ipo_flag,       luld_tier,       etp_flag,
      etp_leverage,   inverse};
};

struct TradingAction {
  static constexpr char type = 'H';
  static constexpr std::size_t length = 25;
  static constexpr Text<8> stock{"stock", 11};
  static constexpr Letter trading_state{"trading_state", 19};
  static constexpr Letter reserved{"reserved", 20};
  static constexpr Text<4> reason{"reason", 21};
  static constexpr std::tuple fields{stock, trading_state, reserved, reason};
};

struct RegSho {
  static constexpr char type = 'Y';
  static constexpr std::size_t length = 20;
  static constexpr Text<8> stock{"stock", 11};
  static constexpr Letter action{"reg_sho_action", 19};
  static constexpr std::tuple fields{stock, action};
};

struct ParticipantPosition {
  static constexpr char type = 'L';
  static constexpr std::size_t length = 26;
  static constexpr Text<4> mpid{"mpid", 11};
  static constexpr Text<8> stock{"stock", 15};
  static constexpr Letter primary_market_maker{"primary_market_maker", 23};
  static constexpr Letter market_maker_mode{"market_maker_mode", 24};
  static constexpr Letter participant_state{"market_participant_state", 25};
  static constexpr std::tuple fields{mpid, stock, primary_market_maker, market_maker_mode, participant_state};
};

struct MwcbLevels {
  static constexpr char type = 'V';
  static constexpr std::size_t length = 35;
  static constexpr U64 level1{"level1_price", 11};
  static constexpr U64 level2{"level2_price", 19};
  static constexpr U64 level3{"level3_price", 27};
  static constexpr std::tuple fields{level1, level2, level3};
};

struct MwcbStatus {
  static constexpr char type = 'W';
  static constexpr std::size_t length = 12;
  static constexpr Letter breached_level{"breached_level", 11};
  static constexpr std::tuple fields{breached_level};
};

struct IpoQuotingPeriod {
  static constexpr char type = 'K';
  static constexpr std::size_t length = 28;
  static constexpr Text<8> stock{"stock", 11};
  static constexpr U32 release_time_s{"ipo_release_time", 19};
  static constexpr Letter release_qualifier{"ipo_release_qualifier", 23};
  static constexpr U32 price{"ipo_price", 24};
  static constexpr std::tuple fields{stock, release_time_s, release_qualifier, price};
};

struct LuldCollar {
  static constexpr char type = 'J';
  static constexpr std::size_t length = 35;
  static constexpr Text<8> stock{"stock", 11};
  static constexpr U32 reference{"auction_collar_reference_price", 19};
  static constexpr U32 upper{"upper_auction_collar_price", 23};
  static constexpr U32 lower{"lower_auction_collar_price", 27};
  static constexpr U32 extension{"auction_collar_extention", 31};
  static constexpr std::tuple fields{stock, reference, upper, lower, extension};
};

struct OperationalHalt {
  static constexpr char type = 'h';
  static constexpr std::size_t length = 21;
  static constexpr Text<8> stock{"stock", 11};
  static constexpr Letter market_code{"market_code", 19};
  static constexpr Letter action{"operational_halt_action", 20};
  static constexpr std::tuple fields{stock, market_code, action};
};

struct AddOrder {
  static constexpr char type = 'A';
  static constexpr std::size_t length = 36;
  static constexpr U64 reference{"order_reference_number", 11};
  static constexpr Letter side{"buy_sell_indicator", 19};
  static constexpr U32 shares{"shares", 20};
  static constexpr Text<8> stock{"stock", 24};
  static constexpr U32 price{"price", 32};
  static constexpr std::tuple fields{reference, side, shares, stock, price};
};

// An AddOrder with four bytes more; the common fields lie where AddOrder has them.
struct AddOrderMpid {
  static constexpr char type = 'F';
  static constexpr std::size_t length = 40;
  static constexpr Text<4> attribution{"attribution", 36};
  static constexpr std::tuple fields{AddOrder::reference, AddOrder::side,  AddOrder::shares,
                                     AddOrder::stock,     AddOrder::price, attribution};
};

struct OrderExecuted {
  static constexpr char type = 'E';
  static constexpr std::size_t length = 31;
  static constexpr U64 reference{"order_reference_number", 11};
  static constexpr U32 shares{"executed_shares", 19};
  static constexpr U64 match{"match_number", 23};
  static constexpr std::tuple fields{reference, shares, match};
};

// An OrderExecuted at a price other than the order's.
struct OrderExecutedPrice {
  static constexpr char type = 'C';
  static constexpr std::size_t length = 36;
  static constexpr Letter printable{"printable", 31};
  static constexpr U32 price{"execution_price", 32};
  static constexpr std::tuple fields{OrderExecuted::reference, OrderExecuted::shares, OrderExecuted::match, printable,
                                     price};
};

struct OrderCancel {
  static constexpr char type = 'X';
  static constexpr std::size_t length = 23;
  static constexpr U64 reference{"order_reference_number", 11};
  static constexpr U32 shares{"cancelled_shares", 19};
  static constexpr std::tuple fields{reference, shares};
};

struct OrderDelete {
  static constexpr char type = 'D';
  static constexpr std::size_t length = 19;
  static constexpr U64 reference{"order_reference_number", 11};
  static constexpr std::tuple fields{reference};
};

struct OrderReplace {
  static constexpr char type = 'U';
  static constexpr std::size_t length = 35;
  static constexpr U64 reference{"order_reference_number", 11};
  static constexpr U64 new_reference{"new_order_reference_number", 19};
  static constexpr U32 shares{"shares", 27};
  static constexpr U32 price{"price", 31};
  static constexpr std::tuple fields{reference, new_reference, shares, price};
};

struct Trade {
  static constexpr char type = 'P';
  static constexpr std::size_t length = 44;
  static constexpr U64 reference{"order_reference_number", 11};
  static constexpr Letter side{"buy_sell_indicator", 19};
  static constexpr U32 shares{"shares", 20};
  static constexpr Text<8> stock{"stock", 24};
  static constexpr U32 price{"price", 32};
  static constexpr U64 match{"match_number", 36};
  static constexpr std::tuple fields{reference, side, shares, stock, price, match};
};

struct CrossTrade {
  static constexpr char type = 'Q';
  static constexpr std::size_t length = 40;
  static constexpr U64 shares{"shares", 11};
  static constexpr Text<8> stock{"stock", 19};
  static constexpr U32 price{"cross_price", 27};
  static constexpr U64 match{"match_number", 31};
  static constexpr Letter cross_type{"cross_type", 39};
  static constexpr std::tuple fields{shares, stock, price, match, cross_type};
};

struct BrokenTrade {
  static constexpr char type = 'B';
  static constexpr std::size_t length = 19;
  static constexpr U64 match{"match_number", 11};
  static constexpr std::tuple fields{match};
};

struct Imbalance {
  static constexpr char type = 'I';
  static constexpr std::size_t length = 50;
  static constexpr U64 paired{"paired_shares", 11};
  static constexpr U64 imbalance{"imbalance_shares", 19};
  static constexpr Letter direction{"imbalance_direction", 27};
  static constexpr Text<8> stock{"stock", 28};
  static constexpr U32 far_price{"far_price", 36};
  static constexpr U32 near_price{"near_price", 40};
  static constexpr U32 reference_price{"current_reference_price", 44};
  static constexpr Letter cross_type{"cross_type", 48};
  static constexpr Letter variation{"variation_indicator", 49};
  static constexpr std::tuple fields{paired,     imbalance,       direction,  stock,    far_price,
                                     near_price, reference_price, cross_type, variation};
};

struct RetailInterest {
  static constexpr char type = 'N';
  static constexpr std::size_t length = 20;
  static constexpr Text<8> stock{"stock", 11};
  static constexpr Letter interest{"interest_flag", 19};
  static constexpr std::tuple fields{stock, interest};
};

struct DirectListing {
  static constexpr char type = 'O';
  static constexpr std::size_t length = 48;
  static constexpr Text<8> stock{"stock", 11};
  static constexpr Letter open_eligibility{"open_eligibility_status", 19};
  static constexpr U32 price_min{"minimum_allowable_price", 20};
  static constexpr U32 price_max{"maximum_allowable_price", 24};
  static constexpr U32 near_price{"near_execution_price", 28};
  static constexpr U64 near_time_ns{"near_execution_time", 32};
  static constexpr U32 lower{"lower_price_range_collar", 40};
  static constexpr U32 upper{"upper_price_range_collar", 44};
  static constexpr std::tuple fields{stock,      open_eligibility, price_min, price_max,
                                     near_price, near_time_ns,     lower,     upper};
};

using AllMessages = MessageList<SystemEvent, StockDirectory, TradingAction, RegSho, ParticipantPosition, MwcbLevels,
                                MwcbStatus, IpoQuotingPeriod, LuldCollar, OperationalHalt, AddOrder, AddOrderMpid,
                                OrderExecuted, OrderExecutedPrice, OrderCancel, OrderDelete, OrderReplace, Trade,
                                CrossTrade, BrokenTrade, Imbalance, RetailInterest, DirectListing>;

}  // namespace hft::itch
