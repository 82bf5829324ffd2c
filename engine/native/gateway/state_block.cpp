// See state_block.h.
#include "gateway/state_block.h"

#include <fcntl.h>

#include "gateway/json.h"
#include "gateway/sealed_copy.h"

namespace hft::gateway {
namespace {

constexpr std::string_view kMagic = "HFTSTATE";

Json to_json(const Hold& hold) {
  return {{"until_utc_ns", hold.until_utc_ns}, {"span_ns", hold.span_ns}, {"by", hold.by}, {"reason", hold.reason}};
}

std::string to_text(const DurableState& state) {
  auto succeeded = Json::array();
  for (const auto& made : state.succeeded) succeeded.push_back(to_json(made));
  Json holds = Json::object();
  for (const auto kind : kHoldKinds)
    if (const auto& hold = state.holds[static_cast<std::size_t>(kind)])
      holds[std::string(name_of(kind))] = to_json(*hold);
  return canonical(Json{{"fence", to_json(state.fence)},
                        {"limits_serial", state.limits_serial},
                        {"owner", state.owner},
                        {"limits_digest", state.limits_digest},
                        {"succession", state.succession ? to_json(*state.succession) : Json()},
                        {"succeeded", succeeded},
                        {"holds", holds}});
}

// What a release before has not written is absent, and nothing else is.
void add_later_fields(const Json& object, DurableState& state) {
  if (object.contains("succession")) state.succession = succession_from(object["succession"]);
  if (const auto list = object.find("succeeded"); list != object.end() && list->is_array())
    for (const auto& entry : *list)
      if (const auto made = succeeded_from(entry)) state.succeeded.push_back(*made);
  for (const auto kind : kHoldKinds) {
    const std::string name(name_of(kind));
    if (!object.contains("holds") || !object["holds"].contains(name)) continue;
    const auto& hold = object["holds"][name];
    const auto until = number_at(hold, "until_utc_ns");
    const auto span = number_at(hold, "span_ns");
    if (until && span)
      state.holds[static_cast<std::size_t>(kind)] =
          Hold{*until, *span, text_at(hold, "by").value_or(""), text_at(hold, "reason").value_or("")};
  }
}

struct Found {
  std::size_t index = 0;
  std::uint64_t generation = 0;
  DurableState state;
};

std::optional<Found> newest_in(std::string_view bytes) {
  std::optional<Found> newest;
  for (std::size_t index = 0; index < 2; ++index) {
    const auto copy = unseal(bytes.substr(std::min(bytes.size(), index * kCopyBytes)), {kMagic});
    const auto state = copy ? state_from(copy->payload) : std::nullopt;
    if (state && (!newest || copy->generation > newest->generation)) newest = Found{index, copy->generation, *state};
  }
  return newest;
}

}  // namespace

std::optional<DurableState> state_from(std::string_view text) {
  const auto object = parse_object(text);
  if (!object || !object->contains("fence") || !(*object)["fence"].is_object()) return std::nullopt;
  const auto fence = fence_from((*object)["fence"]);
  const auto serial = number_at(*object, "limits_serial");
  const auto digest = text_at(*object, "limits_digest");
  if (!fence || !serial || !digest) return std::nullopt;
  DurableState state{*fence, *serial, *digest, text_at(*object, "owner").value_or("")};
  add_later_fields(*object, state);
  return state;
}

base::Failure StateBlock::create(const std::string& path, const DurableState& state) {
  return make_copies(path, seal(kMagic, 1, to_text(state)));
}

std::optional<DurableState> StateBlock::read(std::string_view bytes) {
  auto newest = newest_in(bytes);
  return newest ? std::optional(std::move(newest->state)) : std::nullopt;
}

bool StateBlock::fits(const DurableState& state) { return to_text(state).size() <= kCopyPayloadBytes; }

std::variant<DurableState, base::Failure> StateBlock::open(const std::string& path) {
  path_ = path;
  file_ = base::Fd(::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
  std::string bytes(2 * kCopyBytes, '\0');
  const auto got = file_ ? ::pread(file_.get(), bytes.data(), bytes.size(), 0) : -1;
  if (got < 0) return base::failed("cannot read", path);
  bytes.resize(static_cast<std::size_t>(got));
  auto newest = newest_in(bytes);
  if (!newest) return "the state file is not one of ours, or damaged: " + path;
  // A process that was killed between write and sync left what only this kernel knows: believed from here on.
  if (::fdatasync(file_.get()) != 0) return base::failed("cannot sync", path);
  durable_ = newest->index;
  generation_ = newest->generation;
  return std::move(newest->state);
}

base::Failure StateBlock::write(const DurableState& state) {
  auto text = to_text(state);
  if (text.size() > kCopyPayloadBytes) return "does not fit " + path_;
  auto copy = seal(kMagic, generation_ + 1, std::move(text));
  if (!put_copy(file_.get(), copy, 1 - durable_)) return base::failed("cannot write", path_);
  if (::fdatasync(file_.get()) != 0) return base::failed("cannot sync", path_);
  ++generation_;
  durable_ = 1 - durable_;
  unmirrored_ = std::move(copy);
  return {};
}

void StateBlock::keep(const DurableState& state) {
  auto text = to_text(state);
  if (text.size() <= kCopyPayloadBytes)
    put_copy(file_.get(), seal(kMagic, generation_ + 1, std::move(text)), 1 - durable_);
  unmirrored_.clear();
}

void StateBlock::mirror() {
  if (unmirrored_.empty()) return;
  if (put_copy(file_.get(), unmirrored_, 1 - durable_) && ::fdatasync(file_.get()) == 0) unmirrored_.clear();
}

}  // namespace hft::gateway
