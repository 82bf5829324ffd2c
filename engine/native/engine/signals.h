// Exit codes (engine/contract/process.py) and the one signal that needs a handler.
//
// SIGUSR1 is the kill that must work when everything else hangs: its handler sets the flag at the last gate, which
// is async-signal-safe, and counts; the admin thread does the rest. SIGTERM and SIGHUP come by signalfd(2).
#pragma once

#include <atomic>
#include <csignal>

#include "engine/egress.h"

namespace hft::engine {

constexpr int kExitOk = 0;
constexpr int kExitConfiguration = 64;
constexpr int kExitOrdersMaybeOpen = 69;
constexpr int kExitInvariantBroken = 70;
constexpr int kExitRetry = 75;

inline std::atomic<int> g_kill_signals{0};

inline void on_kill_signal(int) {
  g_egress_block.store(true);
  g_kill_signals.fetch_add(1);
}

// Before any thread is made: they all inherit the mask.
inline void prepare_signals() {
  sigset_t taken;
  sigemptyset(&taken);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&taken, number);
  sigprocmask(SIG_BLOCK, &taken, nullptr);
  struct sigaction kill_action{};
  kill_action.sa_handler = on_kill_signal;
  kill_action.sa_flags = SA_RESTART;
  sigaction(SIGUSR1, &kill_action, nullptr);
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  for (const int number : {SIGXFSZ, SIGPIPE}) sigaction(number, &ignore, nullptr);
}

}  // namespace hft::engine
