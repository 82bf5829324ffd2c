// Who owns a path is the kernel's word; links and places that others can change are nobody's.
#include "base/ownership.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "base/exit_codes.h"
#include "base/net.h"

namespace hft::base {
namespace {

namespace fs = std::filesystem;

struct OwnershipTest : ::testing::Test {
  OwnershipTest() {
    char name[] = "/tmp/hft-owned-XXXXXX";
    place = ::mkdtemp(name);
  }
  ~OwnershipTest() override { fs::remove_all(place); }

  std::string path(const char* name) const { return place + "/" + name; }

  // The exit code of a claim in another process; what it said is in `said`.
  int elsewhere(const std::function<void(Ownership&)>& claim) {
    int ends[2];
    if (::pipe(ends) != 0) return -1;
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        Ownership owned;
        claim(owned);
        ::_exit(0);
      } catch (const OwnershipError& error) {
        const std::string what = error.what();
        ::_exit(::write(ends[1], what.data(), what.size()) < 0 ? 1 : error.exit_code);
      }
    }
    ::close(ends[1]);
    char text[512];
    const auto got = ::read(ends[0], text, sizeof text);
    ::close(ends[0]);
    said.assign(text, got > 0 ? static_cast<std::size_t>(got) : 0);
    int status = 0;
    ::waitpid(child, &status, 0);
    return WEXITSTATUS(status);
  }

  std::string place;
  std::string said;
};

int code_of(const std::function<void(Ownership&)>& claim) {
  try {
    Ownership owned;
    claim(owned);
    return kExitOk;
  } catch (const OwnershipError& error) {
    return error.exit_code;
  }
}

TEST_F(OwnershipTest, AnotherProcessHearsWhoOwnsIt) {
  const auto directory = [this](Ownership& owned) { owned.claim_directory(path("state")); };
  const auto single = [this](Ownership& owned) { owned.claim_path(path("page")); };
  const std::string us = "process " + std::to_string(::getpid());
  for (const std::function<void(Ownership&)>& claim : {std::function<void(Ownership&)>(directory), {single}}) {
    Ownership owned;
    claim(owned);
    EXPECT_EQ(elsewhere(claim), kExitRetry);
    EXPECT_NE(said.find(us), std::string::npos) << said;
  }
  EXPECT_EQ(elsewhere(directory), kExitOk) << said;
}

TEST_F(OwnershipTest, ALostLockFileDoesNotGiveTheDirectoryAway) {
  const auto claim = [this](Ownership& owned) { owned.claim_directory(path("state")); };
  Ownership owned;
  claim(owned);
  fs::remove(path("state/owner.lock"));
  EXPECT_EQ(elsewhere(claim), kExitRetry);
  EXPECT_NE(said.find("owned by"), std::string::npos);
}

TEST_F(OwnershipTest, ALockFileOfADeadProcessIsFree) {
  std::ofstream(path("page.lock")) << "1\n";
  ::chmod(path("page.lock").c_str(), 0600);
  EXPECT_EQ(code_of([this](Ownership& owned) { owned.claim_path(path("page")); }), kExitOk);
}

TEST_F(OwnershipTest, LinksAndOpenDirectoriesAreRefused) {
  fs::create_directory(path("real"));
  fs::create_directory_symlink(path("real"), path("link"));
  EXPECT_EQ(code_of([this](Ownership& owned) { owned.claim_directory(path("link")); }), kExitConfiguration);
  for (const mode_t mode : {0777U, 0770U, 0707U}) {
    ::chmod(path("real").c_str(), mode);
    EXPECT_EQ(code_of([this](Ownership& owned) { owned.claim_directory(path("real")); }), kExitConfiguration);
    EXPECT_EQ(code_of([this](Ownership& owned) { owned.claim_path(path("real/page")); }), kExitConfiguration);
  }
  ::chmod(path("real").c_str(), 01777);
  EXPECT_EQ(code_of([this](Ownership& owned) { owned.claim_directory(path("real")); }), kExitConfiguration);
  EXPECT_EQ(code_of([this](Ownership& owned) { owned.claim_path(path("real/page")); }), kExitOk);
  ::chmod(path("real").c_str(), 0755);
  EXPECT_EQ(code_of([this](Ownership& owned) { owned.claim_directory(path("real")); }), kExitOk);
  fs::create_symlink(path("elsewhere"), path("page.lock"));
  EXPECT_EQ(code_of([this](Ownership& owned) { owned.claim_path(path("page")); }), kExitConfiguration);
  EXPECT_FALSE(fs::exists(path("elsewhere")));
}

TEST_F(OwnershipTest, AFileThatIsALinkIsRefused) {
  std::ofstream(path("file")) << "kept";
  fs::create_symlink(path("file"), path("log"));
  EXPECT_NO_THROW(refuse_links({path("file"), path("none")}));
  EXPECT_THROW(refuse_links({path("file"), path("log")}), OwnershipError);
}

TEST_F(OwnershipTest, AListenerReplacesASocketAndNothingElse) {
  const std::string at = path("admin");
  {
    const Fd left = listen_unix(at);
  }
  EXPECT_NO_THROW(static_cast<void>(listen_unix(at)));
  fs::remove(at);
  std::ofstream(at) << "a document";
  EXPECT_THROW(static_cast<void>(listen_unix(at)), NetError);
  EXPECT_TRUE(fs::is_regular_file(at));
}

}  // namespace
}  // namespace hft::base
