// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/jobs/job_filter.hpp"

#include "common/error.hpp"
#include "common/json/escape.hpp"
#include "common/json/members.hpp"

#include <poll.h>
#include <string>
#include <string_view>
#include <vector>

namespace orbweaver {

namespace {

/// The object, which was read as a job, with that port for its `dp`, at the place of the old one or at the end.
std::string with_port(std::string_view object, std::uint16_t port) {
  std::vector<json::Member> members;
  static_cast<void>(json::split_members(object.substr(1, object.size() - 2), members)); // it was checked as it was read
  const std::string number = std::to_string(port);
  std::string text;
  const char* copied = object.data();
  for (const auto& [key, value] : members) {
    if (json::unescaped(key) != "dp")
      continue;
    text.append(copied, value.data()).append(number);
    copied = value.data() + value.size();
  }
  text.append(copied, object.data() + object.size());
  if (copied == object.data()) {
    text.pop_back();
    json::append_member(text, "dp", number);
    text += '}';
  }
  return text;
}

} // namespace

void filter_jobs(JobReader& jobs, std::optional<std::uint16_t> port, std::FILE* out) {
  const auto write = [&](const Job& job) {
    const auto line = (port ? with_port(job.text, *port) : job.text) + "\n";
    return std::fputs(line.c_str(), out) >= 0;
  };
  bool written = true;
  for (Job job; written;) {
    const auto next = jobs.next(job);
    if (next == JobReader::Next::end)
      break;
    if (next == JobReader::Next::job)
      written = write(job);
    if (next != JobReader::Next::wait)
      continue;
    written = std::fflush(out) == 0;
    pollfd input{jobs.descriptor(), POLLIN, 0};
    poll(&input, 1, -1);
  }
  if (!written || std::fflush(out) != 0)
    throw Error("cannot write jobs: " + errno_text());
  if (!jobs.problem().empty())
    throw Error(jobs.problem());
}

} // namespace orbweaver
