// hft-book-bench: how many messages a second go through the decoder, through the book, and through both.
//
// A million live orders over 8,000 symbols with non-dense references, then at least 8 million messages, none
// twice. Every stage sees the same messages; the fast books must end with the digest of the slow one. Compare
// decode with decode and book with book: published figures of parsers say nothing about books.
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "book/arena.h"
#include "book/bench/clock.h"
#include "book/bench/stream.h"
#include "book/run.h"

namespace hft::bench {
namespace {

constexpr double kStolenMax = 0.02;  // more than this to other processes, and the run proves nothing

struct Plan {
  book::StreamPlan stream;
  std::uint64_t messages = 8'000'000;
  std::uint64_t chunk = 500'000;
  std::size_t datagram_bytes = 1400;
  bool prefetch = true;
  bool json = false;
};

struct Stages {
  Stopwatch decode, book, both;
  std::uint64_t checksum = 0;
};

std::uint64_t hashed(std::uint64_t value) { return value; }
std::uint64_t hashed(std::string_view text) { return static_cast<std::uint64_t>(text.front()) + text.size(); }

// Every field of every message is read, or the compiler would read none.
std::uint64_t decode(const Chunk& chunk) {
  std::uint64_t sum = 0;
  for (const auto& packet : chunk.packets) {
    mold::for_each(packet, [&](std::uint64_t, Bytes message) {
      itch::visit(message, [&]<class Message>(View<Message> view) {
        sum += view[itch::locate] + view[itch::timestamp];
        std::apply([&](const auto&... field) { ((sum += hashed(view[field])), ...); }, Message::fields);
      });
    });
  }
  return sum;
}

bool is_add(const Operation& operation) {
  return operation.type == itch::AddOrder::type || operation.type == itch::AddOrderMpid::type;
}

void apply(book::Book& book, const Operation& operation, book::Hint hint) {
  switch (operation.type) {
    case itch::AddOrder::type:
    case itch::AddOrderMpid::type: book.add(operation.order, hint); return;
    case itch::OrderReplace::type: book.replace(operation.reference, operation.order, hint); return;
    case itch::OrderDelete::type: book.remove(operation.reference, operation.order.locate, hint); return;
    case itch::OrderExecuted::type:
    case itch::OrderExecutedPrice::type:
    case itch::OrderCancel::type:
      book.reduce(operation.reference, operation.order.shares, operation.order.locate, hint);
      return;
    default: return;
  }
}

void prefetch_index(const book::Book& book, const Operation& operation) {
  book.prefetch_symbol(operation.order.locate);
  book.prefetch_entry(operation.reference);
  if (operation.type == itch::OrderReplace::type) book.prefetch_entry(operation.order.reference);
}

// The first wave of book/run.h on decoded operations.
void take(book::Prefetch& prefetch, const Operation& operation) {
  const book::Order& order = operation.order;
  if (is_add(operation)) prefetch.add(order.locate, order.side, order.price);
  else if (operation.type == itch::OrderReplace::type) prefetch.replace(operation.reference, order.locate, order.price);
  else prefetch.name(operation.reference);
}

// The book alone: operations decoded beforehand, in runs as long as a datagram's.
void feed_book(book::Book& book, const Chunk& chunk, bool ahead) {
  constexpr std::size_t kRun = 38;
  const auto& all = chunk.operations;
  book::Prefetch prefetch(book);
  for (std::size_t first = 0; first < all.size(); first += kRun) {
    const std::size_t end = std::min(first + kRun, all.size());
    for (std::size_t i = end; ahead && i < std::min(end + kRun, all.size()); ++i) prefetch_index(book, all[i]);
    prefetch.clear();
    for (std::size_t i = first; ahead && i < end; ++i) take(prefetch, all[i]);
    prefetch.roll();
    for (std::size_t i = first; i < end; ++i) apply(book, all[i], ahead ? prefetch[i - first] : book::Hint{});
  }
}

// Decode and book together, as the engine does it.
void feed_both(book::Book& book, const Chunk& chunk, bool ahead) {
  for (std::size_t i = 0; i < chunk.packets.size(); ++i) {
    const bool more = i + 1 < chunk.packets.size();
    if (ahead) {
      book::apply_run(book, chunk.packets[i], more ? &chunk.packets[i + 1] : nullptr, [](auto&&...) {});
    } else {
      mold::for_each(chunk.packets[i], [&](std::uint64_t, Bytes message) { book.apply(message); });
    }
  }
}

book::Limits limits_for(const Plan& plan) {
  return {plan.stream.live_orders + (std::size_t{1} << 16), std::size_t{1} << 20,
          static_cast<std::size_t>(plan.stream.symbols) + 1};
}

std::string stage(const char* name, const Stopwatch& watch, std::uint64_t messages, bool json) {
  std::array<char, 160> line;
  const double rate = watch.per_s(messages);
  std::snprintf(line.data(), line.size(),
                json ? "\"%s\":{\"messages_per_s\":%.0f,\"ns_per_message\":%.2f,\"stolen\":%.4f}"
                     : "%-12s %12.0f messages/s  %8.2f ns each  %5.1f %% of the time taken by others",
                name, rate, rate == 0 ? 0 : 1e9 / rate, json ? watch.stolen() : 100 * watch.stolen());
  return line.data();
}

std::string mix_text(const Stream& stream, std::uint64_t messages, bool json) {
  std::string text;
  for (const char type : std::string_view("AFUDXECP")) {
    std::array<char, 48> part;
    const double share = 100.0 * static_cast<double>(stream.count(type)) / static_cast<double>(messages);
    std::snprintf(part.data(), part.size(), json ? "%s\"%c\":%.2f" : "%s%c %.1f %%",
                  text.empty() ? ""
                  : json       ? ","
                               : ", ",
                  type, share);
    text += part.data();
  }
  return text;
}

void print(const Plan& plan, const Stream& stream, const Stages& stages, bool equal, std::uint64_t digest) {
  const bool busy = std::max({stages.decode.stolen(), stages.book.stolen(), stages.both.stolen()}) > kStolenMax;
  const char* mix = plan.stream.mix == book::Mix::uniform ? "uniform" : "recent-delete";
  const char* verdict = !equal ? "failed" : busy ? "inconclusive" : "measured";
  const auto live = static_cast<unsigned long long>(stream.reference().orders_live());
  const auto count = static_cast<unsigned long long>(plan.messages);
  const std::string parts[] = {stage("decode", stages.decode, plan.messages, plan.json),
                               stage("book", stages.book, plan.messages, plan.json),
                               stage("decode+book", stages.both, plan.messages, plan.json)};
  if (plan.json) {
    std::printf(
        "{\"verdict\":\"%s\",\"messages\":%llu,\"symbols\":%u,\"live_orders\":%llu,\"mix\":\"%s\",\"types\":{%s},"
        "\"prefetch\":%s,\"digest\":\"%016llx\",\"digest_equal\":%s,%s,%s,%s}\n",
        verdict, count, plan.stream.symbols, live, mix, mix_text(stream, plan.messages, true).c_str(),
        plan.prefetch ? "true" : "false", static_cast<unsigned long long>(digest), equal ? "true" : "false",
        parts[0].c_str(), parts[1].c_str(), parts[2].c_str());
    return;
  }
  std::printf("%llu messages, %u symbols, %llu live orders at the end, mix %s: %s\n", count, plan.stream.symbols, live,
              mix, mix_text(stream, plan.messages, false).c_str());
  for (const auto& part : parts) std::printf("%s\n", part.c_str());
  std::printf("digest %016llx, %s an independent reconstruction\n", static_cast<unsigned long long>(digest),
              equal ? "equal to" : "NOT EQUAL to");
  if (busy) std::printf("INCONCLUSIVE: other processes took more than 2 %% of the time\n");
}

int run(const Plan& plan) {
  Stream stream(plan.stream, plan.datagram_bytes);
  const book::Limits limits = limits_for(plan);
  book::Arena alone_memory(book::memory_for(limits));
  book::Arena both_memory(book::memory_for(limits));
  book::Book alone(limits, alone_memory.resource());
  book::Book both(limits, both_memory.resource());
  Stages stages;
  const std::uint64_t filling = plan.stream.live_orders;
  for (std::uint64_t left = filling + plan.messages; left > 0;) {
    const bool timed = left <= plan.messages;
    if (left == plan.messages) stream.forget_mix();
    const std::uint64_t size = std::min({plan.chunk, left, timed ? left : left - plan.messages});
    const Chunk chunk = stream.next(size);
    left -= size;
    Stages untimed;
    Stages& to = timed ? stages : untimed;
    to.decode.time([&] { to.checksum += decode(chunk); });
    to.book.time([&] { feed_book(alone, chunk, plan.prefetch); });
    to.both.time([&] { feed_both(both, chunk, plan.prefetch); });
  }
  const std::uint64_t digest = stream.reference().digest();
  const bool equal = alone.digest() == digest && both.digest() == digest && stages.checksum != 0;
  print(plan, stream, stages, equal, digest);
  return equal ? 0 : 70;
}

std::uint64_t number(const char* text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), value);
  if (error != std::errc{} || *end != '\0') {
    std::fprintf(stderr, "hft-book-bench: %s is not a number\n", text);
    std::exit(64);
  }
  return value;
}

int usage(int code) {
  std::fputs(
      "hft-book-bench [--messages N] [--symbols N] [--live N] [--mix recent-delete|uniform] [--seed N]\n"
      "               [--no-prefetch] [--json] | --help | --version\n"
      "Exit codes: 0 the books ended equal, 70 they did not, 64 wrong usage.\n",
      code == 0 ? stdout : stderr);
  return code;
}

int main_of(int count, char** words) {
  Plan plan;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    const bool value = i + 1 < count;
    if (word == "--help") return usage(0);
    if (word == "--version") return std::puts("{\"program\":\"hft-book-bench\",\"version\":\"1.0.0\"}"), 0;
    if (word == "--json") plan.json = true;
    else if (word == "--no-prefetch") plan.prefetch = false;
    else if (word == "--messages" && value) plan.messages = number(words[++i]);
    else if (word == "--symbols" && value) plan.stream.symbols = static_cast<std::uint16_t>(number(words[++i]));
    else if (word == "--live" && value) plan.stream.live_orders = number(words[++i]);
    else if (word == "--seed" && value) plan.stream.seed = number(words[++i]);
    else if (word == "--mix" && value && std::strcmp(words[i + 1], "uniform") == 0)
      ++i, plan.stream.mix = book::Mix::uniform;
    else if (word == "--mix" && value && std::strcmp(words[i + 1], "recent-delete") == 0) ++i;
    else return usage(64);
  }
  if (plan.messages == 0 || plan.stream.symbols == 0 || plan.stream.live_orders == 0) return usage(64);
  return run(plan);
}

}  // namespace
}  // namespace hft::bench

int main(int count, char** words) { return hft::bench::main_of(count, words); }
