// The one signal that needs a handler, and those that come by signalfd(2).
//
// SIGUSR1 is the kill that must work when everything else hangs: its handler sets the flag at the last gate, which
// is async-signal-safe, and counts. The hot loop cancels and the admin thread writes the latch, each by its own look
// at the count, so that neither waits for the other. SIGTERM and SIGHUP come by signalfd(2).
#pragma once

#include <atomic>
#include <csignal>

#include "core/documents.h"
#include "trader/egress.h"

namespace hft::trader {

inline std::atomic<std::uint32_t> g_kill_signals{0};  // only rises
// Of the last one that sent it (sigaction(2)): user in the high half, process in the low one.
inline std::atomic<std::uint64_t> g_kill_sender{0};

inline void on_kill_signal(int, siginfo_t* from, void*) {
  g_egress_block.store(true);
  if (from != nullptr && from->si_code <= 0) {
    g_kill_sender.store(std::uint64_t{from->si_uid} << 32 | static_cast<std::uint32_t>(from->si_pid));
  }
  g_kill_signals.fetch_add(1);
}

inline core::Latch latch_by_signal() {
  const std::uint64_t sender = g_kill_sender.load();
  return {true, "engine", "", "SIGUSR1",
          core::asker(static_cast<std::uint32_t>(sender >> 32), static_cast<std::uint32_t>(sender))};
}

// Before any thread is made: they all inherit the mask.
inline void prepare_signals() {
  sigset_t taken;
  sigemptyset(&taken);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&taken, number);
  sigprocmask(SIG_BLOCK, &taken, nullptr);
  struct sigaction kill_action{};
  kill_action.sa_sigaction = on_kill_signal;
  kill_action.sa_flags = SA_RESTART | SA_SIGINFO;
  sigaction(SIGUSR1, &kill_action, nullptr);
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  for (const int number : {SIGXFSZ, SIGPIPE}) sigaction(number, &ignore, nullptr);
}

}  // namespace hft::trader
