// SPDX-License-Identifier: GPL-3.0-or-later
// A line of the job input as a job: an object of NDJSON, or CSV in its three shapes. One thread.
#pragma once

#include "spider/jobs/job.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace orbweaver {

/// Why a line is no job.
class BadJob : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

class JobParser {
public:
  JobParser();
  ~JobParser();

  /// Reads an object of any shape; LineReader::slack_octets behind the line may be read. Sets all of `job` but its
  /// id and line. Throws BadJob.
  void ndjson(std::string_view line, Job& job);

  /// Reads 2 columns rank,domain; 3 dip,dp,domain; or 4 dip,dp,domain,rank, quoted or not (RFC 4180). Throws BadJob.
  static void csv(std::string_view line, Job& job);

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace orbweaver
