// Fuzz: ITCH 5.0 by length and by type; what was decoded, set again field by field, must give the same bytes.
#include "fuzz/report.h"
#include "wire/each.h"
#include "wire/itch_decode.h"

namespace {

using namespace hft;

fuzz::Report report("itch");

template <class Message>
void set_again(View<Message> view) {
  std::array<std::uint8_t, itch::kMessageBytesMax> again;
  Writer<Message> writer(again.data());
  const auto copy = [&](const auto& field) { writer.set(field, view[field]); };
  copy(itch::locate), copy(itch::tracking), copy(itch::timestamp);
  for_each_field<Message>(copy);
  fuzz::require(std::equal(again.begin(), again.begin() + Message::length, view.data()), "fields make the message");
}

void decode(Bytes message) {
  bool visited = false;
  const Reject why = itch::visit(message, [&]<class Message>(View<Message> view) {
    visited = true;
    report.reached(Message::type);
    set_again(view);
  });
  fuzz::require(visited == (why == Reject::none), "a visit exactly when nothing was wrong");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  report.execution();
  const Bytes input{data, size};
  decode(input);
  for (Bytes rest = input; !rest.empty();) {
    const auto found = itch::check_by_type(rest);
    if (found.why != Reject::none) break;
    decode(rest.first(found.length));
    rest = rest.subspan(found.length);
  }
  return 0;
}
