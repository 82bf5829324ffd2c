// Who is admitted, refused beside accepted; and that every reason has its own code and sentence.
#include "gateway/admission.h"

#include <gtest/gtest.h>

#include <set>

namespace hft::gateway {
namespace {

constexpr std::string_view kNonce = "00ff";

Hello signed_hello() {
  Hello hello{"1.0.0", "a", "live", true, Ticket{"ny4-eng-1", "a", std::string(kNonce), {"art", "cfg", "lim"}}, true};
  return hello;
}

Reason reason_for(const House& house, const Hello& hello, bool slot_known = true) {
  return admit(house, hello, kNonce, slot_known).reason;
}

TEST(Reasons, EveryReasonStandsAtItsPlaceWithItsOwnCodeAndSentence) {
  std::set<std::string_view> codes;
  for (std::size_t index = 0; index < kReasons.size(); ++index) {
    EXPECT_EQ(static_cast<std::size_t>(kReasons[index].reason), index);
    EXPECT_TRUE(codes.insert(kReasons[index].code).second) << kReasons[index].code;
    EXPECT_FALSE(kReasons[index].sentence.empty());
    EXPECT_EQ(kReasons[index].sentence.find_first_of("\"\\"), std::string_view::npos);
  }
}

TEST(Admission, ASignedTicketForThisConnectionIsAdmittedAsHostAndSlot) {
  const auto admitted = admit({}, signed_hello(), kNonce, true);
  EXPECT_EQ(admitted.reason, Reason::ok);
  EXPECT_EQ(admitted.holder, "ny4-eng-1/a");
  EXPECT_EQ(admitted.runs, (Approval{"art", "cfg", "lim"}));
}

TEST(Admission, ATicketOfAnotherConnectionIsRefused) {
  auto hello = signed_hello();
  hello.ticket->nonce = "00fe";
  EXPECT_EQ(reason_for({}, hello), Reason::ticket_nonce);
}

TEST(Admission, AnUnsignedTicketIsRefused) {
  auto hello = signed_hello();
  hello.is_signed = false;
  EXPECT_EQ(reason_for({}, hello), Reason::ticket_signature);
}

TEST(Admission, AMissingMalformedOrForeignTicketIsRefused) {
  auto hello = signed_hello();
  hello.ticket->slot = "b";
  EXPECT_EQ(reason_for({}, hello), Reason::ticket_slot);
  hello.ticket.reset();
  EXPECT_EQ(reason_for({}, hello), Reason::ticket_malformed);
  hello.has_ticket = false;
  EXPECT_EQ(reason_for({}, hello), Reason::ticket_missing);
}

TEST(Admission, ATestGatewayAdmitsTestWithoutATicketAndNothingElse) {
  const House test{true, false};
  EXPECT_EQ(reason_for(test, {"1.0.0", "a", "test", false, {}, false}), Reason::ok);
  EXPECT_EQ(reason_for(test, {"1.0.0", "a", "live", false, {}, false}), Reason::test_only);
  EXPECT_EQ(reason_for(test, {"1.0.0", "a", "shadow", false, {}, false}), Reason::test_only);
  EXPECT_EQ(reason_for(test, signed_hello()), Reason::production_ticket);
  EXPECT_EQ(reason_for({}, {"1.0.0", "a", "test", false, {}, false}), Reason::test_only);
}

TEST(Admission, ADrillBuildRefusesProductionTicketsEvenWithoutItsTestSwitch) {
  EXPECT_EQ(reason_for({false, true}, signed_hello()), Reason::production_ticket);
}

TEST(Admission, ContractSlotAndEgressAreChecked) {
  auto hello = signed_hello();
  hello.contract = "1.7.3";
  EXPECT_EQ(reason_for({}, hello), Reason::ok);
  for (const auto* other : {"2.0.0", "", "10.0.0", "1"}) {
    hello.contract = other;
    EXPECT_EQ(reason_for({}, hello), Reason::contract_version) << other;
  }
  hello.contract = "1.0.0";
  EXPECT_EQ(reason_for({}, hello, false), Reason::slot_unknown);
  hello.egress = "Live";
  EXPECT_EQ(reason_for({}, hello), Reason::egress_unknown);
}

TEST(Claim, OnlyTheHolderOfTheFencedEpochRunningWhatWasApproved) {
  const Approval runs{"art", "cfg", "lim"};
  EpochState state(Fence{7, "h/a", {runs}});
  EXPECT_EQ(state.claim(7, "h/a", runs), Reason::ok);
  EXPECT_EQ(state.claim(6, "h/a", runs), Reason::stale_epoch);
  EXPECT_EQ(state.claim(8, "h/a", runs), Reason::epoch_not_fenced);
  EXPECT_EQ(state.claim(7, "h/b", runs), Reason::not_holder);
  EXPECT_EQ(state.claim(7, "h/a", {"other", "cfg", "lim"}), Reason::not_approved);
  EXPECT_EQ(state.claim(7, "h/a", {"art", "other", "lim"}), Reason::not_approved);
  EXPECT_EQ(state.claim(7, "h/a", {"art", "cfg", "other"}), Reason::not_approved);
  state.claimed_by("boot, 1, 2");
  EXPECT_EQ(state.claim(7, "h/a", runs, "boot, 1, 2"), Reason::ok);
  EXPECT_EQ(state.claim(7, "h/a", runs, "boot, 1, 3"), Reason::epoch_owned);
  EXPECT_EQ(state.claim(7, "h/b", runs, "boot, 1, 3"), Reason::not_holder) << "who it is comes first";
}

TEST(Fence, BlocksAtOnceAndIsClaimableOnlyWhenDurable) {
  EpochState state(Fence{7, "h/a", {}});
  const Fence next{8, "h/b", {{"art", "cfg", "lim"}}};
  EXPECT_EQ(state.raise(next), Reason::ok);
  EXPECT_TRUE(state.is_stale(7));
  EXPECT_EQ(state.claim(8, "h/b", {"art", "cfg", "lim"}), Reason::epoch_not_durable);
  EXPECT_EQ(state.claim_unsigned(8), Reason::epoch_not_durable);
  state.made_durable();
  EXPECT_EQ(state.claim(8, "h/b", {"art", "cfg", "lim"}), Reason::ok);
}

TEST(Fence, NeverFallsAndAnEpochHasOneHolder) {
  EpochState state(Fence{7, "h/a", {}});
  EXPECT_EQ(state.raise({6, "h/a", {}}), Reason::stale_epoch);
  EXPECT_EQ(state.raise({7, "h/b", {}}), Reason::epoch_taken);
  EXPECT_EQ(state.raise({7, "h/a", {}}), Reason::ok) << "its sender did not get the ack";
  EXPECT_EQ(state.raise({0, "h/a", {}}), Reason::fence_malformed);
  EXPECT_EQ(state.raise({clordid::kEpochLimit, "h/a", {}}), Reason::fence_malformed) << "no ClOrdID could name it";
  EXPECT_EQ(state.highest(), 7u);
}

TEST(Admission, AContractIsSinceAMinorVersionByItsNumber) {
  for (const char* later : {"1.2.0", "1.3.9", "1.10.0", "1.2"}) EXPECT_TRUE(is_since(later, 2)) << later;
  for (const char* earlier : {"1.1.9", "1.0.0", "1", "", "1.", "1.x.0"}) EXPECT_FALSE(is_since(earlier, 2)) << earlier;
}

}  // namespace
}  // namespace hft::gateway
