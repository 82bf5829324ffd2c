// What the venue or the law would refuse: at the edge it passes, one beyond it does not.
#include <gtest/gtest.h>

#include "gateway/admission.h"
#include "gateway/ouch_view.h"
#include "gateway/venue_rules.h"

namespace hft::gateway {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;

OrderFields good() { return {'B', '0', 'Y', 'P', 'N', 'N', 100, 10'000}; }

TEST(Fields, EveryLetterIsOneOfAClosedSet) {
  const VenueRules rules;
  EXPECT_EQ(judge_fields(rules, good()), Reason::ok);
  struct Field {
    char OrderFields::* letter;
    std::string_view allowed;
    Reason reason;
  };
  for (const auto& [letter, allowed, reason] : {Field{&OrderFields::side, "BSTE", Reason::field_side},
                                                Field{&OrderFields::time_in_force, "03", Reason::field_time_in_force},
                                                Field{&OrderFields::display, "YNA", Reason::field_display},
                                                Field{&OrderFields::capacity, "APRO", Reason::field_capacity},
                                                Field{&OrderFields::sweep, "YN", Reason::field_sweep},
                                                Field{&OrderFields::cross_type, "N", Reason::field_cross_type}}) {
    for (int value = 0; value < 256; ++value) {
      auto order = good();
      order.*letter = static_cast<char>(value);
      const bool is_allowed = allowed.find(static_cast<char>(value)) != std::string_view::npos;
      EXPECT_EQ(judge_fields(rules, order), is_allowed ? Reason::ok : reason) << value;
    }
  }
}

TEST(Fields, QuantityAndPriceAreWhatTheProtocolCarries) {
  auto order = good();
  for (const auto& [quantity, reason] :
       {std::pair{0U, Reason::field_quantity}, std::pair{1U, Reason::ok}, std::pair{999'999U, Reason::ok},
        std::pair{1'000'000U, Reason::field_quantity}}) {
    order.quantity = quantity;
    EXPECT_EQ(judge_fields({}, order), reason) << quantity;
  }
  order = good();
  for (const auto& [price, reason] :
       {std::pair{std::uint64_t{0}, Reason::field_price}, std::pair{std::uint64_t{1}, Reason::ok},
        std::pair{kPriceMostE4, Reason::ok}, std::pair{kPriceMostE4 + 1, Reason::field_price}}) {
    order.price_e4 = price;
    EXPECT_EQ(judge_fields({}, order), reason) << price;
  }
}

TEST(Tick, IsACentFromADollarOnAndAHundredthOfThatBelow) {
  for (const std::uint64_t price : {1UL, 9'999UL, 10'000UL, 10'100UL, 980'000UL})
    EXPECT_EQ(judge_tick({}, price), Reason::ok) << price;
  for (const std::uint64_t price : {10'001UL, 10'050UL, 980'001UL, 980'099UL})
    EXPECT_EQ(judge_tick({}, price), Reason::tick) << price;
}

TEST(Sale, IsLongAsFarAsItIsHeld) {
  VenueRules rules;
  rules.positions_at_open["A"]["X"] = 100;
  const auto judged = [&](Held held, std::uint32_t quantity) {
    return judge_sale(rules, "A", "X", held, 'S', quantity);
  };
  EXPECT_EQ(judged({}, 100), Reason::ok);
  EXPECT_EQ(judged({}, 101), Reason::short_mark);
  EXPECT_EQ(judged({.position = 50}, 150), Reason::ok);
  EXPECT_EQ(judged({.position = -50}, 51), Reason::short_mark);
  EXPECT_EQ(judged({.selling = 60}, 41), Reason::short_mark) << "what works to be sold is not held twice";
  EXPECT_EQ(judge_sale(rules, "B", "X", {}, 'S', 1), Reason::short_mark) << "another account's";
  EXPECT_EQ(judge_sale(rules, "A", "X", {.position = -1'000}, 'B', 999), Reason::ok);
}

TEST(Sale, IsShortAsFarAsItIsLocated) {
  VenueRules rules;
  rules.locates["A"]["X"] = 100;
  for (const char side : {'T', 'E'}) {
    EXPECT_EQ(judge_sale(rules, "A", "X", {}, side, 100), Reason::ok);
    EXPECT_EQ(judge_sale(rules, "A", "X", {}, side, 101), Reason::short_locate);
    EXPECT_EQ(judge_sale(rules, "A", "X", {.selling_short = 50}, side, 51), Reason::short_locate);
    EXPECT_EQ(judge_sale(rules, "A", "X", {.sold_short = 100}, side, 1), Reason::short_locate);
    EXPECT_EQ(judge_sale(rules, "A", "Y", {}, side, 1), Reason::short_locate);
  }
}

struct SaleOfOrders : ::testing::Test {
  static OpenOrder sale(std::uint32_t urn, char side, std::uint32_t quantity) {
    return {urn, quantity, 10'000, side, true, "X", "0000500000001"};
  }
  Orders orders;
};

TEST_F(SaleOfOrders, WhatWorksToBeSoldFollowsEveryEvent) {
  orders.sent(sale(1, 'S', 100));
  EXPECT_EQ(orders.held("X").selling, 100);
  orders.accepted(sale(1, 'S', 100), true);
  orders.sent(sale(2, 'T', 70));
  orders.accepted(sale(2, 'T', 70), true);
  EXPECT_EQ(orders.held("X").selling, 100);
  EXPECT_EQ(orders.held("X").selling_short, 70);
  orders.executed(1, 30);
  orders.executed(2, 20);
  EXPECT_EQ(orders.held("X").selling, 70);
  EXPECT_EQ(orders.held("X").selling_short, 50);
  EXPECT_EQ(orders.held("X").sold_short, 20);
  EXPECT_EQ(orders.held("X").position, -50);
  orders.replaced(1, sale(3, 'S', 40), true);
  EXPECT_EQ(orders.held("X").selling, 40);
  orders.modified(3, 'T', 10);
  EXPECT_EQ(orders.held("X").selling, 0);
  EXPECT_EQ(orders.held("X").selling_short, 60);
  orders.canceled(2, 50);
  auto unanswered = sale(4, 'S', 5);
  unanswered.is_answered = false;
  orders.sent(unanswered);
  orders.forget_unanswered();
  orders.canceled(3, 4);
  EXPECT_EQ(orders.held("X").selling, 0);
  EXPECT_EQ(orders.held("X").selling_short, 6);
  orders.rejected(3, "");
  EXPECT_EQ(orders.held("X").selling_short, 0);
}

struct RulesAtTheGate : ::testing::Test {
  RulesAtTheGate() {
    gate.epoch = EpochState(Fence{5, "h/a", {}});
    gate.limits = Limits{3, 100 * kSecondNs, 1000, 1000, 1'000'000'000, {"X", "Y"}, "sha256:x"};
    gate.limits->rules.positions_at_open["ACC1"]["X"] = 100;
    party = {Egress::live, "h/a", {}, true, 5, "00005", 0};
    account.name = "ACC1";
    account.window.resize(1000);
  }
  Message enter(std::uint32_t urn, char side, std::uint32_t quantity) const {
    return {Kind::enter, 'O', urn, 0, side, quantity, 10'000, "X", "0000500000001 "};
  }
  Message replace(std::uint32_t original, std::uint32_t urn, std::uint32_t quantity) const {
    return {Kind::replace, 'U', urn, original, 'B', quantity, 10'000, {}, "0000500000002 "};
  }
  Message modify(std::uint32_t urn, char side, std::uint32_t quantity) const {
    return {Kind::modify, 'M', urn, 0, side, quantity, 0, {}, {}};
  }
  Reason ask(const Message& message) const { return judge(gate, party, account, message, moment); }
  void let_out(const Message& message) { forwarded(gate, party, account, message, moment); }

  Gate gate;
  Party party;
  Account account;
  Moment moment{kSecondNs, kSecondNs, true};
};

TEST_F(RulesAtTheGate, AReplaceIsJudgedAsWhatItLeaves) {
  let_out(enter(1, 'S', 80));
  EXPECT_EQ(ask(enter(2, 'S', 21)), Reason::short_mark);
  EXPECT_EQ(ask(replace(1, 2, 100)), Reason::ok) << "the old one goes";
  EXPECT_EQ(ask(replace(1, 2, 101)), Reason::short_mark);
  auto odd = replace(1, 2, 50);
  odd.price_e4 = 10'001;
  EXPECT_EQ(ask(odd), Reason::tick);
  odd.price_e4 = 10'000;
  odd.time_in_force = 'z';
  EXPECT_EQ(ask(odd), Reason::field_time_in_force);
}

TEST_F(RulesAtTheGate, AModifyLeavesLessOrMarksASaleAnew) {
  let_out(enter(1, 'S', 80));
  EXPECT_EQ(ask(modify(1, 'S', 80)), Reason::ok);
  EXPECT_EQ(ask(modify(1, 'S', 81)), Reason::field_quantity);
  EXPECT_EQ(ask(modify(1, 'B', 50)), Reason::field_side);
  EXPECT_EQ(ask(modify(1, 'x', 50)), Reason::field_side);
  EXPECT_EQ(ask(modify(1, 'T', 50)), Reason::short_locate);
  gate.limits->rules.locates["ACC1"]["X"] = 50;
  EXPECT_EQ(ask(modify(1, 'T', 50)), Reason::ok);
  EXPECT_EQ(ask(modify(9, 'S', 1)), Reason::replaces_unknown);
  gate.latch.set({Scope::site, "", "", 0});
  EXPECT_EQ(ask(modify(1, 'S', 10)), Reason::ok) << "it closes";
}

TEST_F(RulesAtTheGate, AHaltedSymbolTakesNoOrderAndEveryCancel) {
  gate.limits->rules.halted = {"X"};
  EXPECT_EQ(ask(enter(1, 'B', 1)), Reason::halted);
  EXPECT_EQ(ask({Kind::cancel, 'X', 1, 0, 'B', 0, 0, {}, {}}), Reason::ok);
  auto other = enter(1, 'B', 1);
  other.symbol = "Y";
  EXPECT_EQ(ask(other), Reason::ok);
}

}  // namespace
}  // namespace hft::gateway
