// The L3 book: each message type, priority, tolerance, the digest, and a long run against the reference book.
#include <gtest/gtest.h>

#include <string>

#include "book/generator.h"
#include "book/reference_book.h"
#include "book/run.h"

namespace hft::book {
namespace {

class BookTest : public ::testing::Test {
 protected:
  Result add(std::uint64_t reference, char side, std::uint32_t shares, std::uint32_t price, std::uint16_t locate = 7) {
    Writer<itch::AddOrder> writer(bytes_.data());
    writer.set(itch::locate, locate).set(itch::AddOrder::reference, reference).set(itch::AddOrder::side, side);
    writer.set(itch::AddOrder::shares, shares).set(itch::AddOrder::price, price).set(itch::AddOrder::stock, "TEST");
    return apply(writer.bytes());
  }

  Result execute(std::uint64_t reference, std::uint32_t shares) {
    Writer<itch::OrderExecuted> writer(bytes_.data());
    writer.set(itch::locate, 7).set(itch::OrderExecuted::reference, reference).set(itch::OrderExecuted::shares, shares);
    return apply(writer.bytes());
  }

  Result cancel(std::uint64_t reference, std::uint32_t shares) {
    Writer<itch::OrderCancel> writer(bytes_.data());
    writer.set(itch::locate, 7).set(itch::OrderCancel::reference, reference).set(itch::OrderCancel::shares, shares);
    return apply(writer.bytes());
  }

  Result remove(std::uint64_t reference) {
    Writer<itch::OrderDelete> writer(bytes_.data());
    writer.set(itch::locate, 7).set(itch::OrderDelete::reference, reference);
    return apply(writer.bytes());
  }

  Result replace(std::uint64_t reference, std::uint64_t fresh, std::uint32_t shares, std::uint32_t price) {
    Writer<itch::OrderReplace> writer(bytes_.data());
    writer.set(itch::locate, 7).set(itch::OrderReplace::reference, reference);
    writer.set(itch::OrderReplace::new_reference, fresh).set(itch::OrderReplace::shares, shares);
    return apply(writer.set(itch::OrderReplace::price, price).bytes());
  }

  // After every message: the rolling digest is the one from scratch, and the reference book's.
  Result apply(Bytes message) {
    const Result result = book_.apply(message);
    reference_.apply(message);
    EXPECT_EQ(book_.digest(), book_.recomputed_digest());
    EXPECT_EQ(book_.digest(), reference_.digest());
    EXPECT_EQ(book_.orders_live(), reference_.orders_live());
    return result;
  }

  // "price:ref/shares,ref/shares" per level, best first.
  std::string depth(Side side, std::uint16_t locate = 7) const {
    std::string text;
    book_.for_each_level(locate, side, [&](const Level& level) {
      text += (text.empty() ? "" : " ") + std::to_string(level.price) + ":";
      book_.for_each_order(level, [&](const Order& order) {
        text += (text.back() == ':' ? "" : ",") + std::to_string(order.reference) + "/" + std::to_string(order.shares);
      });
    });
    return text;
  }

  std::array<std::uint8_t, itch::kMessageBytesMax> bytes_{};
  Book book_{Limits{64, 64, 16}};
  ReferenceBook reference_;
};

TEST_F(BookTest, OrdersQueueInArrivalOrderAndLevelsInPriceOrder) {
  add(1, 'B', 100, 1000);
  add(2, 'B', 200, 1010);
  add(3, 'B', 300, 1000);
  add(4, 'S', 400, 1030);
  add(5, 'S', 500, 1020);
  EXPECT_EQ(depth(Side::bid), "1010:2/200 1000:1/100,3/300");
  EXPECT_EQ(depth(Side::ask), "1020:5/500 1030:4/400");
  EXPECT_EQ(book_.bbo(7).bid, (Top{1010, 200, 1}));
  EXPECT_EQ(book_.bbo(7).ask, (Top{1020, 500, 1}));
  EXPECT_EQ(trimmed(book_.stock(7)), "TEST");
}

TEST_F(BookTest, ExecutionAndCancelReduceInPlaceAndEndAnOrderAtNothing) {
  add(1, 'B', 100, 1000);
  add(2, 'B', 200, 1000);
  execute(1, 40);
  EXPECT_EQ(depth(Side::bid), "1000:1/60,2/200");
  cancel(1, 10);
  EXPECT_EQ(depth(Side::bid), "1000:1/50,2/200");
  execute(1, 50);
  EXPECT_EQ(depth(Side::bid), "1000:2/200");
  EXPECT_EQ(book_.bbo(7).bid, (Top{1000, 200, 1}));
}

TEST_F(BookTest, DeleteFromFrontMiddleAndBackKeepsTheRestInOrder) {
  for (std::uint64_t reference = 1; reference <= 5; ++reference) add(reference, 'S', 10, 500);
  remove(3);
  EXPECT_EQ(depth(Side::ask), "500:1/10,2/10,4/10,5/10");
  remove(1);
  remove(5);
  EXPECT_EQ(depth(Side::ask), "500:2/10,4/10");
  remove(2);
  remove(4);
  EXPECT_EQ(depth(Side::ask), "");
  EXPECT_EQ(book_.levels_live(), 0U);
  EXPECT_EQ(book_.digest(), 0U) << "an empty book has the digest of an empty book";
}

TEST_F(BookTest, ReplaceLosesPriorityEvenAtTheSamePrice) {
  add(1, 'B', 100, 1000);
  add(2, 'B', 200, 1000);
  replace(1, 11, 100, 1000);
  EXPECT_EQ(depth(Side::bid), "1000:2/200,11/100");
  replace(2, 12, 50, 1005);
  EXPECT_EQ(depth(Side::bid), "1005:12/50 1000:11/100");
}

TEST_F(BookTest, UnknownReferencesAreCountedAndChangeNothing) {
  add(1, 'B', 100, 1000);
  const auto before = book_.digest();
  for (const Applied what : {execute(9, 1).what, cancel(9, 1).what, remove(9).what, replace(9, 10, 1, 1).what}) {
    EXPECT_EQ(what, Applied::unknown_reference);
  }
  EXPECT_EQ(book_.counters().of(Applied::unknown_reference), 4U);
  EXPECT_EQ(book_.digest(), before);
}

TEST_F(BookTest, DuplicateReferencesWrongSidesAndNothingAreRejectedByName) {
  add(1, 'B', 100, 1000);
  add(2, 'B', 100, 1000);
  EXPECT_EQ(add(1, 'S', 5, 1100).what, Applied::duplicate_reference);
  EXPECT_EQ(replace(1, 2, 5, 1100).what, Applied::duplicate_reference);
  EXPECT_EQ(add(3, 'X', 5, 1100).what, Applied::bad_field);
  EXPECT_EQ(add(3, 'S', 0, 1100).what, Applied::zero_shares);
  EXPECT_EQ(execute(1, 0).what, Applied::zero_shares);
  EXPECT_EQ(replace(1, 3, 0, 1100).what, Applied::zero_shares);
  EXPECT_EQ(depth(Side::bid), "1000:1/100,2/100");
  EXPECT_EQ(depth(Side::ask), "");
}

TEST_F(BookTest, TakingMoreThanThereIsEndsTheOrderAndIsCounted) {
  add(1, 'B', 100, 1000);
  EXPECT_EQ(execute(1, 101).what, Applied::changed);
  EXPECT_EQ(depth(Side::bid), "");
  EXPECT_EQ(book_.counters().excess_shares, 1U);
}

TEST_F(BookTest, ADifferentLocateIsCountedAndTheOrdersOwnCounts) {
  add(1, 'B', 100, 1000, 3);
  remove(1);
  EXPECT_EQ(book_.counters().locate_mismatch, 1U);
  EXPECT_EQ(depth(Side::bid, 3), "");
}

TEST_F(BookTest, OnlyTheBestLevelsChangesSayTopChanged) {
  EXPECT_TRUE(add(1, 'B', 100, 1000).top_changed);
  EXPECT_FALSE(add(2, 'B', 100, 990).top_changed);
  EXPECT_TRUE(add(3, 'B', 100, 1000).top_changed);
  EXPECT_FALSE(cancel(2, 10).top_changed);
  EXPECT_TRUE(cancel(3, 10).top_changed);
  EXPECT_FALSE(remove(2).top_changed);
  EXPECT_FALSE(add(4, 'B', 10, 980).top_changed);
  EXPECT_TRUE(replace(1, 5, 10, 970).top_changed) << "left the best level";
  EXPECT_TRUE(replace(4, 6, 10, 1100).top_changed) << "became the best level";
}

TEST_F(BookTest, WhatIsNoMessageChangesNothing) {
  add(1, 'B', 100, 1000);
  const auto before = book_.digest();
  const std::array<std::uint8_t, 19> unknown{'?'};
  EXPECT_EQ(apply(unknown).what, Applied::malformed);
  EXPECT_EQ(apply({}).what, Applied::malformed);
  EXPECT_EQ(apply(Bytes(bytes_).first(35)).what, Applied::malformed);
  EXPECT_EQ(book_.digest(), before);
}

TEST_F(BookTest, AFullBookSaysSoAndGoesOn) {
  for (std::uint64_t reference = 1; reference <= 64; ++reference) add(reference, 'B', 1, 1000);
  Writer<itch::AddOrder> writer(bytes_.data());
  writer.set(itch::locate, 7).set(itch::AddOrder::reference, 65).set(itch::AddOrder::side, 'B');
  writer.set(itch::AddOrder::shares, 1).set(itch::AddOrder::price, 1000);
  EXPECT_EQ(book_.apply(writer.bytes()).what, Applied::capacity);
  writer.set(itch::locate, 16).set(itch::AddOrder::reference, 66);
  EXPECT_EQ(book_.apply(writer.bytes()).what, Applied::capacity) << "a locate beyond the table";
  remove(64);
  EXPECT_EQ(add(67, 'B', 1, 1000).what, Applied::changed);
}

TEST_F(BookTest, DigestTellsOrderOfArrivalApart) {
  Book other{Limits{64, 64, 16}};
  add(1, 'B', 100, 1000);
  other.apply(Writer<itch::AddOrder>(bytes_.data())
                  .set(itch::locate, 7)
                  .set(itch::AddOrder::reference, 2)
                  .set(itch::AddOrder::side, 'B')
                  .set(itch::AddOrder::shares, 100)
                  .set(itch::AddOrder::price, 1000)
                  .bytes());
  other.apply(Writer<itch::AddOrder>(bytes_.data())
                  .set(itch::locate, 7)
                  .set(itch::AddOrder::reference, 1)
                  .set(itch::AddOrder::side, 'B')
                  .set(itch::AddOrder::shares, 100)
                  .set(itch::AddOrder::price, 1000)
                  .bytes());
  add(2, 'B', 100, 1000);
  EXPECT_NE(book_.digest(), other.digest());
}

void expect_equal_streams(Mix mix, std::uint64_t seed) {
  Generator generator({.seed = seed, .symbols = 50, .live_orders = 3000, .mix = mix});
  Book book{Limits{8192, 8192, 64}};
  ReferenceBook reference;
  std::array<std::uint8_t, itch::kMessageBytesMax> bytes;
  for (int i = 0; i < 60'000; ++i) {
    const Bytes message = generator.next(bytes);
    book.apply(message);
    reference.apply(message);
    if (i % 500 != 0) continue;
    ASSERT_EQ(book.digest(), reference.digest()) << i;
    const auto locate = static_cast<std::uint16_t>(1 + i / 500 % 50);
    for (const Side side : {Side::bid, Side::ask}) ASSERT_EQ(book.top(locate, side), reference.top(locate, side));
  }
  EXPECT_EQ(book.digest(), reference.digest());
  EXPECT_EQ(book.digest(), book.recomputed_digest());
  EXPECT_EQ(book.orders_live(), reference.orders_live());
  EXPECT_EQ(book.levels_live(), reference.levels_live());
  EXPECT_EQ(book.orders_live(), generator.live());
  EXPECT_EQ(book.counters().of(Applied::unknown_reference), 0U) << "the generator names only live orders";
}

TEST(BookStream, EqualsTheReferenceBookOnARecentDeleteMix) { expect_equal_streams(Mix::recent_delete, 11); }
TEST(BookStream, EqualsTheReferenceBookOnAUniformMix) { expect_equal_streams(Mix::uniform, 12); }

TEST(BookStream, PrefetchedRunsDoWhatSingleMessagesDo) {
  constexpr int kDatagrams = 300;
  Generator generator({.seed = 3, .symbols = 20, .live_orders = 500});
  Book one{Limits{2048, 2048, 32}};
  Book runs{Limits{2048, 2048, 32}};
  std::array<std::uint8_t, itch::kMessageBytesMax> bytes;
  std::array<std::array<std::uint8_t, 8192>, 2> memory;  // longer than a stretch, too
  std::array<mold::Packet, 2> packets;
  std::vector<Result> wanted;
  std::uint64_t sequence = 1;
  const auto took = [&](std::uint64_t at, Bytes, const Result& result) {
    EXPECT_EQ(result.what, wanted[at - 1].what);
    EXPECT_EQ(result.top_changed, wanted[at - 1].top_changed);
    EXPECT_EQ(result.locate, wanted[at - 1].locate);
  };
  for (int datagram = 0; datagram < kDatagrams; ++datagram) {
    const auto here = static_cast<std::size_t>(datagram % 2);
    mold::Builder builder(memory[here], mold::make_session("S"), sequence);
    for (int i = 0; i <= datagram % 150; ++i) {
      const Bytes message = generator.next(bytes);
      ASSERT_TRUE(builder.add(message));
      wanted.push_back(one.apply(message));
    }
    sequence += builder.messages();
    packets[here] = mold::parse(builder.datagram());
    if (datagram > 0) apply_run(runs, packets[1 - here], &packets[here], took);
  }
  apply_run(runs, packets[(kDatagrams - 1) % 2], nullptr, took);
  EXPECT_EQ(runs.digest(), one.digest());
  EXPECT_EQ(runs.counters().applied, one.counters().applied);
}

// Every hint there is, for every message: only what the book itself finds may count.
TEST(BookStream, WrongHintsChangeNothing) {
  Generator generator({.seed = 4, .symbols = 3, .live_orders = 60});
  Book with{Limits{256, 256, 8}};
  Book without{Limits{256, 256, 8}};
  std::array<std::uint8_t, itch::kMessageBytesMax> bytes;
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    const Bytes message = generator.next(bytes);
    const Hint hint{i % static_cast<Slot>(with.orders_live() + 1), i / 7 % 60};
    ASSERT_EQ(with.apply(message, hint).what, without.apply(message).what) << i;
    ASSERT_EQ(with.digest(), without.digest()) << i;
  }
  EXPECT_EQ(with.digest(), with.recomputed_digest());
}

TEST(BookStream, AHintToAnOrderThatIsGoneFindsNothing) {
  Book book{Limits{8, 8, 8}};
  for (const std::uint64_t reference : {0, 1}) {
    Order order;
    order.reference = reference;
    order.price = order.shares = order.locate = 5;
    EXPECT_EQ(book.remove(reference, 5, {kNone, 0}).what, Applied::unknown_reference);
    EXPECT_EQ(book.add(order).what, Applied::changed);
    EXPECT_EQ(book.remove(reference, 5, {1, 0}).what, Applied::changed);
    EXPECT_EQ(book.remove(reference, 5, {1, 0}).what, Applied::unknown_reference);
  }
}

}  // namespace
}  // namespace hft::book
