// The strict reader: every fault is named once, in the words of the program that reads.
#include "base/json.h"

#include <gtest/gtest.h>

namespace hft::base {
namespace {

constexpr JsonWords kWords{.missing = " is missing",
                           .not_text = " is no text",
                           .not_number = " is no number up to $",
                           .out_of_range = " is #, above $",
                           .not_a_choice = " is \"#\"",
                           .unknown = " is unknown"};

struct JsonTest : ::testing::Test {
  template <class Read>
  std::string fault_of(Read&& read) const {
    JsonReader reader(object, "at.", kWords);
    try {
      read(reader);
    } catch (const ConfigError& fault) {
      return fault.what();
    }
    return "";
  }

  const Json object = Json::parse(R"({"text":"a","number":7,"minus":-1,"half":0.5,"yes":true,"null":null})");
};

TEST_F(JsonTest, WhatIsThereIsRead) {
  JsonReader reader(object, "", kWords);
  std::uint16_t number = 0;
  bool yes = false;
  reader.get("number", number);
  reader.get("yes", yes);
  EXPECT_EQ(number, 7);
  EXPECT_TRUE(yes);
  EXPECT_EQ(reader.text("text"), "a");
  EXPECT_EQ(reader.text("none", "b"), "b");
  EXPECT_EQ(reader.number_or("none", 10, 3), 3u);
  EXPECT_EQ(reader.one_of("text", {"a", "b"}), "a");
  EXPECT_EQ(reader.one_of_or_first("none", {"c", "d"}), "c");
}

TEST_F(JsonTest, EveryFaultNamesItsKey) {
  EXPECT_EQ(fault_of([](auto& reader) { reader.text("none"); }), "at.none is missing");
  EXPECT_EQ(fault_of([](auto& reader) { reader.text("number"); }), "at.number is no text");
  EXPECT_EQ(fault_of([](auto& reader) { reader.text("null", "b"); }), "at.null is no text");
  EXPECT_EQ(fault_of([](auto& reader) { reader.number("minus", 0, 9); }), "at.minus is no number up to 9");
  EXPECT_EQ(fault_of([](auto& reader) { reader.number("half", 0, 9); }), "at.half is no number up to 9");
  EXPECT_EQ(fault_of([](auto& reader) { reader.number("yes", 0, 9); }), "at.yes is no number up to 9");
  EXPECT_EQ(fault_of([](auto& reader) { reader.number("number", 0, 6); }), "at.number is 7, above 6");
  EXPECT_EQ(fault_of([](auto& reader) { reader.one_of("text", {"b"}); }), "at.text is \"a\"");
  EXPECT_EQ(fault_of([](auto& reader) { reader.only({"text"}); }), "at.half is unknown");
}

TEST_F(JsonTest, WhatNobodyReadIsUnknown) {
  EXPECT_EQ(fault_of([](auto& reader) {
              for (const char* key : {"half", "minus", "null", "number", "text"}) static_cast<void>(reader.at(key));
              reader.refuse_others();
            }),
            "at.yes is unknown");
}

TEST(CanonicalTest, KeysAreSortedAndNothingIsSpaced) {
  EXPECT_EQ(canonical(Json::parse(R"({"b": [1, 2], "a": "\u00e9"})")), "{\"a\":\"\xc3\xa9\",\"b\":[1,2]}");
}

}  // namespace
}  // namespace hft::base
