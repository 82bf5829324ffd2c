// The engine's latch file: it survives, and what it cannot read counts as set; a gateway's latch block among it.
#include "trader/latch_file.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace hft::trader {
namespace {

struct LatchFileTest : ::testing::Test {
  LatchFileTest() {
    char name[] = "/tmp/hft-latch-XXXXXX";
    directory = ::mkdtemp(name);
  }
  ~LatchFileTest() override { std::filesystem::remove_all(directory); }

  std::string path() const { return directory + "/latch"; }
  core::Latch read(bool first_start) const { return LatchFile(path()).read(first_start); }

  std::string directory;
};

TEST_F(LatchFileTest, WhatWasSetIsReadByTheNextProcess) {
  EXPECT_FALSE(read(true).set);
  {
    LatchFile file(path());
    static_cast<void>(file.read(false));
    EXPECT_TRUE(file.write({true, "engine", "ops", "a drill", "uid 0, process 7"}));
  }
  const core::Latch found = read(false);
  EXPECT_TRUE(found.set);
  EXPECT_EQ(found.by, "uid 0, process 7");
  EXPECT_EQ(found.reason, "a drill");
}

TEST_F(LatchFileTest, AMissingFileIsClearOnlyAtTheFirstStart) { EXPECT_TRUE(read(false).set); }

TEST_F(LatchFileTest, AnotherProgramsLatchIsUnreadableAndCountsAsSet) {
  EXPECT_FALSE(read(true).set);
  for (const std::size_t at : {0, 4096}) {
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file << "HFTGATEL";
  }
  const core::Latch found = read(false);
  EXPECT_TRUE(found.set);
  EXPECT_EQ(found.reason, "latch unreadable: " + path());
}

}  // namespace
}  // namespace hft::trader
