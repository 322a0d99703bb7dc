// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/job_output.hpp"

#include "common/error.hpp"

#include <algorithm>
#include <cstring>
#include <string>

namespace orbweaver {

template <typename Record>
void JobOutput::write(Record& record, RecordKind kind, std::string_view members) {
  const auto length = static_cast<std::uint32_t>(sizeof record + members.size());
  record.header = {length, kind, 0};
  record.members_octets = static_cast<std::uint32_t>(members.size());
  const auto fill = [&](std::byte* place) {
    std::memcpy(place, &record, sizeof record);
    std::copy(members.begin(), members.end(), reinterpret_cast<char*>(place + sizeof record));
  };
  if (std::byte* const place = waiting_.empty() ? writer_.claim(length) : nullptr) {
    fill(place);
    writer_.commit(place, length, kind);
  } else {
    fill(waiting_.emplace_back(length).data());
  }
}

void JobOutput::job(std::uint64_t job_id, std::uint32_t connections, std::string_view members) {
  JobRecord record{};
  record.job_id = job_id;
  record.connections = connections;
  if (members.size() > max_job_members())
    throw Error(writer_.name() + " takes records of at most " + std::to_string(writer_.max_record_bytes()) +
                " octets, job " + std::to_string(job_id) + " has " + std::to_string(members.size()) +
                ": make it larger");
  write(record, RecordKind::job, members);
}

void JobOutput::connection(ConnectionRecord record, std::string_view members) {
  write(record, RecordKind::connection, members);
}

void JobOutput::flush() noexcept {
  for (; !waiting_.empty(); waiting_.pop_front()) {
    const auto& record = waiting_.front();
    RecordHeader header{};
    std::memcpy(&header, record.data(), sizeof header);
    if (!writer_.write(record.data(), header.length, header.kind))
      break;
  }
  writer_.publish(waiting_.empty() ? Wake::when_much : Wake::now);
}

} // namespace orbweaver
