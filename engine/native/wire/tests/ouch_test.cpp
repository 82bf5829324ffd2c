// OUCH 5.0: lengths of both profiles against the published tables, fields there and back, appendages, rejects.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "wire/each.h"
#include "wire/ouch_codec.h"

namespace hft {
namespace {

using ouch::Profile;

struct Lengths {
  std::size_t text_2023;  // 0: not in this profile
  std::size_t later;
};
// By hand: Nasdaq's text of 2 May 2023 (offset of the last field + its length), and the later edition as one
// public parser has it.
const std::map<char, Lengths> kInbound{{'O', {47, 47}}, {'U', {40, 40}}, {'X', {9, 11}}, {'M', {10, 12}},
                                       {'Q', {1, 3}},   {'C', {0, 19}},  {'D', {0, 11}}, {'E', {0, 11}}};
const std::map<char, Lengths> kOutbound{
    {'S', {10, 10}}, {'A', {64, 64}}, {'U', {68, 68}}, {'C', {18, 20}}, {'D', {32, 34}}, {'E', {36, 36}},
    {'B', {36, 38}}, {'J', {29, 31}}, {'P', {13, 15}}, {'I', {13, 15}}, {'T', {30, 32}}, {'M', {18, 20}},
    {'R', {16, 16}}, {'Q', {13, 15}}, {'X', {0, 27}},  {'G', {0, 19}},  {'K', {0, 19}}};

template <class M>
std::vector<std::uint8_t> encoded(Profile profile) {
  std::vector<std::uint8_t> out(ouch::kMessageBytesMax);
  const ouch::Encoder<M> encoder(out, profile);
  const auto size = encoder.bytes().size();
  out.resize(size);
  return out;
}

template <class List>
void expect_lengths(const std::map<char, Lengths>& published) {
  EXPECT_EQ(List::size, published.size());
  for_each_message(List{}, [&]<class M>() {
    const auto found = published.find(M::type);
    ASSERT_NE(found, published.end()) << M::type;
    EXPECT_EQ(encoded<M>(Profile::ouch5_2023_05).size(), found->second.text_2023) << M::type;
    EXPECT_EQ(encoded<M>(Profile::ouch5_later).size(), found->second.later) << M::type;
  });
}

TEST(Ouch, EveryInboundMessageHasItsPublishedLengthInBothProfiles) { expect_lengths<ouch::Inbound>(kInbound); }
TEST(Ouch, EveryOutboundMessageHasItsPublishedLengthInBothProfiles) { expect_lengths<ouch::Outbound>(kOutbound); }

template <class Field>
auto filled(const Field& field) {
  using Value = typename Field::value_type;
  if constexpr (std::is_same_v<Value, std::string_view>) {
    return std::string(Field::width, static_cast<char>('A' + field.offset % 26));
  } else if constexpr (std::is_same_v<Value, char>) {
    return static_cast<char>('a' + field.offset % 26);
  } else {
    return static_cast<Value>(0x8899AABBCCDDEEFFULL * (field.offset + 1));
  }
}

template <class List, class Decode, class Visit>
void expect_round_trips(Profile profile, Decode decode, Visit visit) {
  for_each_message(List{}, [&]<class M>() {
    if (!ouch::knows(profile, M::appendage)) return;
    std::vector<std::uint8_t> out(ouch::kMessageBytesMax);
    ouch::Encoder<M> encoder(out, profile);
    for_each_field<M>([&](const auto& field) { encoder.set(field, filled(field)); });
    for (const Profile reader : {profile, Profile::any}) {
      const auto message = decode(encoder.bytes(), reader);
      ASSERT_EQ(message.why, Reject::none) << M::type;
      int visited = 0;
      visit(message, [&]<class Seen>(View<Seen> view) {
        ++visited;
        EXPECT_EQ(Seen::type, M::type);
        for_each_field<Seen>([&](const auto& field) { EXPECT_EQ(view[field], filled(field)) << field.name; });
      });
      EXPECT_EQ(visited, 1);
    }
  });
}

TEST(Ouch, EveryFieldComesBackAsItWasSetInBothProfiles) {
  for (const Profile profile : {Profile::ouch5_2023_05, Profile::ouch5_later}) {
    expect_round_trips<ouch::Inbound>(profile, ouch::decode_inbound,
                                      [](auto& m, auto v) { ouch::visit_inbound(m, v); });
    expect_round_trips<ouch::Outbound>(profile, ouch::decode_outbound,
                                       [](auto& m, auto v) { ouch::visit_outbound(m, v); });
  }
}

TEST(Ouch, EveryTruncationAndEveryExtraByteIsRejectedByItsProfile) {
  for (const Profile profile : {Profile::ouch5_2023_05, Profile::ouch5_later}) {
    for_each_message(ouch::Outbound{}, [&]<class M>() {
      auto bytes = encoded<M>(profile);
      if (bytes.empty()) return;
      for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_NE(ouch::decode_outbound(Bytes(bytes).first(size), profile).why, Reject::none) << M::type << size;
      }
      bytes.push_back(0);
      EXPECT_EQ(ouch::decode_outbound(bytes, profile).why, Reject::too_long) << M::type;
    });
  }
}

TEST(Ouch, AnyProfileTakesCancelAndCanceledInBothForms) {
  for (const Profile profile : {Profile::ouch5_2023_05, Profile::ouch5_later}) {
    EXPECT_TRUE(ouch::decode_inbound(encoded<ouch::CancelOrder>(profile)).is<ouch::CancelOrder>());
    EXPECT_TRUE(ouch::decode_outbound(encoded<ouch::Canceled>(profile)).is<ouch::Canceled>());
  }
  EXPECT_EQ(ouch::decode_inbound(encoded<ouch::CancelOrder>(Profile::ouch5_later), Profile::ouch5_2023_05).why,
            Reject::too_long);
  EXPECT_EQ(ouch::decode_inbound(encoded<ouch::CancelOrder>(Profile::ouch5_2023_05), Profile::ouch5_later).why,
            Reject::too_short);
}

TEST(Ouch, MassCancelDisableAndEnableAreUnknownToTheTextOf2023) {
  const auto mass = encoded<ouch::MassCancel>(Profile::ouch5_later);
  EXPECT_EQ(ouch::decode_inbound(mass, Profile::ouch5_2023_05).why, Reject::unknown_type);
  EXPECT_TRUE(ouch::decode_inbound(mass, Profile::ouch5_later).is<ouch::MassCancel>());
  EXPECT_TRUE(encoded<ouch::DisableEntry>(Profile::ouch5_2023_05).empty());
}

TEST(Ouch, OptionsComeBackInOrderAndByTag) {
  std::array<std::uint8_t, 128> out;
  ouch::Encoder<ouch::EnterOrder> encoder(out, Profile::ouch5_2023_05);
  EXPECT_TRUE(encoder.add(ouch::kFirm, as_bytes("FIRM")));
  EXPECT_TRUE(encoder.add_number<4>(ouch::kMinQuantity, 100));
  EXPECT_EQ(encoder.bytes().size(), 47U + 6 + 6);
  const auto message = ouch::decode_inbound(encoder.bytes());
  ASSERT_TRUE(message.is<ouch::EnterOrder>());
  std::vector<int> tags;
  ouch::for_each_option(message.options, [&](const ouch::Option& option) { tags.push_back(option.tag); });
  EXPECT_EQ(tags, (std::vector<int>{2, 3}));
  EXPECT_EQ(as_text(*ouch::find_option(message.options, ouch::kFirm)), "FIRM");
  EXPECT_EQ(load_be<4>(ouch::find_option(message.options, ouch::kMinQuantity)->data()), 100U);
  EXPECT_FALSE(ouch::find_option(message.options, ouch::kRoute));
}

TEST(Ouch, OptionsThatDoNotTileTheAppendageAreRejected) {
  const std::vector<std::vector<std::uint8_t>> bad{{0}, {1}, {2, 1}, {5, 2, 'F', 'I', 'R'}, {1, 9, 0}};
  for (const auto& options : bad) {
    auto bytes = encoded<ouch::EnterOrder>(Profile::ouch5_2023_05);
    store_be<2>(bytes.data() + 45, options.size());
    bytes.insert(bytes.end(), options.begin(), options.end());
    EXPECT_EQ(ouch::decode_inbound(bytes).why, Reject::bad_appendage);
  }
  auto bytes = encoded<ouch::EnterOrder>(Profile::ouch5_2023_05);
  store_be<2>(bytes.data() + 45, 1);
  EXPECT_EQ(ouch::decode_inbound(bytes).why, Reject::bad_length);
}

TEST(Ouch, EncoderSaysNoInsteadOfOverrunning) {
  std::array<std::uint8_t, 50> out;
  out.fill(0xAB);
  ouch::Encoder<ouch::EnterOrder> encoder(MutableBytes(out).first(49), Profile::ouch5_2023_05);
  EXPECT_FALSE(encoder.add(ouch::kPostOnly, as_bytes("P")));
  EXPECT_TRUE(encoder.add(ouch::kPostOnly, {}));
  EXPECT_EQ(out[49], 0xAB);
  ouch::Encoder<ouch::EnterOrder> none(MutableBytes(out).first(46), Profile::ouch5_2023_05);
  EXPECT_TRUE(none.set(ouch::EnterOrder::urn, 1).bytes().empty());
  ouch::Encoder<ouch::CancelOrder> bare(out, Profile::ouch5_2023_05);
  EXPECT_FALSE(bare.add(ouch::kFirm, as_bytes("FIRM"))) << "a message without an appendage takes no option";
}

TEST(Ouch, RealFormOfACancelReads) {
  // Cancel of 9 bytes, as venue captures show it: reference number 3, intended size 0.
  const std::array<std::uint8_t, 9> bytes{'X', 0, 0, 0, 3, 0, 0, 0, 0};
  const auto message = ouch::decode_inbound(bytes);
  ASSERT_TRUE(message.is<ouch::CancelOrder>());
  EXPECT_FALSE(message.has_appendage_length);
  EXPECT_EQ(message.as<ouch::CancelOrder>()[ouch::CancelOrder::urn], 3U);
}

TEST(Ouch, ProfileNamesComeBack) {
  for (const auto* name : {"ouch5-2023-05", "ouch5-later"}) EXPECT_EQ(ouch::to_text(*ouch::profile_of(name)), name);
  EXPECT_FALSE(ouch::profile_of("ouch4"));
}

}  // namespace
}  // namespace hft
