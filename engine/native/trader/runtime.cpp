// See runtime.h. What is wrong outside ends with 75, in the configuration with 64, in the journal with 70.
#include "trader/runtime.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/clock.h"
#include "base/digest.h"
#include "base/exit_codes.h"
#include "base/ownership.h"
#include "base/thread.h"
#include "book/arena.h"
#include "core/documents.h"
#include "core/replay.h"
#include "journal/persister.h"
#include "journal/segment.h"
#include "trader/admin.h"
#include "trader/limits_file.h"
#include "trader/manifest.h"
#include "trader/signals.h"

namespace hft::trader {
namespace {

constexpr const char* kRingName = "hft-journal-ring";

struct Exit {
  int code;
  std::string why;
};

// What the journal directory holds, read through a core that decides nothing.
struct Recovered {
  JournalEnd end;
  std::shared_ptr<base::Sha256Stream> open_block;
  std::uint64_t dropped_bytes = 0;
  bool first_start = true;
};

class NoSink : public core::Sink {
 public:
  void emit(Kind, std::span<const std::byte>, const Stamp&) override {}
};

void must_be_readable(const JournalEnd& end, bool understood) {
  if (end.ending == Ending::refused || end.ending == Ending::corrupt)
    throw Exit{base::kExitInvariantBroken, end.text()};
  if (!understood)
    throw Exit{base::kExitInvariantBroken, "the journal holds a record that this core cannot have written"};
}

// What the dead process had appended and nobody wrote is still in the ring that the service manager kept.
std::optional<Ring> adopt_ring(const JournalEnd& end) {
  const int fd = stored_descriptor(kRingName);
  if (fd < 0) return std::nullopt;
  Ring ring = Ring::adopt(fd);
  const std::uint64_t appended = ring.shared().appended.load();
  const bool fits = end.ring_offset <= appended && appended - end.ring_offset <= ring.capacity() &&
                    end.ring_offset >= ring.shared().first_offset;
  if (!fits) return std::nullopt;
  ring.shared().written.store(end.ring_offset);
  ring.shared().durable.store(end.ring_offset);
  return ring;
}

PersisterOptions persister_options(const EngineConfig& config, const JournalReader& reader) {
  const JournalEnd& end = reader.end();
  return {.directory = config.journal_directory,
          .segment_bytes = config.segment_bytes,
          .first_segment = end.segment + 1,
          .next_input_seq = end.last_input_seq + 1,
          .chain_crc = end.chain_crc,
          .open_block = reader.open_block()};
}

void skim(JournalReader& reader) {
  while (reader.next()) {
  }
}

// All that this engine cuts, replaces or unlinks: another process that has any of it keeps it as it is.
void claim(const EngineConfig& config, base::Ownership& owned) {
  owned.claim_directory(config.journal_directory);
  for (const auto& path : {config.latch_file, config.metrics_page, config.admin_socket}) owned.claim_path(path);
  std::vector<std::string> files{config.latch_file, config.metrics_page};
  for (const std::uint64_t number : list_segments(config.journal_directory))
    files.push_back(segment_path(config.journal_directory, number).string());
  base::refuse_links(files);
}

// Cuts a torn tail, writes out what a kept ring still holds, so that the files are whole when they are read.
Recovered make_whole(const EngineConfig& config) {
  Recovered recovered;
  JournalReader torn(config.journal_directory);
  skim(torn);
  must_be_readable(torn.end(), true);
  recovered.dropped_bytes = cut_journal(config.journal_directory, torn.end());
  JournalReader reader(config.journal_directory);
  skim(reader);
  if (auto ring = adopt_ring(reader.end())) {
    Persister persister(*ring, persister_options(config, reader));
    persister.stop();
  }
  return recovered;
}

std::string lock_facts(const EngineConfig& config, const book::Arena& arena) {
  const MemoryLock lock = lock_memory();
  if (!lock.locked && config.memory_required) throw Exit{base::kExitRetry, lock.why_not};
  return nlohmann::json{{"memory_locked", lock.locked},
                        {"why_not", lock.why_not},
                        {"arena_bytes", arena.bytes()},
                        {"arena_huge", arena.huge()}}
      .dump();
}

int finish(EventLoop& loop, Persister& persister, bool forced) {
  const core::Core& core = loop.core();
  const bool durable = persister.stop();
  const bool clean = core.drained_in_time() && core.orders().count() == 0 && durable && !forced;
  const int code = clean ? base::kExitOk : base::kExitOrdersMaybeOpen;
  const nlohmann::json line{{"exit", code},
                            {"open_orders", core.orders().count()},
                            {"cancels_sent", loop.cleanup().cancels_sent},
                            {"cancels_acked", core.cleanup().cancels_acked},
                            {"journal_durable", durable},
                            {"state_digest", "sha256:" + core.state_digest()},
                            {"decision_digest", "sha256:" + core.decision_digest()}};
  std::printf("%s\n", line.dump().c_str());
  std::fflush(stdout);
  return code;
}

int run(const EngineConfig& config, bool conformance) {
  base::Ownership owned;
  claim(config, owned);
  Recovered recovered = make_whole(config);
  const book::Limits book = core::book_limits_of(config.core);
  book::Arena arena(book::memory_for(book));
  const int wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

  JournalReader reader(config.journal_directory);
  skim(reader);
  Ring ring = Ring::create(config.ring_bytes, reader.end().ring_offset);
  DurabilityGate gate(config.durability, ring);
  MetricsPage metrics(config.metrics_page);
  FeedInput feed(config);
  Connector connector(config);
  EventLoop loop({config, ring, gate, feed, connector, metrics, wake_fd}, reader.end().last_input_seq, book,
                 arena.resource());
  JournalReader again(config.journal_directory);
  must_be_readable(again.end(), core::restore(loop.core(), again));
  recovered.end = again.end();
  recovered.first_start = recovered.end.records == 0;

  const auto* seen = loop.core().limits();
  const LimitsSeen known{seen != nullptr ? seen->serial : 0, seen != nullptr ? seen->digest : std::string()};
  const auto limits = load_limits(config.limits_file, config.allowed_signers, known, base::realtime_ns());
  if (const auto* why = std::get_if<std::string>(&limits)) throw Exit{base::kExitConfiguration, *why};

  LatchFile latch_file(config.latch_file);
  core::Latch latch = latch_file.read(recovered.first_start);
  // The journal knows of a kill that did not reach the file; whichever says set wins.
  if (!latch.set && loop.core().latch().set) {
    latch = loop.core().latch();
    latch_file.write(latch);
  }

  Persister persister(ring, persister_options(config, reader));
  persister.start([&config] { base::settle_thread("hft-journal", config.cpus_of("journal")); });
  Notifier notifier;
  notifier.store_descriptor(ring.fd(), kRingName);
  const std::string artifact = manifest_digest();
  loop.begin(core::start_record(config.core, "sha256:" + artifact, "sha256:" + config.digest, getpid()), latch,
             std::get<LimitsFile>(limits).bytes);
  Admin admin({config, loop, latch_file, notifier, metrics, feed, ring, conformance, artifact, recovered.end.records,
               recovered.dropped_bytes, wake_fd, lock_facts(config, arena)});
  admin.open();
  connector.start();
  loop.start();
  notifier.send("READY=1");
  const bool forced = admin.run();
  loop.join();
  connector.stop();
  const int code = finish(loop, persister, forced);
  close(wake_fd);
  return code;
}

}  // namespace

int run_engine(const EngineConfig& config, bool conformance) {
  prepare_signals();
  base::settle_thread("hft-admin", config.cpus_of("admin"));
  try {
    return run(config, conformance);
  } catch (const Exit& exit) {
    std::fprintf(stderr, "hft-engine: %s\n", exit.why.c_str());
    return exit.code;
  } catch (const base::OwnershipError& error) {
    std::fprintf(stderr, "hft-engine: %s\n", error.what());
    return error.exit_code;
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "hft-engine: %s\n", error.what());
    return base::kExitRetry;
  }
}

}  // namespace hft::trader
