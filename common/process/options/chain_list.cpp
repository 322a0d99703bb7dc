// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/options/chain_list.hpp"

#include "common/error.hpp"
#include "common/json/builder.hpp"
#include "common/process/described_by.hpp"

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <simdjson.h>
#include <system_error>

namespace orbweaver {

namespace {

/// Letters to insert, leave out, replace, or swap with their neighbour (optimal string alignment).
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> before, above, row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before = std::exchange(above, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j - 1] + (a[i - 1] != b[j - 1]), above[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row.back();
}

using Element = simdjson::dom::element;

ChainDescription chain_of(const Element& object) {
  ChainDescription chain;
  chain.name = text_of(object, "name");
  chain.summary = text_of(object, "summary");
  chain.needs = static_cast<std::uint32_t>(object["needs"].get_uint64().value());
  chain.completes = object["completes"].get_bool().value();
  for (const Element option : object["options"].get_array())
    chain.options.push_back(
        {text_of(option, "name"), text_of(option, "help"), text_of(option, "default"), text_of(option, "values")});
  chain.stream = StreamDescription::decode(simdjson::minify(object["stream"].value()));
  return chain;
}

} // namespace

std::vector<FieldDescription> ChainDescription::fields_of(const TableDescription& table) const {
  std::vector<FieldDescription> fields;
  for (const auto& field : table.fields)
    if (field.chain == name)
      fields.push_back(field);
  return fields;
}

std::vector<ChainDescription> describe_chains() {
  return described_by("orbweaver-observer", "chains", chain_of);
}

void describe(std::span<const ChainOptionDescription> options, json::Array list) {
  for (const auto& option : options)
    list.object()
        .add("name", option.name)
        .add("help", option.help)
        .add("default", option.default_value)
        .add("values", option.values);
}

std::string chains_json(std::span<const ChainDescription> chains) {
  std::string text;
  {
    json::Array list(text);
    for (const auto& chain : chains) {
      json::Object object = list.object();
      object.add("name", chain.name).add("summary", chain.summary).add("needs", chain.needs);
      object.add("completes", chain.completes);
      describe(chain.options, object.array("options"));
      // Made by encode(): it is JSON.
      static_cast<void>(object.add_json("stream", chain.stream.encode()));
    }
  }
  return text + "\n";
}

std::uint32_t needs_of(std::span<const std::string> requests, std::span<const ChainDescription> chains) {
  std::uint32_t needs = 0;
  for (const auto& request : requests) {
    const auto name = request.substr(0, request.find(':'));
    const auto chain = std::ranges::find(chains, name, &ChainDescription::name);
    if (chain == chains.end()) {
      std::vector<std::string> candidates;
      for (const auto& c : chains)
        candidates.push_back(c.name);
      throw UsageError(unknown_chain(name, candidates));
    }
    needs |= chain->needs;
  }
  return needs;
}

std::string nearest_name(const std::string& name, std::span<const std::string> candidates) {
  const auto nearest = std::min_element(candidates.begin(), candidates.end(), [&](const auto& a, const auto& b) {
    return edit_distance(name, a) < edit_distance(name, b);
  });
  const std::size_t near = std::max<std::size_t>(2, name.size() / 3);
  return nearest != candidates.end() && edit_distance(name, *nearest) <= near ? *nearest : std::string();
}

std::string unknown_name(const std::string& what, const std::string& name, std::span<const std::string> candidates) {
  if (const auto near = nearest_name(name, candidates); !near.empty())
    return what + "; did you mean '" + near + "'?";
  if (candidates.empty())
    return what + "; there are none";
  auto text = what + "; there are";
  for (const auto& candidate : candidates)
    text += " " + candidate;
  return text;
}

std::string unknown_chain(const std::string& name, std::span<const std::string> candidates) {
  std::error_code none;
  if (std::filesystem::exists(name, none))
    return "no chain '" + name + "', but a file: each file has an -i of its own, and a pattern is quoted: -i '*.pcap'";
  return unknown_name("no chain '" + name + "'", name, candidates);
}

} // namespace orbweaver
