// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/jobs/job_reader.hpp"

#include <algorithm>
#include <utility>

namespace orbweaver {

namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF"; // what some programs begin UTF-8 with

} // namespace

JobReader::JobReader(const std::string& path, const JobReaderOptions& options, BadLine bad_line,
                     const JobReaderMemory& memory)
    : lines_(path, memory.tape), targets_(options.target_octets, memory.targets), options_(options),
      bad_line_(std::move(bad_line)) {}

JobReaderPlace JobReader::place() const noexcept {
  return {lines_.position_octets(), lines_.number(), targets_.asked(), counters_};
}

void JobReader::resume(const JobReaderPlace& place) {
  lines_.resume(place.octets, place.line);
  targets_.resume(place.targets_asked);
  counters_ = place.counters;
}

bool JobReader::is_new(std::string_view target) {
  const bool fresh = targets_.insert(target);
  if (targets_.forgotten() != counters_.targets_forgotten && counters_.targets_forgotten++ == 0)
    bad_line_(lines_.number(), "there is no memory to remember more than " + std::to_string(targets_.size()) +
                                   " targets: from here on, one that was there before is measured again");
  return fresh;
}

bool JobReader::take(std::string_view line, Job& job) {
  if (options_.csv)
    JobParser::csv(line, job);
  else
    parser_.ndjson(line, job);
  const bool has_dip = job.destination.version != 0;
  if (options_.by_domain || (options_.by_either && !has_dip)) {
    if (job.domain.empty())
      throw BadJob(options_.by_either ? "it has neither dip nor domain" : "it has no domain");
    std::string target = job.domain.ends_with('.') ? job.domain.substr(0, job.domain.size() - 1) : job.domain;
    std::ranges::transform(target, target.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c; });
    return is_new(target);
  }
  if (!has_dip)
    throw BadJob("it has no dip");
  // As octets: an address can be written in more ways than one.
  const std::size_t octets = job.destination.version == 4 ? 4 : 16;
  return is_new({reinterpret_cast<const char*>(job.destination.octets), octets});
}

JobReader::Next JobReader::next(Job& job) {
  std::string_view line;
  for (unsigned lines = 0; lines < max_lines; ++lines) {
    switch (lines_.next(line)) {
    case LineReader::Next::wait:
      return Next::wait;
    case LineReader::Next::end:
      return Next::end;
    case LineReader::Next::skipped:
      break;
    case LineReader::Next::too_long:
      ++counters_.lines_read, ++counters_.lines_bad;
      bad_line_(lines_.number(), "it is longer than " + std::to_string(LineReader::max_line_octets) + " octets");
      break;
    case LineReader::Next::line:
      if (lines_.number() == 1 && line.starts_with(byte_order_mark))
        line.remove_prefix(byte_order_mark.size());
      if (line.find_first_not_of(" \t") == line.npos)
        break;
      ++counters_.lines_read;
      try {
        if (take(line, job)) {
          job.id = ++counters_.jobs;
          job.line = lines_.number();
          return Next::job;
        }
        ++counters_.lines_duplicate;
      } catch (const BadJob& bad) {
        ++counters_.lines_bad;
        bad_line_(lines_.number(), bad.what());
      }
    }
  }
  return Next::more;
}

} // namespace orbweaver
