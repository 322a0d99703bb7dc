// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/jobs/job_output.hpp"

#include "common/error.hpp"

#include <algorithm>
#include <cstring>
#include <string>

namespace orbweaver {

template <typename Record>
void JobOutput::write(const Record& record, std::string_view members, const SpiderProgress& progress) {
  const auto length = static_cast<std::uint32_t>(sizeof record + members.size());
  const RecordHeader header{length, record.header.kind, 0};
  const auto fill = [&](std::byte* place) {
    std::memcpy(place, &record, sizeof record);
    std::memcpy(place, &header, sizeof header);
    std::copy(members.begin(), members.end(), reinterpret_cast<char*>(place + sizeof record));
  };
  if (std::byte* const place = waiting_.empty() ? writer_.claim(length) : nullptr) {
    fill(place);
    commit(place, header, progress);
  } else {
    waiting_.push_back({std::vector<std::byte>(length), progress});
    fill(waiting_.back().record.data());
  }
}

void JobOutput::commit(std::byte* place, const RecordHeader& header, const SpiderProgress& progress) noexcept {
  if (kept_)
    kept_->prepare(progress, writer_.position() + record_stride(header.length));
  writer_.commit(place, header.length, header.kind);
  if (!kept_)
    return;
  writer_.keep();
  kept_->done();
}

void JobOutput::note(const SpiderProgress& progress) noexcept {
  if (!kept_)
    return;
  kept_->prepare(progress, writer_.position());
  kept_->done();
}

void JobOutput::job(std::uint64_t job_id, std::uint32_t connections, std::string_view members,
                    const SpiderProgress& progress) {
  JobRecord record{};
  record.header.kind = RecordKind::job;
  record.job_id = job_id;
  record.connections = connections;
  record.members_octets = static_cast<std::uint32_t>(members.size());
  if (members.size() > max_job_members())
    throw Error(writer_.name() + " takes records of at most " + std::to_string(writer_.max_record_bytes()) +
                " octets, job " + std::to_string(job_id) + " has " + std::to_string(members.size()) +
                ": make it larger");
  write(record, members, progress);
}

void JobOutput::connection(ConnectionRecord record, std::string_view members, const SpiderProgress& progress) {
  record.header.kind = RecordKind::connection;
  record.members_octets = static_cast<std::uint32_t>(members.size());
  write(record, members, progress);
}

void JobOutput::no_more_connections(std::uint64_t job_id, const SpiderProgress& progress) {
  write(AbandonedRecord{{0, RecordKind::abandoned, 0}, job_id}, {}, progress);
}

void JobOutput::flush() noexcept {
  for (; !waiting_.empty(); waiting_.pop_front()) {
    const auto& [record, progress] = waiting_.front();
    RecordHeader header{};
    std::memcpy(&header, record.data(), sizeof header);
    std::byte* const place = writer_.claim(header.length);
    if (!place)
      break;
    std::memcpy(place, record.data(), record.size());
    commit(place, header, progress);
  }
  writer_.publish(waiting_.empty() ? Wake::when_much : Wake::now);
}

} // namespace orbweaver
