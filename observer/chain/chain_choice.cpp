// SPDX-License-Identifier: GPL-3.0-or-later
#include "observer/chain/chain_choice.hpp"

#include "common/error.hpp"

#include <algorithm>
#include <map>

namespace orbweaver {

namespace {

std::uint32_t round_up(std::uint32_t octets, std::uint32_t alignment) noexcept {
  return (octets + alignment - 1) / alignment * alignment;
}

template <typename Range>
std::vector<std::string> names_of(const Range& range) {
  std::vector<std::string> names;
  for (const auto& each : range)
    names.emplace_back(each.name);
  return names;
}

/// Sets what a user asked for.
void set_options(const ChainInfo& chain, const ChainRequest& request, std::byte* options) {
  for (const auto& [name, value] : request.options) {
    if (std::ranges::count(request.options, name, &std::pair<std::string, std::string>::first) > 1)
      throw UsageError("chain '" + request.name + "' is given its option '" + name + "' twice");
    const auto found = std::ranges::find(chain.options, name, &ChainOption::name);
    if (found == chain.options.end())
      throw UsageError(
          unknown_name("chain '" + request.name + "' has no option '" + name + "'", name, names_of(chain.options)));
    if (!found->set(*found, options, value))
      throw UsageError("option " + name + " of chain '" + request.name + "': '" + value + "' is not " + found->values);
  }
}

FieldDescription described(const ChainField& field, std::string_view chain, std::uint32_t base) {
  return {.name = std::string(field.name),
          .chain = std::string(chain),
          .type = field.type,
          .offset = (field.in_core ? 0 : base) + field.offset,
          .help = std::string(field.help),
          .unit = std::string(field.unit),
          .ipfix = std::string(field.ipfix),
          .mirror = std::string(field.mirror),
          .names = {field.names.begin(), field.names.end()}};
}

/// Each of two mirrors is said by one of them; now both know.
void pair_mirrors(TableDescription& table) {
  for (const auto& field : table.fields)
    if (!field.mirror.empty())
      for (auto& other : table.fields)
        if (other.name == field.mirror && other.mirror.empty())
          other.mirror = field.name;
}

const std::array flow_fields{
    core_field<TimeNs>("pkt_first", "time of the first packet", offsetof(FlowRecord, first_ns))
        .in("s")
        .ipfix_element("flowStartNanoseconds"),
    core_field<TimeNs>("pkt_last", "time of the last packet", offsetof(FlowRecord, last_ns))
        .in("s")
        .ipfix_element("flowEndNanoseconds"),
    core_field<EndReason>("flow_end_reason", "why the flow ended", offsetof(FlowRecord, end_reason))
        .ipfix_element("flowEndReason"),
    core_field<std::uint64_t>("ring_drops", "packets that were lost on their way to the observer while it was open",
                              offsetof(FlowRecord, ring_drops))
        .in("packets"),
};

const std::array event_fields{
    core_field<TimeNs>("time", "time of the packet that made the event", offsetof(EventRecord, time_ns))
        .in("s")
        .ipfix_element("observationTimeNanoseconds"),
    core_field<Address>("sip", "source address of its flow", offsetof(EventRecord, source))
        .ipfix_element("sourceIPv4Address"),
    core_field<Address>("dip", "destination address of its flow", offsetof(EventRecord, destination))
        .ipfix_element("destinationIPv4Address")
        .mirrors("sip"),
    core_field<std::uint8_t>("proto", "IP protocol", offsetof(EventRecord, protocol))
        .ipfix_element("protocolIdentifier"),
    core_field<Nullable<std::uint16_t>>("sp", "source port of its flow", offsetof(EventRecord, source_port))
        .ipfix_element("sourceTransportPort"),
    core_field<Nullable<std::uint16_t>>("dp", "destination port of its flow", offsetof(EventRecord, destination_port))
        .ipfix_element("destinationTransportPort")
        .mirrors("sp"),
};

/// Two of one name in a table: who brought each.
void refuse_twins(const TableDescription& table) {
  std::map<std::string_view, std::string_view> chains;
  for (const auto& field : table.fields)
    if (const auto [other, is_first] = chains.emplace(field.name, field.chain); !is_first) {
      const auto of = [](std::string_view chain) {
        return chain.empty() ? std::string("every row") : "chain '" + std::string(chain) + "'";
      };
      if (other->second == field.chain)
        throw UsageError(of(field.chain) + " has two fields '" + field.name + "' in table '" + table.name + "'");
      throw UsageError(of(other->second) + " and " + of(field.chain) + " both have a field '" + field.name +
                       "' in table '" + table.name + "': choose one of them, or rename one's field");
    }
}

/// A default has to be a value that could be given, and lie in Options.
std::string check_options(const ChainInfo& chain) {
  std::vector<std::uint64_t> room(chain.options_bytes / 8 + 1);
  for (const auto& option : chain.options) {
    const auto name = "option '" + std::string(option.name) + "'";
    if (!is_name(option.name))
      return "the name of its " + name + " does not fit (1 to 63 letters, digits or underscores)";
    if (std::ranges::count(chain.options, option.name, &ChainOption::name) > 1)
      return "it has two options '" + std::string(option.name) + "'";
    if (option.offset >= chain.options_bytes)
      return "its " + name + " lies outside of its options";
    if (!option.set(option, reinterpret_cast<std::byte*>(room.data()), option.default_value))
      return "the default of its " + name + ", " + option.default_value + ", is not " + option.values;
  }
  return {};
}

} // namespace

ChainRequest ChainRequest::parse(const std::string& text) {
  ChainRequest request{text.substr(0, text.find(':')), {}};
  for (auto at = request.name.size(); at < text.size();) {
    const auto end = std::min(text.find(',', at + 1), text.size());
    const auto setting = text.substr(at + 1, end - at - 1);
    const auto equals = setting.find('=');
    if (equals == std::string::npos || equals == 0)
      throw UsageError("chain '" + text + "': options are given as NAME:OPTION=VALUE,OPTION=VALUE");
    request.options.emplace_back(setting.substr(0, equals), setting.substr(equals + 1));
    at = end;
  }
  return request;
}

ChainChoice::ChainChoice(std::span<const ChainInfo> chains, std::span<const std::string> requests)
    : chains_(chains.begin(), chains.end()) {
  std::map<std::string, std::string> asked;
  for (const auto& text : requests) {
    const auto request = ChainRequest::parse(text);
    const auto chain = std::ranges::find(chains_, request.name, &ChainInfo::name);
    if (chain == chains_.end())
      throw UsageError(unknown_chain(request.name, names_of(chains_)));
    const auto [before, is_first] = asked.emplace(request.name, text);
    if (is_first)
      add(static_cast<std::size_t>(chain - chains_.begin()), request);
    else if (before->second != text)
      throw UsageError("chain '" + request.name + "' is named twice with different options: " + before->second +
                       " and " + text);
  }
  record_bytes_ = round_up(record_bytes_, 8);
  describe();
}

void ChainChoice::add(std::size_t chain, const ChainRequest& request) {
  const auto& info = chains_[chain];
  Chosen chosen{chain, {.offset = round_up(record_bytes_, info.state_alignment)}, {}};
  record_bytes_ = chosen.place.offset + info.state_bytes;
  chosen.options = std::make_unique<std::uint64_t[]>(info.options_bytes / 8 + 1);
  auto* const options = reinterpret_cast<std::byte*>(chosen.options.get());
  if (info.make_options)
    info.make_options(options);
  set_options(info, request, options);
  chosen.place.options = options;
  needs_ |= info.needs;
  wants_memory_ = wants_memory_ || info.wants_context;
  chosen_.push_back(std::move(chosen));
}

void ChainChoice::describe() {
  stream_.kind = StreamKind::flows;
  stream_.needs = needs_;
  TableDescription flows{.name = "flows", .help = "a row a flow"};
  flows.record_octets = static_cast<std::uint32_t>(sizeof(FlowRecord)) + record_bytes_;
  for (const auto& field : flow_fields)
    flows.fields.push_back(described(field, {}, 0));
  auto& flow_tails = tails_.emplace_back();
  event_octets_.push_back(0);
  std::map<std::string_view, std::string_view> owners; // of tables of events
  for (const auto& chosen : chosen_) {
    const auto base = static_cast<std::uint32_t>(sizeof(FlowRecord)) + chosen.place.offset;
    for (const auto& field : info(chosen).fields) {
      flows.fields.push_back(described(field, info(chosen).name, base));
      if (has_tail(field.type) && field.append_view)
        throw UsageError(
            "field '" + std::string(field.name) + "' of chain '" + std::string(info(chosen).name) +
            "' is a view, and what it shows is gone when the flow leaves: a state has Text, OctetString or "
            "List<>");
      if (has_tail(field.type))
        flow_tails.push_back({base + field.offset, nullptr, 0});
    }
  }
  stream_.tables.push_back(std::move(flows));
  for (auto& chosen : chosen_) {
    chosen.place.first_table = static_cast<std::uint16_t>(stream_.tables.size());
    for (const auto& events : info(chosen).tables) {
      if (const auto [other, is_first] = owners.emplace(events.name, info(chosen).name); !is_first)
        throw UsageError("chain '" + std::string(other->second) + "' and chain '" + std::string(info(chosen).name) +
                         "' both have a table '" + std::string(events.name) + "': choose one of them");
      TableDescription table{.name = std::string(events.name), .help = std::string(events.help)};
      table.record_octets = static_cast<std::uint32_t>(sizeof(EventRecord)) + round_up(events.octets, 8);
      for (const auto& field : event_fields)
        table.fields.push_back(described(field, {}, 0));
      auto& tails = tails_.emplace_back();
      event_octets_.push_back(events.octets);
      for (const auto& field : events.fields) {
        if (has_tail(field.type) && !field.append_view)
          throw UsageError("field '" + std::string(field.name) + "' of chain '" + std::string(info(chosen).name) +
                           "' in table '" + std::string(events.name) +
                           "' is a handle of a flow's memory: an event has std::string_view or std::span");
        table.fields.push_back(described(field, info(chosen).name, sizeof(EventRecord)));
        if (has_tail(field.type))
          tails.push_back(
              {static_cast<std::uint32_t>(sizeof(EventRecord)) + field.offset, field.append_view, field.view_octets});
      }
      stream_.tables.push_back(std::move(table));
    }
  }
  const auto among = [this] {
    std::string names;
    for (const auto& chosen : chosen_)
      names.append(names.empty() ? " of chain '" : ", '").append(info(chosen).name).append("'");
    return names;
  };
  if (stream_.tables.size() > max_tables)
    throw UsageError("these chains have more than " + std::to_string(max_tables) + " tables together: choose fewer");
  for (auto& table : stream_.tables) {
    pair_mirrors(table);
    refuse_twins(table);
    if (std::ranges::count(stream_.tables, table.name, &TableDescription::name) > 1)
      throw UsageError("there are two tables '" + table.name + "'" + among());
    if (const auto why = check_table(table, sizeof(EventRecord)); !why.empty())
      throw UsageError(why + among());
  }
}

std::vector<ChainDescription> described(std::span<const ChainInfo> chains) {
  std::vector<ChainDescription> descriptions;
  for (const auto& chain : chains) {
    auto& description = descriptions.emplace_back();
    description.name = chain.name;
    description.summary = chain.summary;
    description.needs = chain.needs;
    description.completes = chain.completes;
    for (const auto& option : chain.options)
      description.options.push_back(
          {std::string(option.name), std::string(option.help), option.default_value, option.values});
    description.stream = ChainChoice(chains, std::vector{description.name}).stream();
  }
  return descriptions;
}

std::string check_chain(const ChainInfo& chain) {
  const auto check_fields = [](std::span<const ChainField> fields, std::uint32_t octets) -> std::string {
    for (const auto& field : fields) {
      const auto name = "field '" + std::string(field.name) + "'";
      if (!is_name(field.name))
        return "the name of its " + name + " does not fit (1 to 63 letters, digits or underscores)";
      const auto size = field_size(field.type);
      if (!field.in_core && (size == 0 || field.offset > octets || size > octets - field.offset))
        return "its " + name + " lies outside of its state";
    }
    return {};
  };
  if (!is_name(chain.name, true))
    return "its name has to have 1 to 63 letters, digits, dashes or underscores";
  if (chain.state_alignment == 0 || chain.state_alignment > alignof(std::uint64_t))
    return "its state is aligned to " + std::to_string(chain.state_alignment) + " octets, 8 is the most";
  if ((chain.needs & ~Need::all) != 0)
    return "it needs what there is not in this version";
  if (const auto why = check_options(chain); !why.empty())
    return why;
  for (const auto& table : chain.tables)
    if (const auto why = is_name(table.name) ? check_fields(table.fields, table.octets)
                                             : "the name of its table '" + std::string(table.name) + "' does not fit";
        !why.empty())
      return why;
  if (const auto why = check_fields(chain.fields, chain.state_bytes); !why.empty())
    return why;
  try { // what is left shows where it is chosen: mirrors, names that come twice
    static_cast<void>(ChainChoice(std::span(&chain, 1), std::vector{std::string(chain.name)}));
  } catch (const UsageError& error) {
    return error.what();
  }
  return {};
}

} // namespace orbweaver
