// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/run/options/cpu_list.hpp"

#include "common/error.hpp"

#include <charconv>
#include <sstream>
#include <string_view>

namespace orbweaver {

namespace {

constexpr int max_cpu = 1023;

/// Takes a number off the front of `text`; -1 where there is none in range.
int take_number(std::string_view& text) {
  int number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0 || number > max_cpu || text.front() == '-')
    return -1;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

} // namespace

std::vector<int> parse_cpu_list(const std::string& text) {
  const auto refuse = [&](const std::string& part) {
    throw UsageError("--cpus '" + text + "': '" + part + "' is not a core (0 to " + std::to_string(max_cpu) +
                     ") or a range of cores; write it like 2,3,4,5 or 2-5");
  };
  std::vector<int> cpus;
  std::istringstream parts(text + ",");
  for (std::string part; std::getline(parts, part, ',');) {
    std::string_view rest = part;
    const int first = rest.empty() ? -1 : take_number(rest);
    int last = first;
    if (!rest.empty() && rest.front() == '-') {
      rest.remove_prefix(1);
      last = rest.empty() ? -1 : take_number(rest);
    }
    if (first < 0 || last < first || !rest.empty())
      refuse(part);
    for (int cpu = first; cpu <= last; ++cpu)
      cpus.push_back(cpu);
    if (cpus.size() > max_cpu + 1)
      refuse(part);
  }
  return cpus;
}

int deal_cpu(const std::vector<int>& cpus, std::size_t place) noexcept {
  return cpus.empty() ? -1 : cpus[place % cpus.size()];
}

} // namespace orbweaver
