// hft-itch: look into ITCH 5.0 files and the other framings from a shell; what the oracle tests talk to.
#include <charconv>
#include <cstdio>
#include <iostream>
#include <map>
#include <stdexcept>

#include "base/digest.h"
#include "book/generator.h"
#include "book/itch/json.h"
#include "book/itch/source.h"
#include "book/reference_book.h"
#include "wire/mold.h"
#include "wire/ouch_codec.h"
#include "wire/soup.h"

namespace hft::itch_tool {
namespace {

constexpr int kOk = 0;
constexpr int kUsage = 64;
constexpr std::string_view kHelp = R"(hft-itch: read and make ITCH 5.0 and its framings

  hft-itch decode FILE [--by-type]                     messages as JSON lines
  hft-itch book FILE [--by-type] [--every N]           after every N-th order message: digest, and the depth of
                                                       the symbol it touched, as JSON lines; a summary at the end
  hft-itch generate FILE --messages N [--seed S] [--symbols K] [--live L] [--mix recent-delete|uniform]
                                                       a seeded stream; prints the digest of the slow book
  hft-itch mold FILE [--session NAME] [--bytes N]      pack a file into MoldUDP64 datagrams: hex, one a line
  hft-itch unmold                                      hex datagrams on standard input as JSON lines
  hft-itch soup [--piece N]                            hex stream on standard input, read N bytes at a time
  hft-itch login USER PASSWORD SESSION SEQUENCE        SoupBinTCP login request and acceptance, framed, in hex
  hft-itch ouch in|out [--profile NAME]                hex OUCH messages on standard input as JSON lines
  hft-itch --help | --version --json

Exit codes: 0 done, 64 wrong usage or unreadable file.
)";

struct Usage : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Positional words and --name value options; a flag has the value "".
class Arguments {
 public:
  Arguments(int count, char** words) {
    for (int i = 1; i < count; ++i) {
      const std::string word = words[i];
      if (!word.starts_with("--")) {
        positional_.push_back(word);
      } else if (word == "--by-type" || word == "--json" || word == "--help" || word == "--version") {
        options_[word] = "";
      } else if (i + 1 < count) {
        options_[word] = words[++i];
      } else {
        throw Usage(word + " needs a value");
      }
    }
  }

  bool has(const std::string& name) const { return options_.contains(name); }
  std::size_t words() const { return positional_.size(); }

  const std::string& word(std::size_t at, const char* what) const {
    if (at >= positional_.size()) throw Usage(std::string("missing: ") + what);
    return positional_[at];
  }
  std::string text(const std::string& name, const std::string& otherwise) const {
    const auto found = options_.find(name);
    return found == options_.end() ? otherwise : found->second;
  }
  std::uint64_t number(const std::string& name, std::uint64_t otherwise) const {
    const auto found = options_.find(name);
    return found == options_.end() ? otherwise : to_number(found->second);
  }
  static std::uint64_t to_number(const std::string& text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) throw Usage(text + " is not a number");
    return value;
  }

 private:
  std::vector<std::string> positional_;
  std::map<std::string, std::string> options_;
};

std::string rejected(Reject why, Bytes bytes) {
  return "{\"reject\":" + quoted(to_text(why)) + ",\"bytes\":" + std::to_string(bytes.size()) + "}";
}

int decode(const Arguments& arguments) {
  const auto file = read_file(arguments.word(1, "FILE"));
  for (Source source(file, arguments.has("--by-type")); !source.done();) {
    const Next next = source.next();
    std::string line;
    Reject why = next.framing;
    if (why == Reject::none) why = itch::visit(next.message, [&](auto view) { line = json_itch(view); });
    std::cout << (why == Reject::none ? line : rejected(why, next.message)) << '\n';
  }
  return kOk;
}

int show_book(const Arguments& arguments) {
  const auto file = read_file(arguments.word(1, "FILE"));
  const std::uint64_t every = std::max<std::uint64_t>(1, arguments.number("--every", 1));
  book::Book book(book::Limits{.orders_max = std::size_t{1} << 20});
  std::uint64_t index = 0;
  for (Source source(file, arguments.has("--by-type")); !source.done(); ++index) {
    const Next next = source.next();
    if (next.framing != Reject::none) break;
    const auto result = book.apply(next.message);
    if (result.what != book::Applied::changed || index % every != 0) continue;
    std::cout << "{\"index\":" << index << ",\"digest\":" << book.digest() << "," << json_depth(book, result.locate)
              << "}\n";
  }
  const auto& counters = book.counters();
  std::cout << "{\"messages\":" << index << ",\"digest\":" << book.digest()
            << ",\"recomputed\":" << book.recomputed_digest() << ",\"orders\":" << book.orders_live()
            << ",\"levels\":" << book.levels_live() << ",\"changed\":" << counters.of(book::Applied::changed)
            << ",\"unknown_reference\":" << counters.of(book::Applied::unknown_reference)
            << ",\"excess_shares\":" << counters.excess_shares << "}\n";
  return kOk;
}

int generate(const Arguments& arguments) {
  const std::string mix = arguments.text("--mix", "recent-delete");
  if (mix != "recent-delete" && mix != "uniform") throw Usage("--mix is recent-delete or uniform");
  book::Generator generator({.seed = arguments.number("--seed", 1),
                             .symbols = static_cast<std::uint16_t>(arguments.number("--symbols", 100)),
                             .live_orders = arguments.number("--live", 1000),
                             .mix = mix == "uniform" ? book::Mix::uniform : book::Mix::recent_delete});
  std::ofstream file(arguments.word(1, "FILE"), std::ios::binary);
  if (!file) throw Usage("cannot write " + arguments.word(1, "FILE"));
  book::ReferenceBook reference;
  std::array<std::uint8_t, itch::kMessageBytesMax> memory;
  for (std::uint64_t left = arguments.number("--messages", 0); left > 0; --left) {
    const Bytes message = generator.next(memory);
    std::array<std::uint8_t, 2> length;
    store_be<2>(length.data(), message.size());
    file << as_text(length) << as_text(message);
    reference.apply(message);
  }
  std::cout << "{\"digest\":" << reference.digest() << ",\"orders\":" << reference.orders_live() << "}\n";
  return kOk;
}

int pack(const Arguments& arguments) {
  const auto file = read_file(arguments.word(1, "FILE"));
  const auto session = mold::make_session(arguments.text("--session", "TEST"));
  std::vector<std::uint8_t> memory(arguments.number("--bytes", mold::kDatagramBytesMax));
  std::uint64_t sequence = 1;
  mold::Builder builder(memory, session, sequence);
  for (Source source(file, arguments.has("--by-type")); !source.done();) {
    const Next next = source.next();
    if (next.framing != Reject::none) throw Usage("the file is broken: " + std::string(to_text(next.framing)));
    if (builder.add(next.message)) continue;
    std::cout << base::hex(builder.datagram()) << '\n';
    sequence += builder.messages();
    builder = mold::Builder(memory, session, sequence);
    if (!builder.add(next.message)) throw Usage("--bytes is too small for one message");
  }
  std::cout << base::hex(builder.datagram()) << '\n';
  mold::store_header(memory, session, sequence + builder.messages(), mold::kEndOfSession);
  std::cout << base::hex(Bytes(memory).first(mold::kHeaderBytes)) << '\n';
  return kOk;
}

std::vector<std::uint8_t> unhex(const std::string& text) {
  if (text.size() % 2 != 0) throw Usage("hex needs an even number of digits");
  std::vector<std::uint8_t> out(text.size() / 2);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const char* at = text.data() + 2 * i;
    if (std::from_chars(at, at + 2, out[i], 16).ptr != at + 2) throw Usage("not hex: " + text.substr(2 * i, 2));
  }
  return out;
}

template <class Take>
int for_each_hex_line(Take&& take) {
  for (std::string line; std::getline(std::cin, line);) take(unhex(line));
  return kOk;
}

int unpack() {
  return for_each_hex_line([](const std::vector<std::uint8_t>& datagram) {
    const mold::Packet packet = mold::parse(datagram);
    if (packet.why != Reject::none) {
      std::cout << rejected(packet.why, datagram) << '\n';
      return;
    }
    std::string messages;
    mold::for_each(packet, [&](std::uint64_t, Bytes message) {
      messages += (messages.empty() ? "" : ",") + quoted(base::hex(message));
    });
    std::cout << "{\"session\":" << quoted(trimmed(mold::to_text(packet.session)))
              << ",\"sequence\":" << packet.sequence << ",\"count\":" << packet.count
              << ",\"end\":" << (packet.end_of_session ? "true" : "false") << ",\"messages\":[" << messages << "]}\n";
  });
}

int read_soup(const Arguments& arguments) {
  const std::size_t piece = std::max<std::uint64_t>(1, arguments.number("--piece", 64));
  return for_each_hex_line([&](const std::vector<std::uint8_t>& stream) {
    std::vector<std::uint8_t> buffer(1 << 17);
    soup::Reader reader(buffer);
    soup::Got got = soup::Got::need_more;
    for (std::size_t at = 0; at < stream.size() && got != soup::Got::broken; at += piece) {
      const Bytes part = Bytes(stream).subspan(at, std::min(piece, stream.size() - at));
      const auto space = reader.space();
      std::copy(part.begin(), part.end(), space.begin());
      reader.commit(part.size());
      soup::Packet packet;
      while ((got = reader.next(packet)) == soup::Got::packet) {
        std::cout << "{\"type\":" << json(packet.type) << ",\"payload\":" << quoted(base::hex(packet.payload)) << "}\n";
      }
    }
    std::cout << "{\"unread\":" << reader.unread() << ",\"broken\":" << (got == soup::Got::broken ? "true" : "false")
              << "}\n";
  });
}

int login(const Arguments& arguments) {
  const std::uint64_t sequence = Arguments::to_number(arguments.word(4, "SEQUENCE"));
  std::array<std::uint8_t, 64> out;
  const auto& session = arguments.word(3, "SESSION");
  const soup::LoginRequest request{arguments.word(1, "USER"), arguments.word(2, "PASSWORD"), session, sequence};
  std::cout << base::hex(Bytes(out).first(soup::write(out, request))) << '\n';
  std::cout << base::hex(Bytes(out).first(soup::write(out, soup::LoginAccepted{session, sequence}))) << '\n';
  return kOk;
}

int read_ouch(const Arguments& arguments) {
  const bool inbound = arguments.word(1, "in or out") == "in";
  const std::string name = arguments.text("--profile", "any");
  const auto profile = name == "any" ? ouch::Profile::any : ouch::profile_of(name);
  if (!profile) throw Usage("no such profile: " + name);
  return for_each_hex_line([&](const std::vector<std::uint8_t>& bytes) {
    const auto message = inbound ? ouch::decode_inbound(bytes, *profile) : ouch::decode_outbound(bytes, *profile);
    std::string fields = "{\"type\":" + json(message.type);
    const auto show = [&](auto view) { fields += json_fields(view); };
    inbound ? ouch::visit_inbound(message, show) : ouch::visit_outbound(message, show);
    fields += ",\"options\":[";
    bool first = true;
    if (message.why == Reject::none) {
      ouch::for_each_option(message.options, [&](const ouch::Option& option) {
        fields += (first ? "[" : ",[") + std::to_string(option.tag) + "," + quoted(base::hex(option.value)) + "]";
        first = false;
      });
    }
    std::cout << (message.why == Reject::none ? fields + "]}" : rejected(message.why, bytes)) << '\n';
  });
}

int run(const Arguments& arguments) {
  if (arguments.has("--help") || (arguments.words() == 0 && !arguments.has("--version"))) {
    std::cout << kHelp;
    return arguments.has("--help") ? kOk : kUsage;
  }
  if (arguments.has("--version")) {
    std::cout << "{\"program\":\"hft-itch\",\"version\":\"1.0.0\"}\n";
    return kOk;
  }
  const std::string& verb = arguments.word(0, "a verb");
  if (verb == "decode") return decode(arguments);
  if (verb == "book") return show_book(arguments);
  if (verb == "generate") return generate(arguments);
  if (verb == "mold") return pack(arguments);
  if (verb == "unmold") return unpack();
  if (verb == "soup") return read_soup(arguments);
  if (verb == "login") return login(arguments);
  if (verb == "ouch") return read_ouch(arguments);
  throw Usage("no such verb: " + verb);
}

}  // namespace
}  // namespace hft::itch_tool

int main(int count, char** words) {
  std::ios::sync_with_stdio(false);
  try {
    return hft::itch_tool::run(hft::itch_tool::Arguments(count, words));
  } catch (const std::runtime_error& wrong) {
    std::cerr << "hft-itch: " << wrong.what() << "; see hft-itch --help\n";
    return hft::itch_tool::kUsage;
  }
}
