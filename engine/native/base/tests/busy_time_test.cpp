#include "base/busy_time.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/clock.h"

namespace hft::base {
namespace {

TEST(BusyTime, GrowsWithWorkAndNotWithSleep) {
  BusyTime busy;
  const auto first = busy.ns();
  if (!first) GTEST_SKIP() << "this kernel keeps no schedstat";
  const auto began = monotonic_ns();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const auto slept = monotonic_ns() - began;
  const auto second = busy.ns();
  ASSERT_TRUE(second);
  EXPECT_LE(*second - *first, slept - 150 * kNsPerMs) << "asleep, neither on a CPU nor waiting for one";
  const auto spun = monotonic_ns();
  while (monotonic_ns() - spun < 100 * kNsPerMs) {
  }
  const auto third = busy.ns();
  ASSERT_TRUE(third);
  EXPECT_GE(*third - *second, 80 * kNsPerMs) << "the whole span, on the CPU or waiting for it";
}

}  // namespace
}  // namespace hft::base
