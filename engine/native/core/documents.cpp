// nlohmann::json at the edge of the core: see documents.h.
#include "core/documents.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/words.h"

namespace hft::core {
namespace {

using Json = nlohmann::json;

std::optional<Json> object_of(std::string_view text) {
  auto json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  return json;
}

// A text that is no UTF-8 must not keep a record from being written.
std::string written(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

// Reads fields and remembers the first that is missing or of a wrong type.
class Fields {
 public:
  explicit Fields(const Json& json) : json_(json) {}

  template <class T>
  void number(const char* key, T& out, bool required = true) {
    const auto found = json_.find(key);
    if (found == json_.end() ? !required : take(*found, out)) return;
    if (wrong_.empty()) wrong_ = key;
  }
  void text(const char* key, std::string& out, bool required = true) {
    const auto found = json_.find(key);
    if (found == json_.end() && !required) return;
    if (found != json_.end() && found->is_string()) out = found->get<std::string>();
    else if (wrong_.empty()) wrong_ = key;
  }
  void texts(const char* key, std::vector<std::string>& out) {
    const auto found = json_.find(key);
    if (found == json_.end() || !found->is_array() || found->empty()) {
      if (wrong_.empty()) wrong_ = key;
      return;
    }
    for (const Json& item : *found) {
      if (item.is_string()) out.push_back(item.get<std::string>());
      else if (wrong_.empty()) wrong_ = key;
    }
  }
  [[nodiscard]] const std::string& wrong() const { return wrong_; }

 private:
  template <class T>
  static bool take(const Json& value, T& out) {
    if (!value.is_number_integer()) return false;
    if (value.is_number_unsigned()) {
      const auto number = value.get<std::uint64_t>();
      if (number > static_cast<std::uint64_t>(std::numeric_limits<T>::max())) return false;
      out = static_cast<T>(number);
      return true;
    }
    if constexpr (std::is_signed_v<T>) {
      out = static_cast<T>(value.get<std::int64_t>());
      return true;
    }
    return false;
  }

  const Json& json_;
  std::string wrong_;
};

bool critical_known(const Json& json, std::initializer_list<std::string_view> known, std::string* why) {
  const auto critical = json.find("critical");
  if (critical == json.end() || !critical->is_array()) return true;
  for (const Json& name : *critical) {
    const bool ours = name.is_string() && std::find(known.begin(), known.end(), name.get<std::string>()) != known.end();
    if (ours) continue;
    if (why != nullptr) *why = "critical field " + name.dump() + " is not known here";
    return false;
  }
  return true;
}

std::optional<Egress> egress_of(std::string_view name) {
  if (name == "live") return Egress::live;
  if (name == "shadow") return Egress::shadow;
  if (name == "test") return Egress::test;
  return std::nullopt;
}

constexpr std::size_t kKillWordBytesMax = 200;
constexpr std::array<std::string_view, 3> kEgressNames{"live", "shadow", "test"};

struct VerbName {
  std::string_view name;
  Verb verb;
};
constexpr auto kVerbs = std::to_array<VerbName>({
    {"promote", Verb::promote},
    {"demote", Verb::demote},
    {"drain", Verb::drain},
    {"force", Verb::force},
    {"kill", Verb::kill},
    {"unkill", Verb::unkill},
    {"reduce", Verb::reduce},
    {"resume", Verb::resume},
    {"intent", Verb::enter},
    {"snapshot", Verb::snapshot},
    {"stall", Verb::stall},
    {"journal_broken", Verb::journal_broken},
});

std::optional<Command> wrong(std::string* why, std::string_view text) {
  if (why != nullptr) *why = text;
  return std::nullopt;
}

bool is_scope(std::string_view scope) {
  return scope == "engine" || scope == "strategy" || scope == "account" || scope == "site";
}

std::optional<Command> parse_intent(const Json& json, Command command, std::string* why) {
  Fields fields(json);
  std::string type = "enter", side;
  fields.text("type", type, false);
  if (type == "cancel") {
    command.verb = Verb::cancel;
    fields.number("urn", command.urn);
  } else if (type == "enter") {
    fields.text("side", side);
    fields.number("quantity", command.quantity);
    fields.text("symbol", command.symbol);
    fields.number("price_e4", command.price_e4);
    if (fields.wrong().empty() && side != "B" && side != "S") return wrong(why, "side is B or S");
    command.side = side.empty() ? 'B' : side[0];
    if (command.quantity > 999'999) return wrong(why, "quantity is above 999999");
    if (command.symbol.size() > 8) return wrong(why, "symbol has more than 8 characters");
  } else {
    return wrong(why, "type is enter or cancel");
  }
  if (!fields.wrong().empty()) return wrong(why, "field " + fields.wrong() + " is missing or of a wrong type");
  return command;
}

bool request_critical_known(const Json& json, std::string* why) {
  return critical_known(json,
                        {"verb", "critical", "epoch", "scope", "id", "reason", "operator", "type", "side", "quantity",
                         "symbol", "price_e4", "urn", "ms"},
                        why);
}

std::optional<Command> parse_command(const Json& json, std::string* why) {
  Command command;
  std::string verb;
  Fields fields(json);
  fields.text("verb", verb);
  const auto named = std::find_if(kVerbs.begin(), kVerbs.end(), [&](const VerbName& v) { return v.name == verb; });
  if (named == kVerbs.end()) return wrong(why, "unknown verb");
  command.verb = named->verb;
  if (!request_critical_known(json, why)) return std::nullopt;
  if (command.verb == Verb::enter) return parse_intent(json, std::move(command), why);
  command.scope = "engine";
  fields.text("scope", command.scope, false);
  fields.text("id", command.id, false);
  fields.text("reason", command.reason, command.verb == Verb::kill || command.verb == Verb::reduce);
  fields.text("operator", command.person, false);
  fields.number("epoch", command.epoch, command.verb == Verb::promote);
  fields.number("ms", command.ms, command.verb == Verb::stall);
  if (!fields.wrong().empty()) return wrong(why, "field " + fields.wrong() + " is missing or of a wrong type");
  if (command.verb == Verb::promote && (command.epoch == 0 || command.epoch >= 60'466'176)) {
    return wrong(why, "epoch is not between 1 and 36^5 - 1");
  }
  if (command.verb == Verb::kill && (!is_scope(command.scope) || command.reason.empty())) {
    return wrong(why, "kill needs a reason, and a scope of engine, strategy, account or site");
  }
  return command;
}

}  // namespace

std::optional<Limits> parse_limits(std::string_view text, std::string* why) {
  const auto json = object_of(text);
  if (!json && why != nullptr) *why = "not a JSON object";
  if (!json) return std::nullopt;
  Limits limits;
  Fields document(*json);
  document.number("serial", limits.serial);
  document.number("not_after_utc_ns", limits.not_after_utc_ns);
  const bool has_engine = json->contains("engine") && (*json)["engine"].is_object();
  const Json engine = has_engine ? (*json)["engine"] : Json::object();
  Fields fields(engine);
  fields.texts("symbols", limits.symbols);
  fields.number("order_quantity_max", limits.order_quantity_max);
  fields.number("order_notional_max_e4", limits.order_notional_max_e4);
  fields.number("gross_notional_max_e4", limits.gross_notional_max_e4);
  fields.number("collar_bps", limits.collar_bps);
  fields.number("position_max", limits.position_max);
  fields.number("messages_per_second_max", limits.messages_per_second_max);
  fields.number("open_orders_max", limits.open_orders_max);
  fields.number("duplicate_window_ms", limits.duplicate_window_ms);
  fields.number("daily_loss_max_e4", limits.daily_loss_max_e4);
  fields.number("repeated_executions_max", limits.repeated_executions_max);
  if (!critical_known(*json, {"contract", "critical", "serial", "not_after_utc_ns", "engine", "gateway"}, why)) {
    return std::nullopt;
  }
  const std::string wrong = !document.wrong().empty() ? document.wrong() : fields.wrong();
  const auto contract = json->find("contract");
  const bool readable =
      contract == json->end() || (contract->is_string() && contract->get<std::string>().starts_with("1."));
  if (wrong.empty() && readable) {
    limits.digest = base::hex(base::sha256(text));
    return limits;
  }
  if (why != nullptr) *why = "field " + (wrong.empty() ? std::string("contract") : wrong) + " is missing or wrong";
  return std::nullopt;
}

std::string start_record(const CoreConfig& config, std::string_view artifact, std::string_view config_digest, int pid) {
  const auto& strategy = config.strategy;
  return Json{{"artifact", artifact},
              {"config", config_digest},
              {"pid", pid},
              {"core",
               {{"profile", ouch::to_text(config.profile)},
                {"egress", kEgressNames[static_cast<std::size_t>(config.egress)]},
                {"feed_stale_ms", config.feed_stale_ms},
                {"drain_timeout_ms", config.drain_timeout_ms},
                {"order_age_max_ms", config.order_age_max_ms},
                {"trading_day_start_utc_s", config.trading_day_start_utc_s},
                {"digest_every_inputs", config.digest_every_inputs},
                {"book_orders_max", config.book_orders_max},
                {"book_levels_max", config.book_levels_max},
                {"strategy",
                 {{"name", strategy.name},
                  {"clip", strategy.clip},
                  {"threshold_permille", strategy.threshold_permille},
                  {"cooldown_us", strategy.cooldown_us},
                  {"order_timeout_ms", strategy.order_timeout_ms}}}}}}
      .dump();
}

std::optional<CoreConfig> parse_start_record(std::string_view text) {
  const auto json = object_of(text);
  if (!json || !json->contains("core") || !(*json)["core"].is_object()) return std::nullopt;
  const Json& core = (*json)["core"];
  CoreConfig config;
  Fields fields(core);
  std::string profile, egress;
  fields.text("profile", profile);
  fields.text("egress", egress);
  fields.number("feed_stale_ms", config.feed_stale_ms);
  fields.number("drain_timeout_ms", config.drain_timeout_ms);
  config.order_age_max_ms = 1ULL << 40;  // of journals that had no such limit
  fields.number("order_age_max_ms", config.order_age_max_ms, false);
  fields.number("trading_day_start_utc_s", config.trading_day_start_utc_s);
  fields.number("digest_every_inputs", config.digest_every_inputs);
  fields.number("book_orders_max", config.book_orders_max);
  fields.number("book_levels_max", config.book_levels_max);
  const auto known_profile = ouch::profile_of(profile);
  const auto known_egress = egress_of(egress);
  if (!core.contains("strategy") || !core["strategy"].is_object() || !known_profile || !known_egress) {
    return std::nullopt;
  }
  config.profile = *known_profile;
  config.egress = *known_egress;
  Fields strategy(core["strategy"]);
  strategy.text("name", config.strategy.name);
  strategy.number("clip", config.strategy.clip);
  strategy.number("threshold_permille", config.strategy.threshold_permille);
  strategy.number("cooldown_us", config.strategy.cooldown_us);
  strategy.number("order_timeout_ms", config.strategy.order_timeout_ms);
  if (!fields.wrong().empty() || !strategy.wrong().empty()) return std::nullopt;
  return config;
}

std::optional<Command> parse_request(std::string_view text, std::string* why) {
  const auto json = object_of(text);
  if (!json) return wrong(why, "not a JSON object");
  return parse_command(*json, why);
}

bool knows_critical(std::string_view text) {
  const auto json = object_of(text);
  return json && request_critical_known(*json, nullptr);
}

std::optional<Command> parse_admin_record(std::string_view text) {
  const auto json = object_of(text);
  if (!json || !json->contains("request") || !(*json)["request"].is_object()) return std::nullopt;
  auto command = parse_command((*json)["request"], nullptr);
  if (!command) return command;
  Fields fields(*json);
  std::uint32_t uid = 0, pid = 0;
  fields.number("uid", uid, false);
  fields.number("pid", pid, false);
  command->by = asker(uid, pid);
  fields.text("by", command->by, false);
  return command;
}

std::string admin_record(std::uint32_t uid, std::uint32_t pid, std::string_view request) {
  auto json = object_of(request);
  return written({{"uid", uid}, {"pid", pid}, {"request", json ? *json : Json::object()}});
}

std::string asker(std::uint32_t uid, std::uint32_t pid) {
  return "uid " + std::to_string(uid) + ", process " + std::to_string(pid);
}

Latch kill_in(std::string_view line, std::string_view asker) {
  Latch latch{true, "site", "", "", std::string(asker)};
  auto json = object_of(line);
  if (!json) {
    json = object_of(base::cleaned(line, line.size()));
    latch.by += json ? ", not in UTF-8" : ", unreadable";
  }
  const auto word = [&](const char* key, std::string_view otherwise) {
    const auto found = json ? json->find(key) : Json::iterator();
    const bool is_text = json && found != json->end() && found->is_string();
    return base::cleaned(is_text ? found->get<std::string>() : std::string(otherwise), kKillWordBytesMax);
  };
  const std::string scope = word("scope", json && !json->contains("scope") ? "engine" : "?");
  if (is_scope(scope)) latch.scope = scope;
  else latch.by += ", asked for " + scope.substr(0, 40);
  latch.id = word("id", "");
  latch.reason = word("reason", json ? "" : line);
  if (!base::has_word(latch.reason)) latch.reason = "no reason was given";
  return latch;
}

std::string kill_record(const Latch& latch, std::uint32_t uid) {
  const Json request{{"verb", "kill"}, {"scope", latch.scope}, {"id", latch.id}, {"reason", latch.reason}};
  return written({{"uid", uid}, {"by", latch.by}, {"request", request}});
}

std::string link_record(const LinkEvent& event) {
  Json json{{"epoch", event.epoch}};
  if (event.what == LinkEvent::What::replayed) return Json{{"replayed", event.next_response}}.dump();
  if (event.what == LinkEvent::What::refused) json["refused"] = event.code;
  else json["up"] = event.what == LinkEvent::What::up;
  if (event.what == LinkEvent::What::up) {
    json["session"] = event.session;
    json["next_urn"] = event.next_urn;
    if (event.has_positions) {
      json["positions"] = Json::object();
      for (const auto& [symbol, position] : event.positions) json["positions"][symbol] = position;
    }
  } else {
    json["code"] = event.code;
    json["detail"] = event.detail;
    json["urn"] = event.urn;
  }
  return written(json);
}

std::optional<LinkEvent> parse_link_record(std::string_view text) {
  const auto json = object_of(text);
  if (!json) return std::nullopt;
  LinkEvent event;
  Fields fields(*json);
  if (json->contains("replayed")) {
    event.what = LinkEvent::What::replayed;
    fields.number("replayed", event.next_response);
    return fields.wrong().empty() ? std::optional(event) : std::nullopt;
  }
  fields.number("epoch", event.epoch);
  fields.text("session", event.session, false);
  fields.number("next_urn", event.next_urn, false);
  fields.number("urn", event.urn, false);
  fields.text("code", event.code, false);
  fields.text("detail", event.detail, false);
  fields.text("refused", event.code, false);
  if (json->contains("refused")) event.what = LinkEvent::What::refused;
  else if (json->value("up", false)) event.what = LinkEvent::What::up;
  if (const auto positions = json->find("positions"); positions != json->end() && positions->is_object()) {
    event.has_positions = true;
    for (const auto& [symbol, position] : positions->items()) {
      if (!position.is_number_integer()) return std::nullopt;
      event.positions.emplace_back(symbol, position.get<std::int64_t>());
    }
  }
  if (!fields.wrong().empty()) return std::nullopt;
  return event;
}

std::optional<State> state_after(std::string_view text) {
  const auto json = object_of(text);
  if (!json) return std::nullopt;
  const std::string to = json->value("to", std::string());
  for (std::size_t i = 0; i < kStates; ++i) {
    if (name_of(static_cast<State>(i)) == to) return static_cast<State>(i);
  }
  return std::nullopt;
}

}  // namespace hft::core
