// Fuzz: OUCH 5.0 in both directions and all profiles; an accepted message, encoded again, must be the same bytes.
#include "fuzz/report.h"
#include "wire/each.h"
#include "wire/ouch_codec.h"

namespace {

using namespace hft;
using ouch::Profile;

fuzz::Report report("ouch");

template <class M>
void encode_again(const ouch::Message& message, Bytes input) {
  std::array<std::uint8_t, 2048> out;
  const bool later = message.has_appendage_length;
  ouch::Encoder<M> encoder(out, later ? Profile::ouch5_later : Profile::ouch5_2023_05);
  const auto view = message.as<M>();
  for_each_field<M>([&](const auto& field) { encoder.set(field, view[field]); });
  ouch::for_each_option(message.options, [&](const ouch::Option& option) {
    fuzz::require(encoder.add(option.tag, option.value), "what came out fits in again");
  });
  const Bytes again = encoder.bytes();
  fuzz::require(std::equal(again.begin(), again.end(), input.begin(), input.end()), "fields make the message");
}

// Inbound types are reported in small letters, since the two directions share some.
template <class List, class Decode, class Visit>
void decode_all(Bytes input, bool inbound, Decode decode, Visit visit) {
  const auto any = decode(input, Profile::any);
  for (const Profile profile : {Profile::ouch5_2023_05, Profile::ouch5_later}) {
    const auto strict = decode(input, profile);
    fuzz::require(strict.why != Reject::none || any.why == Reject::none, "any takes what a profile takes");
  }
  int visits = 0;
  visit(any, [&]<class M>(View<M>) {
    ++visits;
    report.reached(inbound ? static_cast<char>(M::type | 0x20) : M::type);
    encode_again<M>(any, input);
  });
  fuzz::require(visits == (any.why == Reject::none ? 1 : 0), "a visit exactly when nothing was wrong");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  report.execution();
  const Bytes input{data, std::min<std::size_t>(size, 1024)};
  decode_all<ouch::Inbound>(input, true, ouch::decode_inbound, [](auto& m, auto v) { ouch::visit_inbound(m, v); });
  decode_all<ouch::Outbound>(input, false, ouch::decode_outbound, [](auto& m, auto v) { ouch::visit_outbound(m, v); });
  return 0;
}
