// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/jobs/job_parser.hpp"

#include "common/address.hpp"
#include "common/json/builder.hpp"
#include "common/json/number.hpp"
#include "spider/jobs/host_name.hpp"
#include "spider/jobs/line_reader.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <simdjson.h>
#include <vector>

namespace orbweaver {

namespace {

namespace ondemand = simdjson::ondemand;
static_assert(LineReader::slack_octets >= simdjson::SIMDJSON_PADDING);

/// Deeper documents are refused, so that the stack is bounded.
constexpr unsigned max_depth = 256;

std::string_view trimmed(std::string_view text) noexcept {
  constexpr std::string_view space = " \t\r\n";
  const auto first = text.find_first_not_of(space);
  return first == text.npos ? std::string_view() : text.substr(first, text.find_last_not_of(space) + 1 - first);
}

/// A value that was gone through.
struct Checked {
  std::string_view text;     ///< as it is written
  std::string_view string{}; ///< of a string: without quotes and escapes, until the parser reads on
  bool is_string = false;
};

/// Goes through a whole value, which simdjson checks only as far as it is looked at.
Checked checked(ondemand::value value, ondemand::document& document, unsigned depth) {
  if (depth > max_depth)
    throw BadJob("it is nested deeper than " + std::to_string(max_depth));
  const std::string_view token = value.raw_json_token();
  const auto text_to_here = [&] {
    const char* const end = document.current_location();
    return Checked{.text = trimmed({token.data(), static_cast<std::size_t>(end - token.data())})};
  };
  switch (token.front()) {
  case '[':
    for (auto element : value.get_array())
      checked(element.value(), document, depth + 1);
    return text_to_here();
  case '{':
    for (auto field : value.get_object()) {
      static_cast<void>(field.unescaped_key().value());
      checked(field.value(), document, depth + 1);
    }
    return text_to_here();
  case '"': {
    const std::string_view string = value.get_string();
    return {.text = trimmed(token), .string = string, .is_string = true};
  }
  case 't':
  case 'f':
    static_cast<void>(value.get_bool().value());
    break;
  case 'n':
    if (!value.is_null())
      throw BadJob("a value is none of JSON");
    break;
  default:
    // Not read as a number: it may be larger than one of this machine's.
    if (!json::is_number(trimmed(token)))
      throw BadJob("a value is none of JSON");
  }
  return {.text = trimmed(token)};
}

/// A whole number without sign, all of `text`.
template <typename Number>
std::optional<Number> whole_number(std::string_view text) noexcept {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && !text.empty() ? std::optional(number)
                                                                                   : std::nullopt;
}

/// In a message; messages that differ in quoted texts are of one kind (message_log.hpp).
std::string quoted(std::string_view text) {
  return "'" + std::string(text.substr(0, 60)) + "'";
}

void take_address(Job& job, std::string_view text) {
  job.destination = parse_address(text);
  if (job.destination.version == 0)
    throw BadJob("dip is no address: " + quoted(text));
}

void take_domain(Job& job, std::string_view text) {
  auto [name, problem] = host_name(text);
  if (name.empty())
    throw BadJob("domain is no name of a host: " + quoted(text) + " (" + problem + ")");
  job.domain = std::move(name);
}

void take_port(Job& job, std::string_view text) {
  job.destination_port = whole_number<std::uint16_t>(text);
  if (!job.destination_port || *job.destination_port == 0)
    throw BadJob("dp is no port from 1 to 65535: " + quoted(text));
}

void clear(Job& job) {
  job.destination = {};
  job.destination_port.reset();
  job.domain.clear();
  job.destination_asn.reset();
  job.members.clear();
  job.text.clear();
}

/// The fields of a line of CSV (RFC 4180); a quoted one ends on its line.
std::vector<std::string> csv_fields(std::string_view line) {
  std::vector<std::string> fields(1);
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == ',') {
      fields.emplace_back();
    } else if (line[i] != '"') {
      fields.back() += line[i];
    } else {
      if (!fields.back().empty())
        throw BadJob("a quote stands within a field");
      for (++i; i < line.size() && (line[i] != '"' || (i + 1 < line.size() && line[i + 1] == '"')); ++i) {
        i += line[i] == '"';
        fields.back() += line[i];
      }
      if (i == line.size())
        throw BadJob("a quoted field does not end on its line");
      if (i + 1 < line.size() && line[i + 1] != ',')
        throw BadJob("text stands behind a quoted field");
    }
  }
  return fields;
}

} // namespace

struct JobParser::State {
  ondemand::parser parser;
  ondemand::parser info_parser;

  /// The number of an `info` object, which was checked.
  std::optional<std::uint32_t> asn_of(std::string_view info) {
    ondemand::document document = info_parser.iterate(info.data(), info.size(), info.size() + LineReader::slack_octets);
    std::uint64_t asn = 0;
    auto value = document["ASN"];
    const bool there =
        value.get_uint64().get(asn) == simdjson::SUCCESS || value.get_uint64_in_string().get(asn) == simdjson::SUCCESS;
    return there && asn <= std::numeric_limits<std::uint32_t>::max() ? std::optional(static_cast<std::uint32_t>(asn))
                                                                     : std::nullopt;
  }
};

JobParser::JobParser() : state_(std::make_unique<State>()) {}
JobParser::~JobParser() = default;

namespace {

/// A string, without its escapes.
std::string_view string_of(std::string_view key, const Checked& value) {
  if (!value.is_string)
    throw BadJob(std::string(key) + " is no string");
  return value.string;
}

/// A number may stand in a string: PATHspider's lists made from CSV have it so.
std::string_view number_of(const Checked& value) noexcept {
  return value.is_string ? value.string : value.text;
}

/// Takes what the spider itself reads of a member.
void take_member(Job& job, std::string_view key, const Checked& value) {
  if (value.text == "null")
    return;
  if (key == "dip") {
    if (job.destination.version != 0)
      throw BadJob("dip stands in it twice");
    take_address(job, string_of(key, value));
  } else if (key == "dp") {
    take_port(job, number_of(value));
  } else if (key == "domain") {
    if (const auto domain = string_of(key, value); !domain.empty()) // as in CSV
      take_domain(job, domain);
  } else if (key == "dip_asn") {
    job.destination_asn = whole_number<std::uint32_t>(number_of(value));
  }
}

bool written_by_spider(std::string_view key) noexcept {
  return key == "sip" || key == "path" || key == "sip_public" || key == "sip_asn" || key == "not_measured";
}

} // namespace

void JobParser::ndjson(std::string_view line, Job& job) {
  clear(job);
  std::optional<std::uint32_t> info_asn;
  try {
    ondemand::document document =
        state_->parser.iterate(line.data(), line.size(), line.size() + LineReader::slack_octets);
    ondemand::object object;
    if (document.get_object().get(object) != simdjson::SUCCESS)
      throw BadJob("it is no JSON object");
    for (auto field : object) {
      const std::string_view key = field.unescaped_key();
      const bool is_info = key == "info";
      const Checked value = checked(field.value(), document, 1);
      take_member(job, key, value);
      if (is_info && value.text.starts_with('{'))
        info_asn = state_->asn_of(value.text);
      // Who reads the members goes by their keys: an escaped one must not stand for another.
      const bool is_absent = key == "dp" && value.text == "null"; // the port that is taken stands in its place
      if (!key.starts_with('_') && !written_by_spider(key) && !is_absent) {
        json::append_key(job.members, key);
        job.members += value.text;
      }
    }
    if (document.current_location().error() != simdjson::OUT_OF_BOUNDS)
      throw BadJob("text stands behind the object");
  } catch (const simdjson::simdjson_error& error) {
    throw BadJob(std::string("it is no JSON object: ") + error.what());
  }
  if (!job.destination_asn)
    job.destination_asn = info_asn;
  job.text = trimmed(line);
}

void JobParser::csv(std::string_view line, Job& job) {
  clear(job);
  if (!simdjson::validate_utf8(line.data(), line.size()))
    throw BadJob("it is not UTF-8");
  const auto fields = csv_fields(line);
  if (fields.size() < 2 || fields.size() > 4)
    throw BadJob("it has " + std::to_string(fields.size()) +
                 " columns, not 2 (rank,domain), 3 (dip,dp,domain) or 4 (dip,dp,domain,rank)");
  std::string_view rank;
  auto members = json::Object::members_of(job.members);
  if (fields.size() == 2) {
    rank = fields[0];
  } else {
    take_address(job, fields[0]);
    members.add("dip", fields[0]);
    if (!fields[1].empty()) {
      take_port(job, fields[1]);
      members.add("dp", *job.destination_port);
    }
    rank = fields.size() == 4 ? std::string_view(fields[3]) : std::string_view();
  }
  if (const auto& domain = fields[fields.size() == 2 ? 1 : 2]; !domain.empty()) {
    take_domain(job, domain);
    members.add("domain", domain);
  }
  if (json::is_number(rank))
    json::append_member(job.members, "rank", rank);
  else if (!rank.empty())
    members.add("rank", rank);
  job.text = "{" + job.members + "}";
}

} // namespace orbweaver
