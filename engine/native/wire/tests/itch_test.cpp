// ITCH 5.0: lengths against the published table, every field there and back, every way to be rejected.
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "wire/each.h"
#include "wire/itch_decode.h"

namespace hft {
namespace {

// Lengths by type, Nasdaq TotalView-ITCH 5.0 specification; typed in here by hand, not taken from itch.h.
const std::map<char, std::size_t> kPublished{{'S', 12}, {'R', 39}, {'H', 25}, {'Y', 20}, {'L', 26}, {'V', 35},
                                             {'W', 12}, {'K', 28}, {'J', 35}, {'h', 21}, {'A', 36}, {'F', 40},
                                             {'E', 31}, {'C', 36}, {'X', 23}, {'D', 19}, {'U', 35}, {'P', 44},
                                             {'Q', 40}, {'B', 19}, {'I', 50}, {'N', 20}, {'O', 48}};

// A value for a field that differs from its neighbours' and fills the width.
template <class Field>
auto sample(const Field& field) {
  using Value = typename Field::value_type;
  if constexpr (std::is_same_v<Value, std::string_view>) {
    return std::string(Field::width - 1, static_cast<char>('A' + field.offset % 26)) + " ";
  } else if constexpr (std::is_same_v<Value, char>) {
    return static_cast<char>('a' + field.offset % 26);
  } else {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < Field::width; ++i) value = value << 8 | ((field.offset * 7 + i * 31 + 128) & 0xFF);
    return static_cast<Value>(value);
  }
}

TEST(Itch, EveryPublishedTypeHasItsPublishedLength) {
  EXPECT_EQ(itch::AllMessages::size, kPublished.size());
  for (int letter = 0; letter < 256; ++letter) {
    const auto found = kPublished.find(static_cast<char>(letter));
    EXPECT_EQ(itch::length_of(static_cast<char>(letter)), found == kPublished.end() ? 0 : found->second) << letter;
  }
}

TEST(Itch, EveryFieldOfEveryTypeComesBackAsItWasSet) {
  for_each_message(itch::AllMessages{}, [&]<class M>() {
    std::array<std::uint8_t, itch::kMessageBytesMax> bytes;
    Writer<M> writer(bytes.data());
    for_each_field<M>([&](const auto& field) { writer.set(field, sample(field)); });
    ASSERT_EQ(itch::check(writer.bytes()), Reject::none) << M::type;
    int visited = 0;
    itch::visit(writer.bytes(), [&]<class Seen>(View<Seen> view) {
      EXPECT_EQ(Seen::type, M::type);
      ++visited;
      for_each_field<Seen>([&](const auto& field) { EXPECT_EQ(view[field], sample(field)) << field.name; });
    });
    EXPECT_EQ(visited, 1);
  });
}

TEST(Itch, AnyOtherLengthIsRejectedWithItsReasonAndVisitsNothing) {
  for (const auto& [type, length] : kPublished) {
    std::vector<std::uint8_t> bytes(64, 0);
    bytes[0] = static_cast<std::uint8_t>(type);
    for (std::size_t size = 1; size <= bytes.size(); ++size) {
      const auto want = size == length ? Reject::none : size < length ? Reject::too_short : Reject::too_long;
      bool visited = false;
      EXPECT_EQ(itch::visit(Bytes(bytes).first(size), [&](auto) { visited = true; }), want);
      EXPECT_EQ(visited, want == Reject::none);
    }
  }
}

TEST(Itch, UnknownTypesAndNoBytesAreNamed) {
  const std::array<std::uint8_t, 12> unknown{'z'};
  EXPECT_EQ(itch::check(unknown), Reject::unknown_type);
  EXPECT_EQ(itch::check({}), Reject::empty);
  EXPECT_EQ(itch::check_by_type({}).why, Reject::empty);
  EXPECT_EQ(itch::check_by_type(unknown).why, Reject::unknown_type);
}

TEST(Itch, ByTypeTakesTheTypesLengthOffTheFront) {
  std::vector<std::uint8_t> bytes(19 + 5, 0);
  bytes[0] = 'D';
  const auto found = itch::check_by_type(bytes);
  EXPECT_EQ(found.why, Reject::none);
  EXPECT_EQ(found.length, 19U);
  EXPECT_EQ(itch::check_by_type(Bytes(bytes).first(18)).why, Reject::too_short);
}

TEST(Itch, KnownBytesOfAnAddOrderReadAsWritten) {
  // Laid out by hand from the specification's table.
  const std::array<std::uint8_t, 36> bytes{'A',  0x00, 0x07, 0x00, 0x02, 0x1F, 0x1A, 0xCE, 0xDA, 0x33, 0xE6, 0x00,
                                           0x00, 0x00, 0x00, 0x00, 0x00, 0x30, 0x39, 'S',  0x00, 0x00, 0x00, 0x64,
                                           'A',  'A',  'P',  'L',  ' ',  ' ',  ' ',  ' ',  0x00, 0x16, 0xE3, 0x60};
  const View<itch::AddOrder> view(bytes.data());
  EXPECT_EQ(view[itch::locate], 7);
  EXPECT_EQ(view[itch::tracking], 2);
  EXPECT_EQ(view[itch::timestamp], 34'200'000'017'382U);
  EXPECT_EQ(view[itch::AddOrder::reference], 12345U);
  EXPECT_EQ(view[itch::AddOrder::side], 'S');
  EXPECT_EQ(view[itch::AddOrder::shares], 100U);
  EXPECT_EQ(trimmed(view[itch::AddOrder::stock]), "AAPL");
  EXPECT_EQ(view[itch::AddOrder::price], 1'500'000U);
}

TEST(Itch, TheSevenOrderTypesAreThoseThatNameAnOrder) {
  std::string named;
  for (const auto& [type, length] : kPublished) named += itch::names_an_order(type) ? std::string(1, type) : "";
  EXPECT_EQ(named, "ACDEFUX");
}

}  // namespace
}  // namespace hft
