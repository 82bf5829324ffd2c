// Reading and replacing the state file.
#include "gateway/durable_state.h"

#include "gateway/json.h"

namespace hft::gateway {

std::string to_text(const DurableState& state) {
  Json object{
      {"fence", to_json(state.fence)}, {"limits_serial", state.limits_serial}, {"limits_digest", state.limits_digest}};
  return canonical(object) + "\n";
}

std::variant<DurableState, base::Failure> load_state(const std::string& path) {
  const auto text = base::read_file(path);
  if (!text) return base::failed("cannot read", path);
  const auto object = parse_object(*text);
  if (!object || !object->contains("fence") || !(*object)["fence"].is_object())
    return "the state file is not one of ours: " + path;
  const auto fence = fence_from((*object)["fence"]);
  const auto serial = number_at(*object, "limits_serial");
  const auto digest = text_at(*object, "limits_digest");
  if (!fence || !serial || !digest) return "the state file lacks a field: " + path;
  return DurableState{*fence, *serial, *digest};
}

base::Failure save_state(const std::string& path, const DurableState& state) {
  return base::replace_durably(path, to_text(state));
}

}  // namespace hft::gateway
