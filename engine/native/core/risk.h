// The risk rules: one function per rule would hide their order, so they stand in one list, cheapest doubt first.
//
// Pure: everything they judge by comes in as `RiskView`. The first rule that refuses names the refusal; codes are
// those of engine/contract/refusals.py. A value at its limit passes, one more is refused.
#pragma once

#include <string_view>

#include "core/ledger.h"
#include "core/orders.h"
#include "core/windows.h"

namespace hft::core {

struct RiskView {
  const Limits& limits;
  const Ledger& ledger;
  const OrderTable& orders;
  const RateWindow& rate;
  const RecentOrders& recent;
  Bbo bbo;  // last good one of the order's symbol; zeros when there was none
  bool symbol_allowed = false;
  bool feed_stale = true;
  bool feed_gapped = false;
  std::uint64_t executions_since_resume = 0;
  std::uint64_t now_ns = 0;
  std::int64_t utc_ns = 0;
};

#ifdef HFT_DRILL
// Drill builds only, which refuse production tickets: every order passes, so that a drill can show who else stops it.
inline bool drill_no_risk = false;
#endif

// Empty when the order may leave, else the code of the rule that refuses it.
std::string_view judge(const OrderRequest& order, const RiskView& view);

// Would this order, filled whole together with all working orders of its side, bring the position nearer to zero?
bool only_reduces(const OrderRequest& order, const Holding& held);

bool daily_loss_hit(const Limits& limits, const Ledger& ledger);

}  // namespace hft::core
