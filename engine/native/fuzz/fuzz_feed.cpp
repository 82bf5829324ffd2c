// Fuzz, with state: the input is a script of a publisher, two lines, a retransmission server and a clock.
//
// The arbiter must deliver or name as lost each sequence number exactly once and in order, whatever the script
// does; what it delivers goes to the fast and the slow book, which must stay equal, whatever the messages say.
#include <map>
#include <vector>

#include "book/reference_book.h"
#include "feed/arbiter.h"
#include "fuzz/report.h"

namespace {

using namespace hft;

fuzz::Report report("feed");
constexpr std::uint16_t kLocates = 4;

// Reads the script; behind its end everything is zero.
class Script {
 public:
  explicit Script(Bytes bytes) : rest_(bytes) {}
  bool done() const { return rest_.empty(); }

  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const std::uint8_t value = rest_[0];
    rest_ = rest_.subspan(1);
    return value;
  }
  Bytes bytes(std::size_t wanted) {
    const Bytes taken = rest_.first(std::min(wanted, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }

 private:
  Bytes rest_;
};

// Holds the arbiter to its promise and the fast book to the slow one.
struct Sink {
  std::uint64_t next = 1;
  bool ended = false;
  book::Book book{book::Limits{256, 256, kLocates}};
  book::ReferenceBook reference;

  void deliver(const mold::Packet& run) {
    fuzz::require(run.sequence == next && run.count > 0, "runs follow each other without a hole");
    fuzz::require(!ended, "nothing follows the end");
    next += run.count;
    mold::for_each(run, [this](std::uint64_t, Bytes message) { apply(message); });
  }
  void apply(Bytes message) {
    const auto result = book.apply(message);
    if (result.what != book::Applied::capacity) reference.apply(message);
    if (result.what != book::Applied::malformed) report.reached(static_cast<char>(message[0]));
  }
  void lost(std::uint64_t first, std::uint64_t count) {
    fuzz::require(first == next && count > 0, "what is lost is what came next");
    next += count;
  }
  void session(const mold::Session&) { next = 1, ended = false; }
  void session_resumed() { ended = false; }
  void end_of_session() {
    fuzz::require(!ended, "a session ends once");
    ended = true;
  }
  void check() const {
    fuzz::require(book.digest() == reference.digest(), "the books are equal");
    fuzz::require(book.digest() == book.recomputed_digest(), "the rolling digest is the digest");
    fuzz::require(book.orders_live() == reference.orders_live(), "as many orders");
    fuzz::require(book.levels_live() == reference.levels_live(), "as many levels");
  }
};

class Venue {
 public:
  explicit Venue(Script& script) : script_(script) {}

  void run() {
    while (!script_.done()) step();
    sink_.check();
  }

 private:
  using Datagram = std::vector<std::uint8_t>;

  void step() {
    switch (script_.byte() % 8) {
      case 0:
      case 1:
      case 2: return publish();
      case 3: return land_held();
      case 4: return pass_time();
      case 5: return send(feed::Line::b, corrupted());
      case 6: {
        const Bytes raw = script_.bytes(script_.byte());
        return send(feed::Line::a, Datagram(raw.begin(), raw.end()));
      }
      default: return control();
    }
  }

  void publish() {
    Datagram memory(512);
    mold::Builder builder(memory, session_, history_.size() + 1);
    for (int left = 1 + script_.byte() % 4; left > 0; --left) {
      const Datagram message = order_message();
      if (builder.add(message)) history_.push_back(message);
    }
    memory.resize(builder.datagram().size());
    last_ = memory;
    const std::uint8_t fate = script_.byte();
    if (fate & 1) send(feed::Line::a, memory);
    if (fate & 2) send(feed::Line::b, memory);
    if (fate & 4) held_.push_back(memory);
  }

  // A well-formed order message about few orders, so that the script meets live ones.
  Datagram order_message() {
    constexpr std::string_view kTypes = "AFECXDUR";
    const char type = kTypes[script_.byte() % kTypes.size()];
    Datagram message(itch::length_of(type), 0);
    message[0] = static_cast<std::uint8_t>(type);
    itch::locate.store(message.data(), script_.byte() % (kLocates + 1));
    if (type == 'R') return message;
    itch::order_reference.store(message.data(), script_.byte() % 32);
    const std::uint32_t shares = script_.byte() % 8;
    const std::uint32_t price = script_.byte() % 8;
    if (type == 'U') {
      itch::OrderReplace::new_reference.store(message.data(), script_.byte() % 32);
      itch::OrderReplace::shares.store(message.data(), shares);
      itch::OrderReplace::price.store(message.data(), price);
    } else if (type == 'A' || type == 'F') {
      itch::AddOrder::side.store(message.data(), "BSBX"[script_.byte() % 4]);
      itch::AddOrder::shares.store(message.data(), shares);
      itch::AddOrder::price.store(message.data(), price);
    } else if (type != 'D') {
      itch::OrderExecuted::shares.store(message.data(), shares);
    }
    return message;
  }

  void land_held() {
    if (held_.empty()) return;
    const auto at = held_.begin() + script_.byte() % static_cast<std::ptrdiff_t>(held_.size());
    const Datagram datagram = *at;
    held_.erase(at);
    send(feed::Line::b, datagram);
  }

  void pass_time() {
    now_ns_ += std::uint64_t{script_.byte()} * 1'000'000;
    const auto request = arbiter_.poll(now_ns_, sink_);
    if (!request || script_.byte() % 2 == 0) return;
    fuzz::require(request->count > 0, "a request asks for something");
    Datagram memory(512);
    mold::Builder builder(memory, session_, request->first);
    for (std::uint64_t i = request->first; i < request->first + request->count && i <= history_.size() && i > 0; ++i) {
      if (!builder.add(history_[i - 1])) break;
    }
    memory.resize(builder.datagram().size());
    send(feed::Line::rerequest, memory);
  }

  Datagram corrupted() {
    Datagram datagram = last_;
    for (int left = 1 + script_.byte() % 3; left > 0 && !datagram.empty(); --left) {
      const std::size_t at = script_.byte() % datagram.size();
      datagram[at] = script_.byte();
    }
    return datagram;
  }

  void control() {
    const std::uint8_t kind = script_.byte();
    Datagram datagram(mold::kHeaderBytes);
    const std::uint64_t sequence = history_.size() + 1 + (kind >> 4);
    mold::store_header(datagram, session_, sequence, kind % 4 == 0 ? mold::kEndOfSession : mold::kHeartbeat);
    send(feed::Line::a, datagram);
    if (kind % 4 != 3) return;
    session_[9] = static_cast<char>(session_[9] + 1);
    history_.clear();
  }

  void send(feed::Line line, const Datagram& datagram) {
    arbiter_.on_datagram(line, datagram, now_ns_, sink_);
    fuzz::require(arbiter_.expected() == sink_.next || arbiter_.phase() == feed::Phase::joining, "one idea of next");
    fuzz::require(arbiter_.phase() != feed::Phase::gapped || arbiter_.expected() < arbiter_.known_end(),
                  "a gap is one");
  }

  Script& script_;
  mold::Session session_ = mold::make_session("FUZZ");
  feed::Arbiter arbiter_{feed::Config{.requests_max = 2, .window_slots = 8, .datagram_bytes_max = 512}};
  Sink sink_;
  std::vector<Datagram> history_;
  std::vector<Datagram> held_;
  Datagram last_;
  std::uint64_t now_ns_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  report.execution();
  Script script({data, size});
  Venue(script).run();
  return 0;
}
