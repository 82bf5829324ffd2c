// Files, digests and signatures as several programs share them.
#include "base/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cerrno>
#include <filesystem>

#include "base/digest.h"
#include "base/fd.h"
#include "base/signature.h"

namespace hft::base {
namespace {

struct FilesTest : ::testing::Test {
  FilesTest() {
    char name[] = "/tmp/hft-base-XXXXXX";
    directory = ::mkdtemp(name);
  }
  ~FilesTest() override { std::filesystem::remove_all(directory); }

  std::string path(const char* name) const { return directory + "/" + name; }

  std::string directory;
};

TEST_F(FilesTest, WhatReplacedAFileIsReadBack) {
  const std::string large(100'000, 'x');
  EXPECT_EQ(replace_durably(path("a"), "old"), "");
  EXPECT_EQ(replace_durably(path("a"), large), "");
  EXPECT_EQ(read_file(path("a")), large);
  EXPECT_FALSE(std::filesystem::exists(path("a.new")));
}

TEST_F(FilesTest, WhatCannotBeReadIsNothingAndSaysWhy) {
  EXPECT_EQ(read_file(path("none")), std::nullopt);
  EXPECT_EQ(errno, ENOENT);
  EXPECT_EQ(read_file(directory), std::nullopt);
  EXPECT_EQ(errno, EISDIR);
}

TEST_F(FilesTest, AReplacementThatFailsNamesTheFileAndTheReason) {
  EXPECT_EQ(replace_durably(path("no/such"), "x"),
            "cannot write " + path("no/such") + ".new: No such file or directory");
}

TEST(FdTest, OneOwnerClosesOnce) {
  Fd first(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int number = first.get();
  Fd second = std::move(first);
  EXPECT_EQ(second.get(), number);
  second.reset();
  EXPECT_FALSE(second);
  EXPECT_EQ(::fcntl(number, F_GETFD), -1);
}

TEST(DigestTest, IsSha256OfTheExampleInTheStandard) {
  const std::string abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";  // FIPS 180-4
  EXPECT_EQ(digest_of("abc"), "sha256:" + abc);
  Sha256Stream stream;
  for (int round = 0; round < 2; ++round) {
    stream.add(std::as_bytes(std::span("ab", 2)));
    stream.add(std::as_bytes(std::span("c", 1)));
    EXPECT_EQ(hex(stream.take()), abc);
  }
}

TEST_F(FilesTest, WhatNobodySignedIsNotSigned) {
  EXPECT_FALSE(is_signed({path("none"), "limits", "hft-limits", "payload", "not a signature"}));
}

}  // namespace
}  // namespace hft::base
