// JSON of the journal and of the edge, read into plain values: the only place of the core that knows JSON.
//
// Readers return nothing for what is not the document; `why` then says which field is wrong. An unknown field is
// ignored unless the document names it in `critical` (engine/contract/versioning.py).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/states.h"
#include "core/types.h"

namespace hft::core {

inline constexpr std::string_view kContractVersion = "1.2.0";

std::optional<Limits> parse_limits(std::string_view json, std::string* why = nullptr);
std::optional<CoreConfig> parse_start_record(std::string_view json);
std::string start_record(const CoreConfig& config, std::string_view artifact, std::string_view config_digest, int pid);

// One admin request as it came from the socket, without journal wrapping.
std::optional<Command> parse_request(std::string_view json, std::string* why = nullptr);
// Whether every name in the request's `critical` is one that a request may have.
bool knows_critical(std::string_view json);
std::optional<Command> parse_admin_record(std::string_view json);
std::string admin_record(std::uint32_t uid, std::uint32_t pid, std::string_view request);

// Who asks, as a latch and a journal keep it.
std::string asker(std::uint32_t uid, std::uint32_t pid);
// The kill that a line asks for, however badly it is written: words are made printable, what is missing or unknown is
// the widest, what was odd stands in `by`. The line holds the verb (base::spots_verb, or parse_request found it).
Latch kill_in(std::string_view line, std::string_view asker);
std::string kill_record(const Latch& latch, std::uint32_t uid);

std::optional<LinkEvent> parse_link_record(std::string_view json);
std::string link_record(const LinkEvent& event);

std::optional<State> state_after(std::string_view json);

}  // namespace hft::core
