// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/jobs/job_filter.hpp"

#include "common/error.hpp"

#include <poll.h>
#include <simdjson.h>
#include <string>

namespace orbweaver {

namespace {

/// The object, which was read as a job, with that port for its `dp`, at the place of the old one or at the end.
std::string with_port(const std::string& object, std::uint16_t port, simdjson::ondemand::parser& parser) {
  const simdjson::padded_string padded(object);
  const std::string number = std::to_string(port);
  std::string text;
  const char* copied = padded.data();
  auto document = parser.iterate(padded);
  for (auto field : document.get_object()) {
    if (field.unescaped_key().value() != "dp")
      continue;
    const std::string_view old = field.value().raw_json_token();
    text.append(copied, old.data()).append(number);
    copied = old.data() + old.find_last_not_of(" \t\r\n") + 1;
  }
  text.append(copied, padded.data() + padded.size());
  if (copied == padded.data())
    text.insert(text.rfind('}'), ",\"dp\":" + number);
  return text;
}

} // namespace

void filter_jobs(JobReader& jobs, std::optional<std::uint16_t> port, std::FILE* out) {
  simdjson::ondemand::parser parser;
  const auto write = [&](const Job& job) {
    const auto line = (port ? with_port(job.text, *port, parser) : job.text) + "\n";
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
