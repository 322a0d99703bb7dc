// SPDX-License-Identifier: GPL-3.0-or-later
// What a measurement leaves to the next merger, what that makes of it, and what it steps over.
#include "common/error.hpp"
#include "common/stream/poison.hpp"
#include "merger/measure/measurement.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace orbweaver {

namespace {

constexpr std::size_t jobs_stream = 0;

/// Those that are not what a part of the measurement counts itself.
constexpr std::size_t kept_counters[] = {MergerCounter::jobs_received, MergerCounter::jobs_unfinished,
                                         MergerCounter::events_received, MergerCounter::members_bad};

} // namespace

void Measurement::save(StateWriter& state) const {
  state.put(std::uint64_t{streams_.size()});
  for (std::size_t stream = 0; stream < streams_.size(); ++stream) {
    const auto place = loop_.place(stream);
    state.put(place.position);
    state.put(std::uint8_t{place.done});
    state.put(std::uint8_t{streams_[stream].has_nothing});
    state.put(streams_[stream].taken);
    state.put(streams_[stream].records);
  }
  for (const auto* const sentences : {&loop_.problems(), &loop_.warnings()}) {
    state.put(std::uint64_t{sentences->size()});
    for (const auto& sentence : *sentences)
      state.put_text(sentence);
  }
  for (const auto counter : kept_counters)
    state.put(counters_[counter]);
  state.put(results_.combiner_failures());
  state.put(jobs_stepped_over_);
  state.put(last_job_id_);
  state.put(jobs_s_);
  state.put(digest_);
  state.put(octets_before_);
  const auto rotated = rotation_ ? rotation_->streams() : std::span<const StreamInFile>();
  state.put(std::uint64_t{rotated.size()});
  for (const auto& stream : rotated)
    state.put(stream);
  jobs_.save(state);
  join_.save(state);
  state.put(std::uint64_t{join_.connections_waiting()});
  join_.for_each_waiting([&](ConnectionRef ref) {
    state.put(jobs_.at(ref.job).id);
    state.put(ref.connection);
  });
}

/// Nothing was read yet. What contradicts itself is refused: who wrote it may have been anybody's.
void Measurement::restore(StateReader& state) {
  StateReader::check(state.get<std::uint64_t>() == streams_.size(), "it has another number of streams");
  for (std::size_t stream = 0; stream < streams_.size(); ++stream) {
    const auto position = state.get<std::uint64_t>();
    const bool done = state.get_flag();
    loop_.resume(stream, {position, done});
    streams_[stream].has_nothing = state.get_flag();
    streams_[stream].taken = state.get<std::uint64_t>();
    streams_[stream].records = state.get<std::uint64_t>();
  }
  std::vector<std::string> said[2];
  for (auto& sentences : said)
    for (auto count = state.get<std::uint64_t>(); count > 0; --count)
      sentences.push_back(state.get_text());
  loop_.say_again(std::move(said[0]), std::move(said[1]));
  for (const auto counter : kept_counters)
    counters_[counter] = state.get<std::uint64_t>();
  results_.resume(state.get<std::uint64_t>());
  jobs_stepped_over_ = state.get<std::uint64_t>();
  last_job_id_ = state.get<std::uint64_t>();
  jobs_s_ = state.get<std::uint64_t>();
  digest_ = state.get<Digest>();
  octets_before_ = state.get<std::uint64_t>();
  std::vector<StreamInFile> rotated(rotation_ ? rotation_->streams().size() : 0);
  StateReader::check(state.get<std::uint64_t>() == rotated.size(), "its files are of another number of streams");
  for (auto& stream : rotated)
    stream = state.get<StreamInFile>();
  if (rotation_)
    rotation_->resume(snapshots_->left()->head.rotation, rotated);
  jobs_.restore(state, run_.connections);
  std::uint64_t waiting = 0;
  for (auto place = jobs_.oldest(); place != JobTable::none; place = jobs_.newer(place)) {
    const auto& job = jobs_.at(place);
    check_job(job);
    waiting += job.connections.size() - job.decided;
  }
  join_.restore(state, [this](std::size_t stream, const RecordHeader& row) { return check_row(stream, row); });
  StateReader::check(state.get<std::uint64_t>() == waiting, "its connections that wait are another number");
  std::vector<std::uint64_t> refs;
  for (; waiting > 0; --waiting) {
    const auto place = jobs_.find(state.get<std::uint64_t>());
    const auto index = state.get<std::uint32_t>();
    StateReader::check(place != JobTable::none && index < jobs_.at(place).connections.size() &&
                           jobs_.at(place).connections[index].fate == JobConnection::Fate::waiting,
                       "a connection that waits is none");
    refs.push_back(std::uint64_t{place} << 32 | index);
    join_.wait_again(jobs_.at(place).connections[index].record, {place, index});
  }
  std::ranges::sort(refs);
  StateReader::check(std::ranges::adjacent_find(refs) == refs.end(), "a connection waits twice");
  join_.check_restored();
  state.finish();
}

/// Whether that is a flow of that stream, and nothing in it lies outside of it.
bool Measurement::check_row(std::size_t flow_stream, const RecordHeader& record) {
  RowView row;
  return streams_[jobs_stream + 1 + flow_stream].rows.take(record, row);
}

/// What the texts of a job hold: members, and flows of its connections.
void Measurement::check_job(const Job& job) {
  StateReader::check(job.id <= last_job_id_, "a job came after the last one");
  const auto are_members = [this](std::string_view text) {
    return text.empty() || static_cast<bool>(json::split_members(text, members_));
  };
  StateReader::check(are_members(job.members()), "a job's members are no JSON");
  std::vector<std::uint64_t> row; // at an address that a record may have
  for (const auto& connection : job.connections) {
    StateReader::check(are_members(job.members(connection)), "a connection's members are no JSON");
    if (connection.fate != JobConnection::Fate::joined)
      continue;
    row.resize(record_stride(std::max<std::size_t>(connection.flow_octets, sizeof(RecordHeader))) / sizeof row[0]);
    std::memcpy(row.data(), job.flow(connection), connection.flow_octets);
    const auto& record = *reinterpret_cast<const RecordHeader*>(row.data());
    StateReader::check(connection.flow_octets >= sizeof(FlowRecord) && record.length == connection.flow_octets &&
                           record.kind == RecordKind::row && record.table == 0 &&
                           connection.stream + 1 < streams_.size() && check_row(connection.stream, record),
                       "a job's flow is none");
  }
}

/// Whether mergers did not die of that record twice; then it is at work.
bool Measurement::may_be_read(std::size_t stream, const RecordHeader& record, std::uint64_t number) {
  auto& notes = snapshots_->notes();
  if (!notes.is_poison(stream, number)) [[likely]] {
    notes.at_work(stream, number);
    return true;
  }
  if (notes.is_new_poison()) {
    warn_("a record of " + loop_.reader(stream).name() + " that a merger died of twice is stepped over");
    if (poison_fd_ >= 0 && !write_poison(poison_fd_, loop_.reader(stream).stream(), record))
      warn_("it cannot be given out: " + errno_text());
  }
  return false;
}

/// It is counted as what it was, and is lost.
void Measurement::step_over(std::size_t stream, const RecordHeader& record) {
  if (stream != jobs_stream) {
    if (record.kind == RecordKind::row && record.table == 0)
      join_.stepped_over_flow();
    counters_[MergerCounter::events_received] += record.kind == RecordKind::row && record.table != 0;
  } else if (record.kind == RecordKind::job && job_record_valid(&record)) {
    ++counters_[MergerCounter::jobs_received];
    ++jobs_stepped_over_;
    ++streams_[jobs_stream].taken;
    last_job_id_ = std::max(last_job_id_, reinterpret_cast<const JobRecord&>(record).job_id); // its connections come
  } else if (record.kind == RecordKind::connection) {
    join_.too_late();
  }
}

/// Of a job that mergers died of twice, conditions and flows are not looked at again.
std::string_view Measurement::line_with_notes(Job& job) {
  auto& notes = snapshots_->notes();
  const auto before = notes.now();
  if (notes.is_poison(WorkNotes::results, job.id)) [[unlikely]] {
    if (notes.is_new_poison()) {
      warn_("job " + std::to_string(job.id) + ": a merger died of its conditions twice; such jobs have the condition " +
            std::string(Conditions::uncertain) + " and are counted (combiner_failures)");
      if (poison_fd_ >= 0 && !give_out(job))
        warn_("it cannot be given out: " + errno_text());
    }
    return results_.line_of_poison(job);
  }
  notes.at_work(WorkNotes::results, job.id);
  const auto line = results_.line(job);
  notes.back_to(before);
  return line;
}

/// For a bug report: a recording of the job with its connections, and one of each stream that had flows of it.
bool Measurement::give_out(const Job& job) {
  const auto record_of = [](auto header, std::string_view members) {
    header.header.length = static_cast<std::uint32_t>(sizeof header + members.size());
    header.members_octets = static_cast<std::uint32_t>(members.size());
    return std::string(reinterpret_cast<const char*>(&header), sizeof header).append(members);
  };
  std::vector<std::string> records{
      record_of(JobRecord{{0, RecordKind::job, 0}, job.id, job.expected, 0}, job.members())};
  for (const auto& connection : job.connections)
    records.push_back(record_of(connection.record, job.members(connection)));
  bool good = write_poison(poison_fd_, loop_.reader(jobs_stream).stream(), records);
  for (std::size_t stream = jobs_stream + 1; stream < streams_.size(); ++stream) {
    records.clear();
    for (const auto& connection : job.connections)
      if (connection.fate == JobConnection::Fate::joined && connection.stream + 1 == stream)
        records.emplace_back(reinterpret_cast<const char*>(job.flow(connection)), connection.flow_octets);
    good = good && (records.empty() || write_poison(poison_fd_, loop_.reader(stream).stream(), records));
  }
  return good;
}

} // namespace orbweaver
