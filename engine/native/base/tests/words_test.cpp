// A kill is recognised in whatever it was written; nothing else is taken for one.
#include "base/words.h"

#include <gtest/gtest.h>

namespace hft::base {
namespace {

TEST(Words, CleanedIsPrintableAndBounded) {
  EXPECT_EQ(cleaned("fl\xfc\x63htig\n\"x\"", 100), "fl?chtig?\"x\"");
  EXPECT_EQ(cleaned(std::string(70'000, 'x'), 160).size(), 160U);
  EXPECT_EQ(cleaned(std::string(3, '\0'), 10), "???");
}

TEST(Words, ANameIsNotBlank) {
  for (const char* blank : {"", " ", "\t\n", "-", "\xc2\xa0", "\xe2\x80\x8b", "\"\""}) EXPECT_FALSE(has_word(blank));
  for (const char* name : {"a", " alice ", "7", "\xc5\x81ukasz"}) EXPECT_TRUE(has_word(name));
}

TEST(Words, AKillIsSeenWhateverStandsRoundIt) {
  for (const char* line :
       {R"({"verb":"kill"})", R"({"verb" : "kill", "reason": 7})", "{\"reason\":\"\xfc\",\"verb\":\"kill\"",
        "\x01\x02\"verb\":\t\"kill\"", R"({"verb":"verb":"kill"})"})
    EXPECT_TRUE(spots_verb(line, "kill")) << line;
  for (const char* line : {R"({"verb":"unkill","reason":"after \"verb\":\"kill\""})", R"({"verb":"killer"})",
                           R"({"verb":"status"})", "kill", ""})
    EXPECT_FALSE(spots_verb(line, "kill")) << line;
}

TEST(Words, AKillIsSeenHoweverItIsCut) {
  const std::string line = "{\"reason\":\"" + std::string(70'000, 'x') + "\", \"verb\": \"kill\"}";
  for (const std::size_t piece : {1U, 7U, 4096U, 100'000U}) {
    VerbSpotter spotter("kill");
    for (std::size_t at = 0; at < line.size(); at += piece) spotter.see(std::string_view(line).substr(at, piece));
    EXPECT_TRUE(spotter.is_seen()) << piece;
    spotter.forget();
    EXPECT_FALSE(spotter.is_seen());
  }
}

}  // namespace
}  // namespace hft::base
