// The two sources. Datagram boundaries depend on the capture or the seed alone, never on how late the loop was.
#include "venue/source.h"

namespace hft::venue {

namespace {

class CaptureSource : public Source {
 public:
  CaptureSource(const SourceConfig& config, Capture capture)
      : capture_(std::move(capture)), speed_(config.speed), window_ns_(config.window_us * 1000) {}

  void start(std::uint64_t now_ns) override {
    started_ns_ = now_ns;
    due_ns_ = capture_.messages.empty() ? kNever : now_ns;
  }
  [[nodiscard]] std::uint64_t due_ns() const override { return due_ns_; }
  [[nodiscard]] std::uint64_t sent() const override { return next_; }

  void send_one(Exchange&, Feed& feed) override {
    const auto& messages = capture_.messages;
    const std::uint64_t opened = messages[next_].timestamp_ns;
    do {
      feed.publish(capture_.message(next_++));
    } while (next_ < messages.size() && messages[next_].timestamp_ns - opened <= window_ns_);
    feed.flush();
    due_ns_ = next_ < messages.size() ? std::max(due_ns_, scaled(messages[next_].timestamp_ns)) : kNever;
  }

 private:
  [[nodiscard]] std::uint64_t scaled(std::uint64_t timestamp_ns) const {
    const std::uint64_t first = capture_.messages.front().timestamp_ns;
    if (speed_ == 0 || timestamp_ns <= first) return started_ns_;
    return started_ns_ + static_cast<std::uint64_t>(static_cast<double>(timestamp_ns - first) / speed_);
  }

  Capture capture_;
  double speed_;
  std::uint64_t window_ns_;
  std::uint64_t started_ns_ = 0;
  std::uint64_t due_ns_ = kNever;
  std::size_t next_ = 0;
};

class SyntheticSource : public Source {
 public:
  SyntheticSource(const SourceConfig& config, Exchange& exchange)
      : config_(config), market_(exchange.core(), *config.mix, config.live, config.seed) {}

  void start(std::uint64_t now_ns) override {
    started_ns_ = now_ns;
    due_ns_ = now_ns;
  }
  [[nodiscard]] std::uint64_t due_ns() const override { return due_ns_; }
  [[nodiscard]] std::uint64_t sent() const override { return sent_; }

  void send_one(Exchange& exchange, Feed& feed) override {
    const std::uint64_t before = feed.next_sequence();
    const std::uint64_t datagrams = feed.datagrams();
    // A command may say several messages, and a datagram may fill up before the count does.
    while (feed.packed() < config_.per_datagram && feed.datagrams() == datagrams) {
      market_.step(events_);
      exchange.settle(events_);
    }
    feed.flush();
    sent_ += feed.next_sequence() - before;
    const auto offset_ns =
        static_cast<std::uint64_t>(static_cast<double>(sent_) * 1e9 / static_cast<double>(config_.messages_per_s));
    due_ns_ = config_.messages != 0 && sent_ >= config_.messages ? kNever : started_ns_ + offset_ns;
  }

 private:
  SourceConfig config_;
  Synthetic market_;
  Events events_;
  std::uint64_t started_ns_ = 0;
  std::uint64_t due_ns_ = kNever;
  std::uint64_t sent_ = 0;
};

}  // namespace

std::unique_ptr<Source> make_source(const SourceConfig& config, Exchange& exchange) {
  switch (config.kind) {
    case SourceKind::none: return nullptr;
    case SourceKind::synthetic: return std::make_unique<SyntheticSource>(config, exchange);
    case SourceKind::capture: {
      Capture capture = read_capture(config.path);
      if (!capture.problem.empty()) throw ConfigError("venue.source.path: " + capture.problem);
      return std::make_unique<CaptureSource>(config, std::move(capture));
    }
  }
  return nullptr;
}

}  // namespace hft::venue
