// OUCH 5.0: order entry messages of both directions as field descriptors (see bytes.h).
//
// Source: Nasdaq OUCH 5.0 Order Entry Specification, revision of 2 May 2023 (profile `ouch5_2023_05`). Profile
// `ouch5_later` adds Mass Cancel, Disable and Enable Order Entry and puts an appendage length behind every
// message but System Event; it comes from one public parser and was seen against no venue: unverified.
// Prices have 4 decimals in 8 bytes. Timestamps are nanoseconds since midnight. `length` is the fixed part
// without the appendage length; decode and encode are in ouch_codec.h.
#pragma once

#include "wire/bytes.h"

namespace hft::ouch {

enum class Profile : std::uint8_t {
  ouch5_2023_05,
  ouch5_later,
  any,  // decode only: whatever either profile knows
};

// Does the message end in an appendage (length2 + option elements)?
enum class Appendage : std::uint8_t {
  none,       // in no profile
  later,      // only in ouch5_later; real captures show Cancel with 9 and Canceled with 18 bytes
  always,     // in both
  later_only  // the whole message exists only in ouch5_later, with an appendage
};

inline constexpr std::uint64_t kPriceMax = 1'999'999'900;   // $199,999.99
inline constexpr std::uint64_t kMarketPrice = 0x7FFFFFFF;   // a market order for a cross
inline constexpr std::uint32_t kQuantityLimit = 1'000'000;  // must be below this
inline constexpr std::size_t kMessageBytesMax = 1024;       // fixed part and every option once is below 200

// Client to venue.
struct EnterOrder {
  static constexpr char type = 'O';
  static constexpr std::size_t length = 45;
  static constexpr Appendage appendage = Appendage::always;
  static constexpr U32 urn{"user_ref_num", 1};
  static constexpr Letter side{"side", 5};
  static constexpr U32 quantity{"quantity", 6};
  static constexpr Text<8> symbol{"symbol", 10};
  static constexpr U64 price{"price", 18};
  static constexpr Letter time_in_force{"time_in_force", 26};
  static constexpr Letter display{"display", 27};
  static constexpr Letter capacity{"capacity", 28};
  static constexpr Letter sweep{"intermarket_sweep", 29};
  static constexpr Letter cross_type{"cross_type", 30};
  static constexpr Text<14> clordid{"cl_ord_id", 31};
  static constexpr std::tuple fields{urn,     side,     quantity, symbol,     price,  time_in_force,
                                     display, capacity, sweep,    cross_type, clordid};
};

struct ReplaceOrder {
  static constexpr char type = 'U';
  static constexpr std::size_t length = 38;
  static constexpr Appendage appendage = Appendage::always;
  static constexpr U32 original_urn{"orig_user_ref_num", 1};
  static constexpr U32 urn{"user_ref_num", 5};
  static constexpr U32 quantity{"quantity", 9};
  static constexpr U64 price{"price", 13};
  static constexpr Letter time_in_force{"time_in_force", 21};
  static constexpr Letter display{"display", 22};
  static constexpr Letter sweep{"intermarket_sweep", 23};
  static constexpr Text<14> clordid{"cl_ord_id", 24};
  static constexpr std::tuple fields{original_urn, urn, quantity, price, time_in_force, display, sweep, clordid};
};

// Quantity is the new intended size of the order, not what to take away; 0 cancels all of it.
struct CancelOrder {
  static constexpr char type = 'X';
  static constexpr std::size_t length = 9;
  static constexpr Appendage appendage = Appendage::later;
  static constexpr U32 urn{"user_ref_num", 1};
  static constexpr U32 quantity{"quantity", 5};
  static constexpr std::tuple fields{urn, quantity};
};

struct ModifyOrder {
  static constexpr char type = 'M';
  static constexpr std::size_t length = 10;
  static constexpr Appendage appendage = Appendage::later;
  static constexpr U32 urn{"user_ref_num", 1};
  static constexpr Letter side{"side", 5};
  static constexpr U32 quantity{"quantity", 6};
  static constexpr std::tuple fields{urn, side, quantity};
};

struct AccountQuery {
  static constexpr char type = 'Q';
  static constexpr std::size_t length = 1;
  static constexpr Appendage appendage = Appendage::later;
  static constexpr std::tuple<> fields{};
};

struct MassCancel {
  static constexpr char type = 'C';
  static constexpr std::size_t length = 17;
  static constexpr Appendage appendage = Appendage::later_only;
  static constexpr U32 urn{"user_ref_num", 1};
  static constexpr Text<4> firm{"firm", 5};
  static constexpr Text<8> symbol{"symbol", 9};
  static constexpr std::tuple fields{urn, firm, symbol};
};

struct DisableEntry {
  static constexpr char type = 'D';
  static constexpr std::size_t length = 9;
  static constexpr Appendage appendage = Appendage::later_only;
  static constexpr U32 urn{"user_ref_num", 1};
  static constexpr Text<4> firm{"firm", 5};
  static constexpr std::tuple fields{urn, firm};
};

struct EnableEntry {
  static constexpr char type = 'E';
  static constexpr std::size_t length = 9;
  static constexpr Appendage appendage = Appendage::later_only;
  static constexpr U32 urn{"user_ref_num", 1};
  static constexpr Text<4> firm{"firm", 5};
  static constexpr std::tuple fields{urn, firm};
};

// Venue to client; all but the first start with these two fields.
inline constexpr U64 timestamp{"timestamp", 1};
inline constexpr U32 response_urn{"user_ref_num", 9};

struct SystemEvent {
  static constexpr char type = 'S';
  static constexpr std::size_t length = 10;
  static constexpr Appendage appendage = Appendage::none;
  static constexpr Letter event_code{"event_code", 9};
  static constexpr std::tuple fields{timestamp, event_code};
};

struct Accepted {
  static constexpr char type = 'A';
  static constexpr std::size_t length = 62;
  static constexpr Appendage appendage = Appendage::always;
  static constexpr U32 urn = response_urn;
  static constexpr Letter side{"side", 13};
  static constexpr U32 quantity{"quantity", 14};
  static constexpr Text<8> symbol{"symbol", 18};
  static constexpr U64 price{"price", 26};
  static constexpr Letter time_in_force{"time_in_force", 34};
  static constexpr Letter display{"display", 35};
  static constexpr U64 order_reference{"order_reference_number", 36};
  static constexpr Letter capacity{"capacity", 44};
  static constexpr Letter sweep{"intermarket_sweep", 45};
  static constexpr Letter cross_type{"cross_type", 46};
  static constexpr Letter state{"order_state", 47};
  static constexpr Text<14> clordid{"cl_ord_id", 48};
  static constexpr std::tuple fields{timestamp, urn,           side,    quantity,        symbol,
                                     price,     time_in_force, display, order_reference, capacity,
                                     sweep,     cross_type,    state,   clordid};
};

struct Replaced {
  static constexpr char type = 'U';
  static constexpr std::size_t length = 66;
  static constexpr Appendage appendage = Appendage::always;
  static constexpr U32 original_urn{"orig_user_ref_num", 9};
  static constexpr U32 urn{"user_ref_num", 13};
  static constexpr Letter side{"side", 17};
  static constexpr U32 quantity{"quantity", 18};
  static constexpr Text<8> symbol{"symbol", 22};
  static constexpr U64 price{"price", 30};
  static constexpr Letter time_in_force{"time_in_force", 38};
  static constexpr Letter display{"display", 39};
  static constexpr U64 order_reference{"order_reference_number", 40};
  static constexpr Letter capacity{"capacity", 48};
  static constexpr Letter sweep{"intermarket_sweep", 49};
  static constexpr Letter cross_type{"cross_type", 50};
  static constexpr Letter state{"order_state", 51};
  static constexpr Text<14> clordid{"cl_ord_id", 52};
  static constexpr std::tuple fields{timestamp, original_urn, urn,           side,    quantity,
                                     symbol,    price,        time_in_force, display, order_reference,
                                     capacity,  sweep,        cross_type,    state,   clordid};
};

// Quantity is what was taken off the order; the order may live on with the rest.
struct Canceled {
  static constexpr char type = 'C';
  static constexpr std::size_t length = 18;
  static constexpr Appendage appendage = Appendage::later;
  static constexpr U32 urn = response_urn;
  static constexpr U32 quantity{"quantity", 13};
  static constexpr Letter reason{"reason", 17};
  static constexpr std::tuple fields{timestamp, urn, quantity, reason};
};

struct AiqCanceled {
  static constexpr char type = 'D';
  static constexpr std::size_t length = 32;
  static constexpr Appendage appendage = Appendage::later;
  static constexpr U32 urn = response_urn;
  static constexpr U32 decrement{"decrement_shares", 13};
  static constexpr Letter reason{"reason", 17};
  static constexpr U32 prevented{"quantity_prevented", 18};
  static constexpr U64 price{"execution_price", 22};
  static constexpr Letter liquidity{"liquidity_flag", 30};
  static constexpr Letter strategy{"aiq_strategy", 31};
  static constexpr std::tuple fields{timestamp, urn, decrement, reason, prevented, price, liquidity, strategy};
};

struct Executed {
  static constexpr char type = 'E';
  static constexpr std::size_t length = 34;
  static constexpr Appendage appendage = Appendage::always;
  static constexpr U32 urn = response_urn;
  static constexpr U32 quantity{"quantity", 13};
  static constexpr U64 price{"price", 17};
  static constexpr Letter liquidity{"liquidity_flag", 25};
  static constexpr U64 match{"match_number", 26};
  static constexpr std::tuple fields{timestamp, urn, quantity, price, liquidity, match};
};

struct BrokenTrade {
  static constexpr char type = 'B';
  static constexpr std::size_t length = 36;
  static constexpr Appendage appendage = Appendage::later;
  static constexpr U32 urn = response_urn;
  static constexpr U64 match{"match_number", 13};
  static constexpr Letter reason{"reason", 21};
  static constexpr Text<14> clordid{"cl_ord_id", 22};
  static constexpr std::tuple fields{timestamp, urn, match, reason, clordid};
};

struct Rejected {
  static constexpr char type = 'J';
  static constexpr std::size_t length = 29;
  static constexpr Appendage appendage = Appendage::later;
  static constexpr U32 urn = response_urn;
  static constexpr U16 reason{"reason", 13};
  static constexpr Text<14> clordid{"cl_ord_id", 15};
  static constexpr std::tuple fields{timestamp, urn, reason, clordid};
};

struct CancelPending {
  static constexpr char type = 'P';
  static constexpr std::size_t length = 13;
  static constexpr Appendage appendage = Appendage::later;
  static constexpr U32 urn = response_urn;
  static constexpr std::tuple fields{timestamp, urn};
};

struct CancelReject {
  static constexpr char type = 'I';
  static constexpr std::size_t length = 13;
  static constexpr Appendage appendage = Appendage::later;
  static constexpr U32 urn = response_urn;
  static constexpr std::tuple fields{timestamp, urn};
};

struct PriorityUpdate {
  static constexpr char type = 'T';
  static constexpr std::size_t length = 30;
  static constexpr Appendage appendage = Appendage::later;
  static constexpr U32 urn = response_urn;
  static constexpr U64 price{"price", 13};
  static constexpr Letter display{"display", 21};
  static constexpr U64 order_reference{"order_reference_number", 22};
  static constexpr std::tuple fields{timestamp, urn, price, display, order_reference};
};

struct Modified {
  static constexpr char type = 'M';
  static constexpr std::size_t length = 18;
  static constexpr Appendage appendage = Appendage::later;
  static constexpr U32 urn = response_urn;
  static constexpr Letter side{"side", 13};
  static constexpr U32 quantity{"quantity", 14};
  static constexpr std::tuple fields{timestamp, urn, side, quantity};
};

struct Restated {
  static constexpr char type = 'R';
  static constexpr std::size_t length = 14;
  static constexpr Appendage appendage = Appendage::always;
  static constexpr U32 urn = response_urn;
  static constexpr Letter reason{"reason", 13};
  static constexpr std::tuple fields{timestamp, urn, reason};
};

struct QueryResponse {
  static constexpr char type = 'Q';
  static constexpr std::size_t length = 13;
  static constexpr Appendage appendage = Appendage::later;
  static constexpr U32 next_urn{"next_user_ref_num", 9};
  static constexpr std::tuple fields{timestamp, next_urn};
};

struct MassCancelResponse {
  static constexpr char type = 'X';
  static constexpr std::size_t length = 25;
  static constexpr Appendage appendage = Appendage::later_only;
  static constexpr U32 urn = response_urn;
  static constexpr Text<4> firm{"firm", 13};
  static constexpr Text<8> symbol{"symbol", 17};
  static constexpr std::tuple fields{timestamp, urn, firm, symbol};
};

struct DisableResponse {
  static constexpr char type = 'G';
  static constexpr std::size_t length = 17;
  static constexpr Appendage appendage = Appendage::later_only;
  static constexpr U32 urn = response_urn;
  static constexpr Text<4> firm{"firm", 13};
  static constexpr std::tuple fields{timestamp, urn, firm};
};

struct EnableResponse {
  static constexpr char type = 'K';
  static constexpr std::size_t length = 17;
  static constexpr Appendage appendage = Appendage::later_only;
  static constexpr U32 urn = response_urn;
  static constexpr Text<4> firm{"firm", 13};
  static constexpr std::tuple fields{timestamp, urn, firm};
};

using Inbound = MessageList<EnterOrder, ReplaceOrder, CancelOrder, ModifyOrder, AccountQuery, MassCancel, DisableEntry,
                            EnableEntry>;
using Outbound = MessageList<SystemEvent, Accepted, Replaced, Canceled, AiqCanceled, Executed, BrokenTrade, Rejected,
                             CancelPending, CancelReject, PriorityUpdate, Modified, Restated, QueryResponse,
                             MassCancelResponse, DisableResponse, EnableResponse>;

}  // namespace hft::ouch
