// Writes the inputs that fuzzing starts from: every message type once, in every framing. `fuzz_seeds DIRECTORY`.
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "wire/each.h"
#include "wire/itch.h"
#include "wire/link.h"
#include "wire/mold.h"
#include "wire/ouch_codec.h"

namespace {

using namespace hft;
namespace fs = std::filesystem;

void save(const fs::path& folder, const std::string& name, Bytes bytes) {
  fs::create_directories(folder);
  std::ofstream(folder / name, std::ios::binary) << as_text(bytes);
}

void itch_and_mold(const fs::path& root) {
  std::vector<std::uint8_t> day(1400);
  mold::Builder builder(day, mold::make_session("FUZZ"), 1);
  for_each_message(itch::AllMessages{}, [&]<class M>() {
    std::array<std::uint8_t, itch::kMessageBytesMax> bytes;
    const Writer<M> writer(bytes.data());
    const std::string name = "type" + std::to_string(static_cast<int>(M::type));
    save(root / "itch", name, writer.bytes());
    std::array<std::uint8_t, 128> one;
    mold::Builder single(one, mold::make_session("FUZZ"), 1);
    single.add(writer.bytes());
    save(root / "mold", name, single.datagram());
    builder.add(writer.bytes());
  });
  save(root / "mold", "day", builder.datagram());
}

template <class List>
void ouch_messages(const fs::path& root, const std::string& direction) {
  for_each_message(List{}, [&]<class M>() {
    for (const auto profile : {ouch::Profile::ouch5_2023_05, ouch::Profile::ouch5_later}) {
      std::array<std::uint8_t, 256> bytes;
      ouch::Encoder<M> encoder(bytes, profile);
      const std::string name =
          direction + std::to_string(static_cast<int>(M::type)) + std::string(ouch::to_text(profile));
      if (!encoder.bytes().empty()) save(root / "ouch", name, encoder.bytes());
      if (encoder.add(ouch::kFirm, as_bytes("FIRM"))) save(root / "ouch", name + "-firm", encoder.bytes());
    }
  });
}

void soup_packets(const fs::path& root) {
  std::vector<std::uint8_t> stream(1024);
  stream[0] = 3;  // read in pieces of four bytes
  std::size_t used = 1;
  const auto room = [&] { return MutableBytes(stream).subspan(used); };
  used += soup::write(room(), soup::LoginRequest{"user", "secret", "DAY1", 1});
  used += soup::write(room(), soup::LoginAccepted{"DAY1", 1});
  used += link::write_nonce(room(), {});
  used += link::write_hello(room(), "{}");
  used += link::write_claim(room(), 7);
  for (const char type : {'J', 'S', 'H', 'Z', '+', 'U', 'R', 'O', 'w', 'x'})
    used += soup::write(room(), type, as_bytes("x"));
  save(root / "soup", "all", Bytes(stream).first(used));
}

// A short script: publish and deliver a few messages, lose some, let time pass.
void feed_scripts(const fs::path& root) {
  std::vector<std::uint8_t> script;
  for (int round = 0; round < 12; ++round) {
    const auto letter = static_cast<std::uint8_t>(round);
    script.insert(script.end(), {0, 0, letter, 1, letter, 5, 3, letter, 0, static_cast<std::uint8_t>(1 + round % 4)});
    if (round % 3 == 2) script.insert(script.end(), {4, 200, 1, 3, 0});
  }
  save(root / "feed", "script", script);
}

}  // namespace

int main(int count, char** words) {
  if (count != 2) return 64;
  const fs::path root = words[1];
  itch_and_mold(root);
  ouch_messages<ouch::Inbound>(root, "in");
  ouch_messages<ouch::Outbound>(root, "out");
  soup_packets(root);
  feed_scripts(root);
  return 0;
}
