// SPDX-License-Identifier: GPL-3.0-or-later
// What the spider tells the merger: a JobRecord for each job that it takes, then one ConnectionRecord for each
// connection that it made for the job, in the order in which they ended. A job is finished when all its connections are
// there. A spider that follows one that died begins with an AbandonedRecord: of the jobs that were under way nothing
// more comes.
#pragma once

#include "common/stream/record.hpp"
#include "common/stream/records/flow_record.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace orbweaver {

/// How a connection went: `spdr_state` in the output, with the numbers of PATHspider.
enum class ConnectionState : std::uint8_t {
  ok = 0,
  failed = 1,
  timeout = 2,
  skipped = 3, ///< never tried
  discard = 4, ///< tried, but says nothing about the path
};

/// A job, before its first connection. After the struct: `members_octets` of JSON text, the job's members as they go to
/// the output, without braces: `"dip":"192.0.2.1","dp":80,"path":["198.51.100.7","192.0.2.1"]`. Keys that begin with
/// `_` are left out. Never empty.
struct JobRecord {
  RecordHeader header;
  std::uint64_t job_id;      ///< `jobId`: counts the jobs of a run from 1, in the order of their input
  std::uint32_t connections; ///< ConnectionRecords that follow; 0: the job is a result as it is, without conditions
  std::uint32_t members_octets;

  [[nodiscard]] std::string_view members() const noexcept {
    return {reinterpret_cast<const char*>(this + 1), members_octets};
  }
};
static_assert(sizeof(JobRecord) == 24);

/// A connection that has ended. After the struct: `members_octets` of JSON text, more members of the connection without
/// braces (`"http_response_code":200`), or nothing.
struct ConnectionRecord {
  RecordHeader header;
  std::uint64_t job_id;
  std::uint64_t start_ns; ///< CLOCK_REALTIME before its first packet and after it had ended
  std::uint64_t stop_ns;
  std::int32_t source_port; ///< -1: it never got one, so that nothing can have been sent
  std::int32_t destination_port;
  std::uint32_t members_octets;
  std::uint16_t config; ///< which configuration or connection of the plugin: 0 to JobRecord::connections - 1, each once
  std::uint8_t protocol;
  ConnectionState state;
  Address source; ///< version 0: it never got one
  Address destination;
  std::uint8_t never_left; ///< 1: the system refused before a packet could leave, so that no flow is to be waited for
  std::uint8_t zero;
  std::uint16_t error; ///< errno that it failed with, `link_lost` or `other_interface`; 0: none
  std::uint8_t reserved[2];

  /// No errno: the interface went away under the connection, or was away when it should have begun.
  static constexpr std::uint16_t link_lost = 0xFFFF;
  /// Nor this: the target's route leaves by another interface than the one that is watched, so that it was not begun.
  static constexpr std::uint16_t other_interface = 0xFFFE;

  [[nodiscard]] std::string_view members() const noexcept {
    return {reinterpret_cast<const char*>(this + 1), members_octets};
  }
};
static_assert(sizeof(ConnectionRecord) == 88);

/// As it stands in the output: "ENETUNREACH", "no carrier"; empty for 0.
[[nodiscard]] std::string connection_error_text(std::uint16_t error);

/// Of the jobs of that number and below that are not finished no connection comes any more: who made them is gone.
struct AbandonedRecord {
  RecordHeader header;
  std::uint64_t job_id;
};
static_assert(sizeof(AbandonedRecord) == 16);

/// Whether a record is one of a job stream, and whole: its text ends where it ends.
[[nodiscard]] inline bool job_record_valid(const RecordHeader* record) noexcept {
  const auto fits = [record](auto fixed, auto text) {
    return record->length >= fixed && record->length - fixed == text;
  };
  if (record->kind == RecordKind::job && record->length >= sizeof(JobRecord))
    return fits(sizeof(JobRecord), reinterpret_cast<const JobRecord*>(record)->members_octets);
  if (record->kind == RecordKind::connection && record->length >= sizeof(ConnectionRecord))
    return fits(sizeof(ConnectionRecord), reinterpret_cast<const ConnectionRecord*>(record)->members_octets);
  if (record->kind == RecordKind::abandoned)
    return record->length == sizeof(AbandonedRecord);
  return false;
}

} // namespace orbweaver
