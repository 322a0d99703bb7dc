// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/results.hpp"

#include "common/address.hpp"
#include "common/json/escape.hpp"
#include "common/stream/connection_keys.hpp"
#include "merger/job_flow.hpp"

#include <algorithm>
#include <chrono>
#include <span>
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

std::string quoted(std::string_view text) {
  std::string string;
  json::append_string(string, text);
  return string;
}

std::string quoted_address(const Address& address) {
  return address.version == 0 ? "null" : quoted(address_text(address));
}

const json::Member* find(const std::vector<json::Member>& members, std::string_view key) {
  const auto found =
      std::find_if(members.begin(), members.end(), [&](const auto& member) { return member.key == key; });
  return found == members.end() ? nullptr : &*found;
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

ResultWriter::ResultWriter(const std::vector<const StreamHeader*>& streams, const CombinerEntry& combiner,
                           const ResultOptions& options, Warn warn)
    : combiner_(combiner), options_(options), warn_(std::move(warn)) {
  for (const auto* stream : streams)
    streams_.emplace_back(*stream);
}

std::string_view ResultWriter::line(Job& job) {
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
    json::append_member(line_, "from", quoted(time_text(from)));
    json::append_member(line_, "to", quoted(time_text(to)));
    line_ += '}';
  }
  if (job.expected > 0) {
    const auto missed =
        static_cast<std::size_t>(std::count_if(connections.begin(), connections.end(), [](const auto& connection) {
          return connection.fate != JobConnection::Fate::joined;
        }));
    json::append_member(line_, "conditions", "[");
    const auto conditions = conditions_of(job, missed);
    for (const char* comma = ""; const auto& condition : conditions.list()) {
      line_ += std::exchange(comma, ",");
      json::append_string(line_, condition);
    }
    line_ += ']';
    if (options_.output_flows) {
      json::append_member(line_, "missed_flows", std::to_string(missed));
      json::append_member(line_, "flow_results", "[");
      for (const char* comma = ""; const auto& connection : connections) {
        line_ += std::exchange(comma, ",");
        append_flow_result(job, connection);
      }
      line_ += ']';
    }
  }
  line_ += "}\n";
  return line_;
}

Conditions ResultWriter::conditions_of(const Job& job, std::size_t missed_flows) {
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
  } else {
    std::vector<MergedFlow> flows;
    flows.reserve(job.connections.size());
    std::vector<const JobFlow*> pointers;
    for (const auto& connection : job.connections) {
      const bool is_joined = connection.fate == JobConnection::Fate::joined;
      flows.emplace_back(job, connection, is_joined ? &streams_[connection.stream].fields : nullptr);
      pointers.push_back(&flows.back());
    }
    combiner_.combine(pointers, conditions);
  }
  if (missed_flows > 0)
    conditions.add(std::string("pathspider.missed_flows:").append(std::to_string(missed_flows)));
  return conditions;
}

void ResultWriter::append_flow_result(const Job& job, const JobConnection& connection) {
  const auto own = connection_members(job, connection);
  static_cast<void>(json::split_members(own, own_));
  line_ += '{';
  if (connection.fate == JobConnection::Fate::joined)
    append_flow_members(job, connection);
  for (const auto& member : own_)
    json::append_member(line_, member.key, member.value);
  line_ += '}';
}

/// What the merger says of a connection, then what the spider added.
std::string ResultWriter::connection_members(const Job& job, const JobConnection& connection) {
  const auto& record = connection.record;
  std::string object = "{";
  json::append_member(object, "sp", record.source_port < 0 ? "null" : std::to_string(record.source_port));
  json::append_member(object, "spdr_state", std::to_string(static_cast<unsigned>(record.state)));
  json::append_member(object, "spdr_start", quoted(time_text(record.start_ns)));
  json::append_member(object, "spdr_stop", quoted(time_text(record.stop_ns)));
  json::append_member(object, "config", std::to_string(record.config));
  if (options_.server_mode)
    json::append_member(object, "sip", quoted_address(record.source));
  else
    json::append_member(object, "dip", quoted_address(record.destination));
  json::append_member(object, "jobId", std::to_string(job.id));
  const bool is_joined = connection.fate == JobConnection::Fate::joined;
  json::append_member(object, "observed", is_joined ? "true" : "false");
  if (!is_joined)
    json::append_member(object, "missed_cause", quoted(to_string(connection.cause)));
  static_cast<void>(json::split_members(job.members(connection), own_));
  for (const auto& member : own_)
    if (!stays_inside(member.key) && !is_among(member.key, connection_keys))
      json::append_member(object, member.key, member.value);
  return object.substr(1);
}

/// The flow's fields, but for those that the connection has too.
void ResultWriter::append_flow_members(const Job& job, const JobConnection& connection) {
  const auto& writer = streams_[connection.stream].writer;
  flow_text_.resize(writer.max_line_bytes());
  const char* const end = writer.print(job.flow(connection), flow_text_.data());
  const auto length = static_cast<std::size_t>(end - flow_text_.data());
  static_cast<void>(
      json::split_members(std::string_view(flow_text_).substr(1, length - 3), flow_)); // without braces, newline
  const auto drops = std::to_string(MergedFlow(job, connection, nullptr).ring_drops());
  for (const auto& member : flow_) {
    // As the combiner sees it: forward is from us to the target, and drops are what may have kept something unseen.
    const auto key = connection.reversed ? other_end(member.key) : std::string(member.key);
    const auto value = key == "ring_drops" ? std::string_view(drops) : member.value;
    if (const auto* own = find(own_, key))
      warn_of(key, value, own->value);
    else if (!stays_inside(key))
      json::append_member(line_, key, value);
  }
}

/// Once for each key.
void ResultWriter::warn_of(std::string_view key, std::string_view flow_value, std::string_view connection_value) {
  if (flow_value == connection_value || warned_.contains(key) || warned_.size() >= max_warnings)
    return;
  warned_.emplace(key);
  std::string warning = "a flow says \"";
  warning.append(key).append("\" is ").append(flow_value).append(", its connection ").append(connection_value);
  warn_(warning + ": such results have the connection's value");
}

} // namespace orbweaver
