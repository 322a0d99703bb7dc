// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/measure/measurement.hpp"

#include "common/error.hpp"
#include "merger/conditions/library.hpp"
#include "merger/rows/flow_stream.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace orbweaver {

namespace {

constexpr std::size_t jobs_stream = 0;
constexpr std::uint64_t second_ns = 1'000'000'000;

/// Streams are this far apart at most while both have something to read: as exact as the packet clock.
constexpr std::uint64_t lead_s = 1;

/// Of a state, what is neither jobs nor join, sentences about 65 streams among it.
constexpr std::uint64_t most_other_octets = std::uint64_t{16} << 20;

std::vector<RecordReader> in_one_list(RecordReader jobs, std::vector<RecordReader> flows) {
  std::vector<RecordReader> list;
  list.reserve(1 + flows.size());
  list.push_back(std::move(jobs));
  for (auto& stream : flows)
    list.push_back(std::move(stream));
  return list;
}

std::vector<std::uint32_t> record_bytes_of(const StreamLoop& loop) {
  std::vector<std::uint32_t> bytes;
  for (std::size_t stream = jobs_stream + 1; stream < loop.size(); ++stream)
    bytes.push_back(loop.reader(stream).stream().tables.front().record_octets);
  return bytes;
}

std::vector<ResultWriter::FlowStream> flow_streams_of(const StreamLoop& loop) {
  std::vector<ResultWriter::FlowStream> streams;
  for (std::size_t stream = jobs_stream + 1; stream < loop.size(); ++stream)
    streams.push_back({loop.reader(stream).stream().tables.front(), loop.reader(stream).name()});
  return streams;
}

} // namespace

void keep_within(std::uint64_t left_octets, MeasurementOptions& options) noexcept {
  constexpr std::uint64_t flow_octets = 512; // with its place in the index
  constexpr std::uint32_t fewest_flows = 1024;
  options.limits.max_job_octets = std::min(options.limits.max_job_octets, left_octets / 4);
  options.join.max_tail_octets = std::min(options.join.max_tail_octets, left_octets / 16);
  while (options.join.max_flows > fewest_flows && options.join.max_flows * flow_octets > left_octets / 8)
    options.join.max_flows /= 2;
}

CombinerEntry combiner_of(const StreamDescription& jobs, const std::string& name, const CombinerEntry* asked) {
  const auto& run = jobs.plugin;
  if (run.name.empty())
    throw Error(name + ": does not say which plugin its jobs are of: record it again");
  const auto version = run.version.empty() ? "" : " (version " + run.version + ")";
  if (asked && asked->plugin != run.name) {
    const std::string plugin(asked->plugin);
    throw Error(name + ": its jobs are of the plugin " + run.name + version + ", and --plugin is " + plugin +
                ": leave --plugin out, or give the jobs of " + plugin);
  }
  const auto combiner = asked ? *asked : find_combiner(run.name);
  const auto made = name + ": the plugin " + run.name + version + " makes " + std::to_string(run.connections) +
                    " connections for a job, ";
  if (run.connections < combiner.min_flows)
    throw Error(made + "its conditions need at least " + std::to_string(combiner.min_flows));
  if (run.connections > Measurement::max_connections)
    throw Error(made + std::to_string(Measurement::max_connections) + " are the most");
  return combiner;
}

Measurement::Measurement(RecordReader jobs, std::vector<RecordReader> flows, Output& output,
                         const CombinerEntry& combiner, const MeasurementOptions& options, PublishCounters publish,
                         ResultWriter::Warn warn, Rotation* rotation, Snapshots* snapshots, int poison_fd)
    : loop_(in_one_list(std::move(jobs), std::move(flows))), output_(output), rotation_(rotation), options_(options),
      run_(loop_.reader(jobs_stream).stream().plugin), publish_(std::move(publish)), warn_(std::move(warn)),
      join_(record_bytes_of(loop_), options.join, *this),
      results_(flow_streams_of(loop_), combiner, run_, {options.output_flows, options.join.server_mode}, warn_),
      snapshots_(output.can_resume() ? snapshots : nullptr), poison_fd_(poison_fd) {
  for (std::size_t stream = 0; stream < loop_.size(); ++stream)
    streams_.emplace_back(loop_.reader(stream).stream());
  if (!snapshots_)
    return;
  if (const auto* const left = snapshots_->left()) {
    StateReader state(left->state);
    restore(state);
    completion_ = left->head.completion;
    StateReader::check(counters_[MergerCounter::jobs_received] ==
                           left->head.output.lines[0] + jobs_.size() + jobs_stepped_over_,
                       "its jobs are another number than it counted");
  } else {
    snapshots_->reserve(JobTable::most_octets(options.limits.max_jobs, options.limits.max_job_octets) +
                        Join::most_octets(record_bytes_of(loop_), options.join) + most_other_octets);
    secure(); // what is written from now on is more than this
  }
}

/// A state costs what it has of octets to be written down: see SnapshotPace. But where a ring is half full, at once.
bool Measurement::may_secure(bool urgent) {
  return !snapshots_ || urgent || (monotonic_ns() >= next_snapshot_ns_ && output_.is_due());
}

void Measurement::secure() {
  if (snapshots_)
    hand_on();
}

/// What is written goes to who reads it; into a pipe once it cannot be written again.
void Measurement::hand_on() {
  if (!output_.flush())
    return;
  note();
  output_.deliver();
}

/// What was read so far, and what was written of it.
void Measurement::note() {
  if (!snapshots_)
    return;
  const auto begin_ns = monotonic_ns();
  auto state = snapshots_->next();
  save(state);
  SnapshotHead head{output_.mark(), {}, {}, completion_};
  if (rotation_) {
    head.series = rotation_->series().mark();
    head.rotation = rotation_->mark();
  }
  if (!snapshots_->store(state, head)) {
    warn_("the state of the measurement is larger than what was kept for it, " + std::to_string(state.size() >> 20) +
          " MiB: where this merger dies, none can follow");
    snapshots_ = nullptr;
    return;
  }
  wants_secured_ = false;
  const auto now_ns = monotonic_ns();
  const auto took_ns = now_ns - begin_ns;
  ++snapshot_cost_.count;
  snapshot_cost_.octets = std::max(snapshot_cost_.octets, state.size());
  snapshot_cost_.all_ns += took_ns;
  snapshot_cost_.longest_ns = std::max(snapshot_cost_.longest_ns, took_ns);
  next_snapshot_ns_ = now_ns + std::max(options_.pace.least_between_ns, took_ns * options_.pace.times);
}

bool Measurement::run(const std::atomic<bool>& stop) {
  // What who died was at:
  if (completion_.under_way)
    do_completion();
  output_.deliver();
  loop_.run(*this, stop);
  problems_ = loop_.problems();
  join_.finish();
  while (jobs_.oldest() != JobTable::none) // there are some only where the output failed
    give_up(jobs_.oldest());
  if (rotation_ && !output_.failed())
    if (const auto span = rotation_->last(counters_[MergerCounter::jobs_received] > 0))
      complete(*span, false);
  secure();
  if (!output_.finish())
    problems_.push_back(output_.failure());
  if (rotation_ && !rotation_->failure().empty())
    problems_.push_back(rotation_->failure());
  counters_[MergerCounter::jobs_dropped] = counters_[MergerCounter::jobs_received] - output_.lines_written();
  if (const auto unfinished = counters_[MergerCounter::jobs_unfinished]; unfinished > 0)
    warn_(std::to_string(unfinished) + " jobs were not finished by the spider; they are written with what there is, " +
          "and the condition " + std::string(ResultWriter::unfinished));
  housekeep(monotonic_ns());
  loop_.close();
  return problems_.empty();
}

bool Measurement::is_due(std::size_t stream) noexcept {
  const auto is_behind = [](std::uint64_t second, std::uint64_t other) {
    return other != Join::never && second < other && other - second > lead_s;
  };
  if (stream != jobs_stream)
    return streams_[jobs_stream].has_nothing || !is_behind(jobs_s_, join_.clock(stream - 1));
  for (std::size_t other = jobs_stream + 1; other < streams_.size(); ++other)
    if (!streams_[other].has_nothing && is_behind(join_.clock(other - 1), jobs_s_))
      return false;
  return true;
}

std::size_t Measurement::take(std::size_t stream, std::span<const RecordHeader* const> records, std::string& why) {
  const auto take_one = [&](const RecordHeader& record) {
    return stream == jobs_stream ? take_job_record(record, why) : take_flow_record(stream - 1, record, why);
  };
  std::size_t count = 0;
  if (!snapshots_) {
    while (count < records.size() && take_one(*records[count]))
      ++count;
  } else {
    for (auto& number = streams_[stream].records; count < records.size(); ++count, ++number) {
      if (!may_be_read(stream, *records[count], number)) [[unlikely]]
        step_over(stream, *records[count]);
      else if (!take_one(*records[count]))
        break;
    }
    snapshots_->notes().at_rest();
  }
  streams_[stream].has_nothing = records.empty();
  tell_jobs_clock();
  join_.advance();
  if (rotation_ && count == records.size()) // else it is about to end where it is damaged
    look_for_boundary();
  return count;
}

/// A result is in the file of the second, by the slowest flow stream's clock, in which it was decided.
void Measurement::look_for_boundary() {
  const bool has_flows = streams_.size() > jobs_stream + 1;
  if (!has_flows && jobs_s_ != Join::never)
    rotation_->at(0, jobs_s_ + 1); // the second under way is the one before what the clock reads
  const auto clock_s = has_flows ? join_.clock() : jobs_s_ == Join::never || jobs_s_ == 0 ? 0 : jobs_s_ + 1;
  if (rotation_->wants_next(output_.octets_written() - octets_before_))
    wants_secured_ = true; // nobody asks twice
  if (clock_s == Join::never || clock_s <= rotation_->boundary_s())
    return;
  if (const auto span = rotation_->advance(clock_s))
    complete(*span, true);
  else
    output_.begins_at(rotation_->state().begin_s);
}

/// Completes the file at work, and begins the next one where there is any.
void Measurement::complete(const FileSpan& span, bool has_next) {
  if (!output_.write_rest())
    return;
  if (!has_next)
    rotation_->end();
  completion_ = {true, span, has_next};
  note();
  do_completion();
}

/// Whoever dies at it is followed by somebody who begins here again.
void Measurement::do_completion() {
  const auto& [under_way, span, has_next] = completion_;
  CompleteFile file;
  if (!output_.complete(span.begin_s, file) ||
      !rotation_->list(span, {&file, 1},
                       {output_.lines_written(), options_.digest ? std::optional(digest_) : std::nullopt, false}) ||
      (has_next && !output_.begin_next(span.end_s)))
    return;
  octets_before_ = output_.octets_written();
  completion_ = {};
  note();
}

/// While flows go on, a job stream that has nothing to read does not hold them up; when they have ended, they are all
/// there is for the connections to come.
void Measurement::tell_jobs_clock() noexcept {
  const bool flows_go_on = join_.clock() != Join::never;
  join_.jobs_at(streams_[jobs_stream].has_nothing && flows_go_on ? Join::never : jobs_s_);
}

bool Measurement::take_flow_record(std::size_t flow_stream, const RecordHeader& header, std::string& why) {
  auto& stream = streams_[flow_stream + 1];
  if (header.kind == RecordKind::row) {
    RowView row;
    if (!stream.rows.take(header, row)) {
      why = stream.rows.damage();
      return false;
    }
    if (header.table != 0) {
      ++counters_[MergerCounter::events_received];
      if (rotation_)
        ++rotation_->share(flow_stream).events;
      return true;
    }
    ++stream.taken;
    if (rotation_)
      ++rotation_->share(flow_stream).flows;
    join_.flow(flow_stream, row);
  } else if (header.kind == RecordKind::tick && header.length == sizeof(TickRecord)) {
    const auto second = reinterpret_cast<const TickRecord&>(header).second;
    join_.tick(flow_stream, second);
    if (rotation_)
      rotation_->at(flow_stream, second);
  } else if (header.kind == RecordKind::origin && header.length == sizeof(OriginRecord)) {
    join_.moved(flow_stream, reinterpret_cast<const OriginRecord&>(header).offset_ns);
  } else if (header.kind == RecordKind::loss && header.length == sizeof(LossRecord)) {
    const auto& loss = reinterpret_cast<const LossRecord&>(header);
    join_.lost(flow_stream, loss.from_ns, loss.to_ns);
    if (rotation_)
      rotation_->share(flow_stream).lost(loss.packets);
  } else {
    why = what_is_odd(header);
    return false;
  }
  return true;
}

bool Measurement::take_job_record(const RecordHeader& record, std::string& why) {
  if (!job_record_valid(&record)) {
    why = "a record of kind " + std::to_string(static_cast<unsigned>(record.kind)) + " and " +
          std::to_string(record.length) + " octets that is neither a job nor a connection";
    return false;
  }
  switch (record.kind) {
  case RecordKind::job:
    return take_job(reinterpret_cast<const JobRecord&>(record), why);
  case RecordKind::connection:
    return take_connection(reinterpret_cast<const ConnectionRecord&>(record), why);
  default:
    abandon(reinterpret_cast<const AbandonedRecord&>(record).job_id);
    return true;
  }
}

/// No connections come any more of the jobs up to that one.
void Measurement::abandon(std::uint64_t last_id) {
  for (auto place = jobs_.oldest(); place != JobTable::none;) {
    const auto newer = jobs_.newer(place);
    if (jobs_.at(place).id <= last_id)
      no_more_connections(place);
    place = newer;
  }
}

/// Splits the members of a record. Bad ones cost that record its members and nothing else: they are named and counted.
template <typename NameOf>
bool Measurement::split(std::string_view members, NameOf&& of) {
  const auto verdict = json::split_members(members, members_);
  if (!verdict && counters_[MergerCounter::members_bad]++ < max_named)
    warn_(of() + ": its members are no JSON and are left out: " + to_string(verdict) +
          "; more of the kind are counted (members_bad)");
  return static_cast<bool>(verdict);
}

bool Measurement::take_job(const JobRecord& record, std::string& why) {
  const auto job = "job " + std::to_string(record.job_id);
  if (jobs_.find(record.job_id) != JobTable::none) {
    why = job + " comes twice";
    return false;
  }
  if (record.connections > 0 && record.connections != run_.connections) {
    why = job + ": " + std::to_string(record.connections) + " connections, the plugin " + run_.name + " makes " +
          std::to_string(run_.connections);
    return false;
  }
  last_job_id_ = std::max(last_job_id_, record.job_id);
  ++streams_[jobs_stream].taken;
  ++counters_[MergerCounter::jobs_received];
  auto members = R"("jobId":)" + std::to_string(record.job_id); // else nobody could tell whose result it is
  if (split(record.members(), [&job] { return job; }))
    members = carried_members(members_, record.connections > 0);
  const auto place = jobs_.add(record.job_id, record.connections, members);
  write_if_decided(place);
  make_room();
  return true;
}

bool Measurement::take_connection(const ConnectionRecord& record, std::string& why) {
  const auto connection = [&record] {
    return "connection " + std::to_string(record.config) + " of job " + std::to_string(record.job_id);
  };
  const auto place = jobs_.find(record.job_id);
  if (place == JobTable::none && record.job_id > last_job_id_) {
    why = connection() + ": there was no such job before";
    return false;
  }
  jobs_s_ = std::max(jobs_s_, record.stop_ns / second_ns);
  if (place == JobTable::none) { // it had to make room
    join_.too_late();
    return true;
  }
  auto& job = jobs_.at(place);
  const auto same = [&record](const auto& other) { return other.record.config == record.config; };
  if (record.config >= job.expected || std::any_of(job.connections.begin(), job.connections.end(), same)) {
    why = connection() + ": it comes twice, or the job has fewer";
    return false;
  }
  const auto index = static_cast<std::uint32_t>(job.connections.size());
  auto& added = job.connections.emplace_back();
  added.record = record;
  added.members_at = job.text.size();
  if (split(record.members(), connection))
    jobs_.append(place, record.members());
  else
    added.record.members_octets = 0;
  join_.connection(record, {place, index});
  make_room();
  return true;
}

void Measurement::joined(ConnectionRef ref, const JoinedFlow& flow) {
  auto& job = jobs_.at(ref.job);
  auto& connection = job.connections[ref.connection];
  connection.fate = JobConnection::Fate::joined;
  connection.stream = flow.stream;
  connection.reversed = flow.reversed;
  connection.lossy = flow.lossy;
  connection.flow_at = job.text.size();
  for (const auto part : {flow.fixed, flow.tail})
    jobs_.append(ref.job, {reinterpret_cast<const char*>(part.data()), part.size()});
  connection.flow_octets = static_cast<std::uint32_t>(job.text.size() - connection.flow_at);
  ++job.decided;
  write_if_decided(ref.job);
}

void Measurement::missed(ConnectionRef ref, MissedCause cause) {
  auto& job = jobs_.at(ref.job);
  auto& connection = job.connections[ref.connection];
  connection.fate = JobConnection::Fate::missed;
  connection.cause = cause;
  ++job.decided;
  write_if_decided(ref.job);
}

void Measurement::make_room() {
  while (jobs_.size() > options_.limits.max_jobs || jobs_.octets() > options_.limits.max_job_octets)
    give_up(jobs_.oldest());
}

/// Writes a job as it is.
void Measurement::give_up(JobTable::Place place) {
  auto& job = jobs_.at(place);
  std::vector<std::pair<ConnectionRef, JoinKey>> waiting;
  for (std::uint32_t i = 0; i < job.connections.size(); ++i)
    if (job.connections[i].fate == JobConnection::Fate::waiting)
      waiting.push_back({{place, i}, key_of(job.connections[i].record, options_.join.server_mode)});
  if (waiting.empty()) {
    no_more_connections(place);
    return;
  }
  job.unfinished = job.connections.size() < job.expected;
  for (const auto& [ref, key] : waiting)
    join_.give_up(ref, key); // the last one writes the job
}

void Measurement::no_more_connections(JobTable::Place place) {
  auto& job = jobs_.at(place);
  job.unfinished = job.connections.size() < job.expected;
  write_if_decided(place);
}

void Measurement::write_if_decided(JobTable::Place place) {
  if (jobs_.at(place).is_decided())
    write(place);
}

void Measurement::write(JobTable::Place place) {
  auto& job = jobs_.at(place);
  counters_[MergerCounter::jobs_unfinished] += job.unfinished;
  const auto line = snapshots_ ? line_with_notes(job) : results_.line(job);
  if (options_.digest)
    digest_.add(line.substr(0, line.size() - 1));
  output_.write_line(line);
  jobs_.remove(place);
}

void Measurement::ended(std::size_t stream, bool whole) {
  streams_[stream].has_nothing = true;
  if (stream != jobs_stream) {
    join_.stream_ended(stream - 1, whole);
  } else {
    jobs_s_ = Join::never;
    abandon(UINT64_MAX);
  }
  tell_jobs_clock();
  join_.advance();
}

std::string Measurement::taken(std::size_t stream) const {
  return std::to_string(streams_[stream].taken) + (stream == jobs_stream ? " jobs" : " flows");
}

void Measurement::quiet() {
  if (!output_.is_read_live() || !output_.is_due())
    return;
  if (!snapshots_)
    hand_on();
  else if (!output_.waits_for_note())
    output_.flush();
  else if (may_secure(false))
    hand_on();
}

void Measurement::housekeep(std::uint64_t now_ns) {
  quiet();
  if (rotation_)
    look_for_boundary();
  if (wants_secured_)
    secure();
  tell(now_ns);
}

void Measurement::tell(std::uint64_t now_ns) {
  loop_.beat(now_ns);
  namespace M = MergerCounter;
  const auto& join = join_.counters();
  const auto missed = [&join](MissedCause cause) { return join.missed[static_cast<std::size_t>(cause)]; };
  counters_[M::flows_received] = join.flows_received;
  counters_[M::flows_joined] = join.flows_joined;
  counters_[M::flows_unclaimed] = join.flows_unclaimed;
  counters_[M::flows_waiting] = join_.flows_waiting();
  counters_[M::events_dropped] = counters_[M::events_received];
  counters_[M::connections_received] = join.connections_received;
  counters_[M::connections_joined] = join.connections_joined;
  counters_[M::missed_never_seen] = missed(MissedCause::never_seen);
  counters_[M::missed_ring_drop] = missed(MissedCause::ring_drop);
  counters_[M::missed_expired] = missed(MissedCause::expired);
  counters_[M::missed_no_port] = missed(MissedCause::no_port);
  counters_[M::missed_not_sent] = missed(MissedCause::not_sent);
  counters_[M::connections_waiting] = join_.connections_waiting();
  counters_[M::jobs_written] = output_.lines_written();
  counters_[M::jobs_waiting] = jobs_.size();
  counters_[M::combiner_failures] = results_.combiner_failures();
  counters_[M::octets_written] = output_.octets_written();
  counters_[M::disk_full_ns] = output_.full_ns();
  if (rotation_) {
    counters_[M::files_complete] = rotation_->files_complete();
    counters_[M::files_removed] = rotation_->files_removed();
  }
  counters_[M::digest_low] = digest_.low;
  counters_[M::digest_high] = digest_.high;
  counters_[M::stall_max_ns] = loop_.duty().stall_max_ns();
  counters_[M::stall_max_second] = loop_.duty().stall_max_second();
  publish_(counters_, now_ns);
}

} // namespace orbweaver
