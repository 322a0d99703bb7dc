// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/chain_list.hpp"

#include "common/error.hpp"
#include "common/process/stage.hpp"

#include <algorithm>
#include <numeric>
#include <simdjson.h>

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

} // namespace

std::vector<ChainDescription> describe_chains() {
  const auto program = find_program("orbweaver-observer");
  const auto text = output_of(program, "--describe-chains");
  std::vector<ChainDescription> chains;
  try {
    simdjson::dom::parser parser;
    for (const simdjson::dom::element chain : parser.parse(text).get_array()) {
      ChainDescription description;
      description.name = std::string(chain["name"].get_string().value());
      description.summary = std::string(chain["summary"].get_string().value());
      description.needs = static_cast<std::uint32_t>(chain["needs"].get_uint64().value());
      for (const simdjson::dom::element field : chain["fields"].get_array())
        description.fields.emplace_back(field.get_string().value());
      chains.push_back(std::move(description));
    }
  } catch (const simdjson::simdjson_error& error) {
    throw Error(program + " --describe-chains gave something else than a list of chains: " + error.what());
  }
  return chains;
}

std::uint32_t needs_of(std::span<const std::string> names, std::span<const ChainDescription> chains) {
  std::uint32_t raw = 0;
  for (const auto& name : names) {
    const auto chain = std::find_if(chains.begin(), chains.end(), [&](const auto& c) { return c.name == name; });
    if (chain == chains.end()) {
      std::vector<std::string> candidates;
      for (const auto& c : chains)
        candidates.push_back(c.name);
      throw UsageError(unknown_chain(name, candidates));
    }
    raw |= chain->needs;
  }
  return raw;
}

std::string nearest_name(const std::string& name, std::span<const std::string> candidates) {
  const auto nearest = std::min_element(candidates.begin(), candidates.end(), [&](const auto& a, const auto& b) {
    return edit_distance(name, a) < edit_distance(name, b);
  });
  const std::size_t near = std::max<std::size_t>(2, name.size() / 3);
  return nearest != candidates.end() && edit_distance(name, *nearest) <= near ? *nearest : std::string();
}

std::string unknown_chain(const std::string& name, std::span<const std::string> candidates) {
  auto text = "no chain '" + name + "'";
  if (const auto near = nearest_name(name, candidates); !near.empty())
    return text + "; did you mean '" + near + "'?";
  text += "; there are";
  for (const auto& candidate : candidates)
    text += " " + candidate;
  return text;
}

} // namespace orbweaver
