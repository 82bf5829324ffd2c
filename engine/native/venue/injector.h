// Faults on purpose, one injector a line: lose, reorder and repeat datagrams, seeded, and say every one of them.
//
// The same seed and the same datagrams give the same faults. A reordered datagram is held back until
// `reorder_depth` later ones have passed it (or the line falls idle). `drop_from` and `drop_count` cut a named
// stretch out of a line: with the same stretch on both lines a receiver has to ask for retransmission.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "venue/references.h"
#include "wire/bytes.h"

namespace hft::venue {

struct FaultPlan {
  double loss = 0;  // probabilities per datagram
  double duplicate = 0;
  double reorder = 0;
  std::uint32_t reorder_depth = 2;
  std::uint64_t drop_from = 0;  // index of a datagram on its line, from 1; 0 = none
  std::uint64_t drop_count = 0;
  std::uint64_t seed = 1;
};

enum class Fault : std::uint8_t { loss, duplicate, reorder };

constexpr std::string_view name_of(Fault fault) {
  switch (fault) {
    case Fault::loss: return "loss";
    case Fault::duplicate: return "duplicate";
    case Fault::reorder: return "reorder";
  }
  return "unknown";
}

class Injector {
 public:
  using Send = std::function<void(Bytes)>;
  using Report = std::function<void(Fault, std::uint64_t datagram, Bytes)>;

  Injector(const FaultPlan& plan, Send send, Report report)
      : plan_(plan), random_(plan.seed), send_(std::move(send)), report_(std::move(report)) {}

  void offer(Bytes datagram) {
    ++offered_;
    const Fault* fault = draw();
    if (fault == nullptr) {
      send_(datagram);
    } else {
      report_(*fault, offered_, datagram);
      if (*fault == Fault::duplicate) {
        send_(datagram);
        send_(datagram);
      } else if (*fault == Fault::reorder) {
        held_.push_back({std::string(as_text(datagram)), offered_ + plan_.reorder_depth});
      }
    }
    release(offered_);
  }

  // Nothing will pass the held ones any more: let them go.
  void idle() { release(UINT64_MAX); }

  [[nodiscard]] std::uint64_t offered() const { return offered_; }

 private:
  struct Held {
    std::string datagram;
    std::uint64_t until;
  };

  // One number per datagram whatever the plan, so that the same seed meets the same datagrams.
  const Fault* draw() {
    static constexpr Fault kinds[] = {Fault::loss, Fault::duplicate, Fault::reorder};
    const double at = random_.unit();
    if (plan_.drop_from != 0 && offered_ >= plan_.drop_from && offered_ < plan_.drop_from + plan_.drop_count) {
      return &kinds[0];
    }
    if (at < plan_.loss) return &kinds[0];
    if (at < plan_.loss + plan_.duplicate) return &kinds[1];
    return at < plan_.loss + plan_.duplicate + plan_.reorder ? &kinds[2] : nullptr;
  }

  void release(std::uint64_t passed) {
    while (!held_.empty() && held_.front().until <= passed) {
      send_(as_bytes(held_.front().datagram));
      held_.pop_front();
    }
  }

  FaultPlan plan_;
  Random random_;
  Send send_;
  Report report_;
  std::deque<Held> held_;
  std::uint64_t offered_ = 0;
};

}  // namespace hft::venue
