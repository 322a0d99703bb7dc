// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/resolve/system_hosts.hpp"

#include "common/address.hpp"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <fstream>
#include <sstream>

namespace orbweaver {

namespace {

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

/// A line's words, without what stands behind a #.
std::vector<std::string_view> words_of(std::string_view line) {
  constexpr std::string_view space = " \t\r\v\f";
  line = line.substr(0, line.find('#'));
  std::vector<std::string_view> words;
  for (auto at = line.find_first_not_of(space); at != line.npos; at = line.find_first_not_of(space)) {
    line.remove_prefix(at);
    words.push_back(line.substr(0, line.find_first_of(space)));
    line.remove_prefix(words.back().size());
  }
  return words;
}

template <typename Take>
void for_each_line(std::string_view text, Take&& take) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    take(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

/// Sets off brackets, which may stand without spaces around them.
std::string spaced(std::string_view line) {
  std::string text;
  for (const char c : line)
    text += c == '[' || c == ']' || c == ':' ? std::string{' ', c, ' '} : std::string{c};
  return text;
}

std::string text_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

} // namespace

std::vector<HostSource> host_sources(std::string_view nsswitch) {
  std::vector<HostSource> sources;
  bool is_known = false, is_over = false, found = false;
  for_each_line(nsswitch, [&](std::string_view line) {
    const auto text = lower_case(spaced(line));
    const auto words = words_of(text);
    if (words.size() < 2 || words[0] != "hosts" || words[1] != ":" || found)
      return;
    found = true;
    bool in_action = false;
    for (std::size_t i = 2; i < words.size(); ++i) {
      const auto word = words[i];
      if (word == "[" || word == "]") {
        in_action = word == "[";
      } else if (in_action) {
        // One service's answer ends it all; that of one which is passed over does not.
        is_over = is_over || (is_known && (word == "notfound=return" || word == "!success=return" ||
                                           word == "!unavail=return" || word == "!tryagain=return"));
      } else if (!is_over) {
        const bool is_files = word == "files";
        is_known = is_files || word == "dns" || word == "resolve";
        const auto source = is_files ? HostSource::files : HostSource::dns;
        if (is_known && std::ranges::find(sources, source) == sources.end())
          sources.push_back(source);
      }
    }
  });
  return found ? sources : std::vector{HostSource::files, HostSource::dns};
}

HostsFile::HostsFile(std::string_view text) {
  for_each_line(text, [this](std::string_view line) {
    const auto words = words_of(line);
    if (words.size() < 2)
      return;
    const Address address = parse_address(words[0]);
    for (std::size_t i = 1; i < words.size() && address.version != 0; ++i)
      addresses_.emplace(lower_case(words[i]), address);
  });
}

std::vector<Address> HostsFile::find(std::string_view name) const {
  if (name.ends_with('.'))
    name.remove_suffix(1);
  std::vector<Address> found;
  const auto [first, last] = addresses_.equal_range(lower_case(name));
  std::transform(first, last, std::back_inserter(found), [](const auto& entry) { return entry.second; });
  sort_addresses(found);
  return found;
}

SystemHosts SystemHosts::read(const std::string& nsswitch, const std::string& hosts) {
  return {host_sources(text_of(nsswitch)), HostsFile(text_of(hosts))};
}

void sort_addresses(std::vector<Address>& addresses) {
  const auto order = [](const Address& a, const Address& b) {
    return a.version != b.version ? a.version < b.version : std::memcmp(a.octets, b.octets, sizeof a.octets) < 0;
  };
  const auto equal = [](const Address& a, const Address& b) { return std::memcmp(&a, &b, sizeof a) == 0; };
  std::sort(addresses.begin(), addresses.end(), order);
  addresses.erase(std::unique(addresses.begin(), addresses.end(), equal), addresses.end());
}

} // namespace orbweaver
