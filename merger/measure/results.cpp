// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/measure/results.hpp"

#include "common/address.hpp"
#include "common/error.hpp"
#include "common/json/escape.hpp"
#include "common/stream/records/connection_keys.hpp"
#include "merger/conditions/standing.hpp"
#include "merger/measure/job_flow.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <utility>

namespace orbweaver {

namespace {

/// Keys of a job's result that the merger writes.
constexpr std::string_view result_keys[] = {"time", "conditions", "flow_results", "missed_flows"};

/// Different keys that are warned of; a hostile stream must not fill the log.
constexpr std::size_t max_warnings = 100;

bool is_among(std::string_view key, std::span<const std::string_view> keys) {
  return std::find(std::begin(keys), std::end(keys), key) != std::end(keys);
}

bool stays_inside(std::string_view key) {
  return key.starts_with('_');
}

std::string string_of(std::string_view text) {
  std::string string;
  json::append_string(string, text);
  return string;
}

std::string address_string(const Address& address) {
  return address.version == 0 ? "null" : string_of(address_text(address));
}

} // namespace

std::string time_text(std::uint64_t ns) {
  using namespace std::chrono;
  const auto microseconds_all = ns / 1000;
  const auto second = microseconds_all / 1'000'000;
  const year_month_day day{sys_days{days{second / 86'400}}};
  std::string text = std::to_string(static_cast<int>(day.year()));
  const auto append = [&text](char before, std::uint64_t value, std::size_t digits) {
    const auto number = std::to_string(value);
    text += before;
    text.append(digits - number.size(), '0');
    text += number;
  };
  append('-', static_cast<unsigned>(day.month()), 2);
  append('-', static_cast<unsigned>(day.day()), 2);
  append(' ', second / 3600 % 24, 2);
  append(':', second / 60 % 60, 2);
  append(':', second % 60, 2);
  append('.', microseconds_all % 1'000'000, 6);
  return text;
}

std::string carried_members(const std::vector<json::Member>& members, bool has_connections) {
  std::string object = "{";
  for (const auto& member : members)
    if (!stays_inside(member.key) && !(has_connections && is_among(member.key, result_keys)))
      json::append_member(object, member.key, member.value);
  return object.substr(1);
}

ResultWriter::Stream::Stream(const TableDescription& flows, const CombinerEntry& combiner, const std::string& name)
    : fields(combiner, flows, name), standing_fields(orbweaver::standing_fields(), flows), rows(flows) {
  for (const auto& field : flows.fields) {
    names.push_back(field.name);
    mirrors.push_back(flows.mirror_of(field).name);
    wanted.push_back(stays_inside(field.name) ? JsonRows::Wanted::no : JsonRows::Wanted::yes);
  }
}

ResultWriter::ResultWriter(const std::vector<FlowStream>& streams, const CombinerEntry& combiner, const PluginRun& run,
                           const ResultOptions& options, Warn warn)
    : combiner_(combiner), run_(run), options_(options), warn_(std::move(warn)) {
  for (const auto& [flows, name] : streams)
    streams_.emplace_back(flows, combiner, name);
  if (streams_.empty() && !combiner.fields.empty()) {
    std::set<std::string_view> named;
    std::string chains;
    for (const auto& use : combiner.fields)
      if (named.insert(use.chain).second)
        chains.append(1, ' ').append(use.chain);
    throw Error("the conditions of " + std::string(combiner.plugin) +
                " rest on flows: give --flows, a stream of an observer with" + chains);
  }
}

std::string_view ResultWriter::line(Job& job) {
  return line(job, false);
}

std::string_view ResultWriter::line_of_poison(Job& job) {
  return line(job, true);
}

std::string_view ResultWriter::line(Job& job, bool is_poison) {
  line_.assign(1, '{');
  line_ += job.members();
  auto& connections = job.connections;
  std::sort(connections.begin(), connections.end(),
            [](const auto& a, const auto& b) { return a.record.config < b.record.config; });
  if (!connections.empty()) {
    auto from = connections.front().record.start_ns, to = connections.front().record.stop_ns;
    for (const auto& connection : connections) {
      from = std::min(from, connection.record.start_ns);
      to = std::max(to, connection.record.stop_ns);
    }
    json::append_member(line_, "time", "{");
    json::append_member(line_, "from", string_of(time_text(from)));
    json::append_member(line_, "to", string_of(time_text(to)));
    line_ += '}';
  }
  if (job.expected > 0) {
    const auto missed =
        static_cast<std::size_t>(std::count_if(connections.begin(), connections.end(), [](const auto& connection) {
          return connection.fate != JobConnection::Fate::joined;
        }));
    json::append_member(line_, "conditions", "[");
    const auto conditions = conditions_of(job, missed, is_poison);
    for (const char* comma = ""; const auto& condition : conditions.list()) {
      line_ += std::exchange(comma, ",");
      json::append_string(line_, condition);
    }
    line_ += ']';
    if (options_.output_flows) {
      json::append_member(line_, "missed_flows", std::to_string(missed));
      json::append_member(line_, "flow_results", "[");
      for (const char* comma = ""; const auto& connection : connections) {
        if (is_poison)
          break;
        line_ += std::exchange(comma, ",");
        append_flow_result(job, connection);
      }
      line_ += ']';
    }
  }
  line_ += "}\n";
  return line_;
}

Conditions ResultWriter::conditions_of(const Job& job, std::size_t missed_flows, bool is_poison) {
  Conditions conditions;
  const auto any_is = [&job](ConnectionState state) {
    return std::any_of(job.connections.begin(), job.connections.end(),
                       [state](const auto& connection) { return connection.record.state == state; });
  };
  if (job.unfinished) {
    conditions.add(std::string(unfinished));
  } else if (any_is(ConnectionState::discard)) {
    conditions.add(std::string(discarded));
  } else if (any_is(ConnectionState::skipped)) {
    conditions.add(std::string(Conditions::not_observed)); // one was never tried: nothing can be said of the path
  } else if (is_poison) {
    conditions.add_uncertain();
    ++combiner_failures_;
  } else {
    std::vector<MergedFlow> flows;
    flows.reserve(job.connections.size());
    std::vector<const JobFlow*> pointers;
    for (const auto& connection : job.connections) {
      const auto* const stream =
          connection.fate == JobConnection::Fate::joined ? &streams_[connection.stream] : nullptr;
      flows.emplace_back(job, connection, stream ? &stream->fields : nullptr,
                         stream ? &stream->standing_fields : nullptr);
      pointers.push_back(&flows.back());
    }
    try {
      const auto standings = standings_of(pointers, run_, combiner_);
      const JobFlows all(pointers, run_, standings);
      combiner_.combine(all, conditions);
      hint_at_mtu(all, conditions);
    } catch (const std::exception& error) {
      conditions = Conditions();
      conditions.add_uncertain();
      if (combiner_failures_++ == 0)
        warn_("job " + std::to_string(job.id) + ": its conditions failed: " + std::string(error.what()) +
              "; such jobs have the condition " + std::string(Conditions::uncertain) + " and are counted " +
              "(combiner_failures)");
    }
  }
  if (missed_flows > 0)
    conditions.add(std::string("pathspider.missed_flows:").append(std::to_string(missed_flows)));
  return conditions;
}

void ResultWriter::append_flow_result(Job& job, const JobConnection& connection) {
  collect_members(job, connection);
  line_ += '{';
  if (connection.fate == JobConnection::Fate::joined)
    append_flow_members(job, connection);
  for (const auto& member : own_)
    json::append_member(line_, member.key, member.value);
  line_ += '}';
}

/// What the merger says of a connection, then what the spider added.
void ResultWriter::collect_members(const Job& job, const JobConnection& connection) {
  const auto& record = connection.record;
  own_.clear();
  own_.push_back({"sp", record.source_port < 0 ? "null" : std::to_string(record.source_port)});
  own_.push_back({"spdr_state", std::to_string(static_cast<unsigned>(record.state))});
  own_.push_back({"spdr_start", string_of(time_text(record.start_ns))});
  own_.push_back({"spdr_stop", string_of(time_text(record.stop_ns))});
  own_.push_back({"config", std::to_string(record.config)});
  if (options_.server_mode)
    own_.push_back({"sip", address_string(record.source)});
  else
    own_.push_back({"dip", address_string(record.destination)});
  own_.push_back({"jobId", std::to_string(job.id)});
  const bool is_joined = connection.fate == JobConnection::Fate::joined;
  own_.push_back({"observed", is_joined ? "true" : "false"});
  if (!is_joined)
    own_.push_back({"missed_cause", string_of(to_string(connection.cause))});
  if (const auto error = connection_error_text(record.error); !error.empty())
    own_.push_back({"error", string_of(error)});
  static_cast<void>(json::split_members(job.members(connection), given_)); // it was whole when it came
  for (const auto& member : given_)
    if (!stays_inside(member.key) && !is_among(member.key, connection_keys))
      own_.push_back({std::string(member.key), std::string(member.value)});
}

/// The flow's fields as the combiner sees them, but for those that the connection has too.
void ResultWriter::append_flow_members(Job& job, const JobConnection& connection) {
  const auto& stream = streams_[connection.stream];
  // What counts as lost is what may have kept something unseen.
  const auto drops = MergedFlow(job, connection, nullptr, nullptr).ring_drops();
  std::memcpy(job.text.data() + connection.flow_at + offsetof(FlowRecord, ring_drops), &drops, sizeof drops);
  const auto row = job.flow_row(connection);
  flow_text_.resize(stream.rows.max_octets(row));
  auto wanted = stream.wanted;
  for (std::size_t field = 0; field < wanted.size(); ++field) {
    const auto* const member = own(connection.reversed ? stream.mirrors[field] : stream.names[field]);
    if (!member)
      continue;
    wanted[field] = JsonRows::Wanted::no;
    const char* const end = stream.rows.print_value(row, field, flow_text_.data());
    warn_of(*member, {flow_text_.data(), end});
  }
  const char* const end = stream.rows.print_members(row, wanted, connection.reversed, flow_text_.data());
  line_ += std::string_view(flow_text_.data(), end).substr(end == flow_text_.data() ? 0 : 1); // without its first comma
}

const ResultWriter::Member* ResultWriter::own(std::string_view key) const {
  const auto found = std::ranges::find(own_, key, &Member::key);
  return found == own_.end() ? nullptr : &*found;
}

/// Where a flow says something else than its connection; once for each key.
void ResultWriter::warn_of(const Member& member, std::string_view flow_value) {
  if (flow_value == member.value || warned_.contains(member.key) || warned_.size() >= max_warnings)
    return;
  warned_.insert(member.key);
  std::string warning = "a flow says \"";
  warning.append(member.key).append("\" is ").append(flow_value).append(", its connection ").append(member.value);
  warn_(warning + ": such results have the connection's value");
}

} // namespace orbweaver
