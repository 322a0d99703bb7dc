// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/join/join.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <iterator>
#include <numeric>

namespace orbweaver {

namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;

/// How far the clocks of a connection and of its first packet may differ for the packet to be its own: more than their
/// resolution, less than any time after which a port is used again.
constexpr std::uint64_t tolerance_ns = 1'000'000;

struct Span {
  std::uint64_t from_ns, to_ns;
};

/// The time between two spans; 0 where they overlap.
std::uint64_t gap(const Span& a, const Span& b) noexcept {
  if (a.to_ns < b.from_ns)
    return b.from_ns - a.to_ns;
  return b.to_ns < a.from_ns ? a.from_ns - b.to_ns : 0;
}

std::uint64_t distance(std::uint64_t a, std::uint64_t b) noexcept {
  return a < b ? b - a : a - b;
}

std::uint64_t add_capped(std::uint64_t a, std::uint64_t b) noexcept {
  return a > Join::never - b ? Join::never : a + b;
}

std::uint64_t subtract_floored(std::uint64_t a, std::uint64_t b) noexcept {
  return a < b ? 0 : a - b;
}

/// Whether it can belong to a connection at all.
bool has_ports(const FlowRecord& flow) noexcept {
  return flow.source_port >= 0 && flow.destination_port >= 0 && (flow.protocol == 6 || flow.protocol == 17);
}

std::uint32_t widest(const std::vector<std::uint32_t>& record_bytes) noexcept {
  return record_bytes.empty() ? 0 : *std::max_element(record_bytes.begin(), record_bytes.end());
}

} // namespace

Join::Join(const std::vector<std::uint32_t>& stream_record_bytes, const JoinOptions& options, JoinSink& sink)
    : options_(options), sink_(sink), flows_(widest(stream_record_bytes), options.max_flows, options.server_mode),
      let_go_(options.remembered) {
  for (const auto bytes : stream_record_bytes)
    streams_.push_back({.record_bytes = bytes, .clock_s = 0, .losses = {}});
  update_clock();
}

inline WaitingList::Connection Join::waiting_of(const ConnectionRecord& record, ConnectionRef ref) const noexcept {
  WaitingList::Connection connection;
  connection.key = key_of(record, options_.server_mode);
  connection.start_ns = record.start_ns;
  connection.stop_ns = std::max(record.start_ns, record.stop_ns);
  connection.give_up_s = add_capped(connection.stop_ns / second_ns + 1, options_.missed_after_s);
  connection.ref = ref;
  connection.failed = record.error != 0;
  return connection;
}

void Join::connection(const ConnectionRecord& record, ConnectionRef ref) {
  ++counters_.connections_received;
  if (record.never_left != 0) {
    miss(ref, MissedCause::not_sent);
    return;
  }
  if (record.source_port < 0) {
    miss(ref, record.error != 0 ? MissedCause::not_sent : MissedCause::no_port);
    return;
  }
  const auto connection = waiting_of(record, ref);

  FlowWindow::Entry* best = nullptr;
  bool best_reversed = false;
  std::uint64_t best_gap = slack_ns + 1, best_distance = 0;
  flows_.for_each(connection.key, [&](FlowWindow::Entry& entry, bool reversed) {
    const auto& flow = entry.flow();
    const auto away = gap({connection.start_ns, connection.stop_ns}, {flow.first_ns, flow.last_ns});
    const auto difference = distance(connection.start_ns, flow.first_ns);
    if (entry.claimed && (away > 0 || connection.start_ns < entry.owner_ns))
      return;
    if (away > best_gap || (away == best_gap && difference >= best_distance))
      return;
    best = &entry;
    best_reversed = reversed;
    best_gap = away;
    best_distance = difference;
  });
  if (best) {
    claim(*best, connection.start_ns);
    join(ref, connection.start_ns, connection.stop_ns, *best, best_reversed);
    return;
  }
  if (clock_s_ >= connection.give_up_s)
    miss(ref, cause(connection));
  else
    waiting_.add(connection);
}

void Join::flow(std::size_t stream, RowView row) {
  ++counters_.flows_received;
  FlowRecord flow;
  std::memcpy(&flow, row.record, sizeof flow);
  if (!has_ports(flow)) {
    ++counters_.flows_unclaimed;
    return;
  }
  auto& source = streams_[stream];
  make_room(row.octets - source.record_bytes);
  const auto came_s = std::max(source.clock_s, flow.last_ns / second_ns); // also where no tick came before it
  auto& entry = flows_.add(row, source.record_bytes, static_cast<std::uint16_t>(stream), came_s);

  candidates_.clear();
  for (const bool reversed : {false, true})
    waiting_.for_each(key_of(flow, options_.server_mode, reversed), [&](WaitingList::Place place) {
      candidates_.push_back({place, reversed});
    });
  if (candidates_.empty())
    return;
  const Span time{flow.first_ns, std::max(flow.first_ns, flow.last_ns)};
  const auto away = [&](const Candidate& candidate) {
    const auto& connection = waiting_.at(candidate.place);
    return gap({connection.start_ns, connection.stop_ns}, time);
  };
  const auto start = [&](const Candidate& candidate) { return waiting_.at(candidate.place).start_ns; };

  // The first packet belongs to the connection that began last before it. Those after it on the same ports had no flow
  // of their own; one before it that ended a moment late has another.
  const Candidate* owner = nullptr;
  for (const auto& candidate : candidates_)
    if (away(candidate) == 0 && start(candidate) <= time.from_ns + tolerance_ns &&
        (!owner || start(candidate) > start(*owner)))
      owner = &candidate;
  const auto owner_ns = owner ? start(*owner) : 0;
  bool joined_any = false;
  const Candidate* nearest = nullptr;
  for (const auto& candidate : candidates_) {
    if (away(candidate) == 0 && start(candidate) >= owner_ns) {
      claim(entry, start(candidate));
      join(candidate.place, entry, candidate.reversed);
      joined_any = true;
    } else if (away(candidate) <= slack_ns && away(candidate) > 0) {
      const auto is_nearer = [&](const Candidate& a, const Candidate& b) {
        return away(a) != away(b) ? away(a) < away(b)
                                  : distance(start(a), time.from_ns) < distance(start(b), time.from_ns);
      };
      if (!nearest || is_nearer(candidate, *nearest))
        nearest = &candidate;
    }
  }
  if (!joined_any && nearest) {
    claim(entry, start(*nearest));
    join(nearest->place, entry, nearest->reversed);
  }
}

/// For one more flow with such a tail. One whose tail alone is more than all should have is kept by itself.
void Join::make_room(std::uint32_t tail_octets) noexcept {
  while (flows_.is_full() || (flows_.size() > 0 && flows_.tail_octets() + tail_octets > options_.max_tail_octets))
    remove_oldest_flow();
}

void Join::claim(FlowWindow::Entry& entry, std::uint64_t start_ns) noexcept {
  counters_.flows_joined += !entry.claimed;
  entry.owner_ns = entry.claimed ? std::min(entry.owner_ns, start_ns) : start_ns;
  entry.claimed = true;
}

void Join::join(WaitingList::Place place, FlowWindow::Entry& entry, bool reversed) {
  const auto connection = waiting_.at(place);
  waiting_.remove(place);
  join(connection.ref, connection.start_ns, connection.stop_ns, entry, reversed);
}

void Join::join(ConnectionRef ref, std::uint64_t start_ns, std::uint64_t stop_ns, FlowWindow::Entry& entry,
                bool reversed) {
  ++counters_.connections_joined;
  // Losses are stamped by the packets' clock. It is not further from the connections' than these two beginnings are
  // apart.
  const auto& flow = entry.flow();
  const auto apart = distance(start_ns, flow.first_ns) + tolerance_ns;
  const auto until = std::max(add_capped(stop_ns, options_.answer_ns), flow.last_ns);
  const bool lossy = streams_[entry.stream].losses.any_between(
      subtract_floored(std::min(start_ns, flow.first_ns), apart), add_capped(until, apart));
  const auto* const record = reinterpret_cast<const std::byte*>(&flow);
  sink_.joined(ref, {.fixed = {record, streams_[entry.stream].record_bytes},
                     .tail = {entry.tail, entry.tail_octets},
                     .stream = entry.stream,
                     .reversed = reversed,
                     .lossy = lossy});
}

void Join::miss(ConnectionRef ref, MissedCause cause) {
  ++counters_.missed[static_cast<std::size_t>(cause)];
  sink_.missed(ref, cause);
}

MissedCause Join::cause(const WaitingList::Connection& connection) const noexcept {
  const auto hash = connection.key.hash();
  const auto& gone = let_go_[hash & (let_go_.size() - 1)];
  const Span time{gone.first_s * second_ns, (std::uint64_t{gone.last_s} + 1) * second_ns};
  if (gone.key_hash == hash && gap(time, {connection.start_ns, connection.stop_ns}) <= slack_ns)
    return MissedCause::expired;
  const bool lost =
      stream_cut_ || lost_between(subtract_floored(connection.start_ns, slack_ns), connection.stop_ns + slack_ns);
  if (lost)
    return MissedCause::ring_drop;
  return connection.failed ? MissedCause::not_sent : MissedCause::never_seen;
}

bool Join::lost_between(std::uint64_t from_ns, std::uint64_t to_ns) const noexcept {
  return std::any_of(streams_.begin(), streams_.end(),
                     [&](const Stream& stream) { return stream.losses.any_between(from_ns, to_ns); });
}

void Join::tick(std::size_t stream, std::uint64_t second) {
  auto& source = streams_[stream];
  second -= source.offset_s;
  if (second <= source.clock_s)
    return;
  source.clock_s = second;
  update_clock();
}

void Join::moved(std::size_t stream, std::uint64_t offset_ns) {
  constexpr std::uint64_t around_s = 60;
  auto& source = streams_[stream];
  if (source.clock_s == never)
    return;
  const auto offset_s =
      static_cast<std::uint64_t>(static_cast<std::int64_t>(offset_ns) / static_cast<std::int64_t>(second_ns));
  source.clock_s += source.offset_s - offset_s;
  source.offset_s = offset_s;
  source.losses.add(0, never);
  while (waiting_.oldest() != WaitingList::none) {
    const auto connection = waiting_.at(waiting_.oldest());
    waiting_.remove(waiting_.oldest());
    miss(connection.ref, cause(connection));
  }
  source.losses = {}; // of other times than those to come
  source.losses.add(subtract_floored(source.clock_s, around_s) * second_ns, (source.clock_s + around_s) * second_ns);
  update_clock();
}

void Join::stream_ended(std::size_t stream, bool whole) {
  streams_[stream].clock_s = never;
  stream_cut_ = stream_cut_ || !whole;
  update_clock();
}

void Join::update_clock() noexcept {
  clock_s_ = never;
  for (const auto& stream : streams_)
    clock_s_ = std::min(clock_s_, stream.clock_s);
}

void Join::advance() {
  while (waiting_.oldest() != WaitingList::none && waiting_.at(waiting_.oldest()).give_up_s <= clock_s_) {
    const auto connection = waiting_.at(waiting_.oldest());
    waiting_.remove(waiting_.oldest());
    miss(connection.ref, cause(connection));
  }
  const auto now_s = std::min(clock_s_, jobs_s_);
  while (flows_.size() > 0 && add_capped(flows_.oldest().came_s, options_.missed_after_s) <= now_s)
    remove_oldest_flow();
}

void Join::remove_oldest_flow() noexcept {
  const auto& leaving = flows_.oldest();
  if (!leaving.claimed) {
    ++counters_.flows_unclaimed;
    const auto& flow = leaving.flow();
    for (const bool reversed : {false, true}) {
      const auto hash = key_of(flow, options_.server_mode, reversed).hash();
      let_go_[hash & (let_go_.size() - 1)] = {hash, static_cast<std::uint32_t>(flow.first_ns / second_ns),
                                              static_cast<std::uint32_t>(flow.last_ns / second_ns)};
    }
  }
  flows_.remove_oldest();
}

void Join::give_up(ConnectionRef ref, const JoinKey& key) {
  auto found = WaitingList::none;
  waiting_.for_each(key, [&](WaitingList::Place place) {
    const auto& other = waiting_.at(place).ref;
    if (other.job == ref.job && other.connection == ref.connection)
      found = place;
  });
  if (found == WaitingList::none)
    return;
  waiting_.remove(found);
  miss(ref, MissedCause::expired);
}

void Join::finish() {
  clock_s_ = never;
  jobs_s_ = never;
  advance();
}

void Join::save(StateWriter& state) const noexcept {
  state.put(std::uint64_t{streams_.size()});
  for (const auto& stream : streams_) {
    state.put(stream.clock_s);
    state.put(stream.offset_s);
    stream.losses.save(state);
  }
  state.put(jobs_s_);
  state.put(std::uint8_t{stream_cut_});
  state.put(counters_);
  flows_.save(state);
  const auto is_used = [](const LetGo& gone) { return gone.key_hash != 0; };
  if (counters_.flows_unclaimed > 0) // else there is none to be looked for
    for (const auto& gone : let_go_)
      if (is_used(gone))
        state.put(gone);
  state.put(LetGo{});
}

void Join::restore(StateReader& state, const std::function<bool(std::size_t, const RecordHeader&)>& check_row) {
  StateReader::check(state.get<std::uint64_t>() == streams_.size(), "it has another number of flow streams");
  for (auto& stream : streams_) {
    stream.clock_s = state.get<std::uint64_t>();
    stream.offset_s = state.get<std::uint64_t>();
    stream.losses.restore(state);
  }
  update_clock();
  jobs_s_ = state.get<std::uint64_t>();
  stream_cut_ = state.get_flag();
  counters_ = state.get<JoinCounters>();
  std::vector<std::uint64_t> row; // at an address that a record may have
  for (auto count = state.get<std::uint64_t>(); count > 0; --count) {
    const auto saved = state.get<FlowWindow::Saved>();
    const auto header = state.get<RecordHeader>();
    StateReader::check(saved.stream < streams_.size() && saved.claimed <= 1 && header.kind == RecordKind::row &&
                           header.table == 0 && header.length >= streams_[saved.stream].record_bytes &&
                           header.length <= state.left() + sizeof header && !flows_.is_full(),
                       "a flow that waits is none");
    row.resize(record_stride(header.length) / sizeof row[0]);
    std::memcpy(row.data(), &header, sizeof header);
    state.get_octets(reinterpret_cast<std::byte*>(row.data()) + sizeof header, header.length - sizeof header);
    const auto& record = *reinterpret_cast<const RecordHeader*>(row.data());
    StateReader::check(check_row(saved.stream, record), "a flow that waits has values that it cannot have");
    auto& entry =
        flows_.add({reinterpret_cast<const std::byte*>(row.data()), header.length}, streams_[saved.stream].record_bytes,
                   static_cast<std::uint16_t>(saved.stream), saved.came_s);
    entry.owner_ns = saved.owner_ns;
    entry.claimed = saved.claimed != 0;
  }
  for (auto gone = state.get<LetGo>(); gone.key_hash != 0; gone = state.get<LetGo>())
    let_go_[gone.key_hash & (let_go_.size() - 1)] = gone;
}

void Join::wait_again(const ConnectionRecord& record, ConnectionRef ref) {
  waiting_.add(waiting_of(record, ref));
}

void Join::check_restored() const {
  const auto& c = counters_;
  StateReader::check(c.connections_received ==
                         c.connections_joined + waiting_.size() +
                             std::accumulate(std::begin(c.missed), std::end(c.missed), std::uint64_t{0}),
                     "its connections are another number than it counted");
  StateReader::check(flows_waiting() == flows_.unclaimed(), "its flows are another number than it counted");
}

std::uint64_t Join::most_octets(const std::vector<std::uint32_t>& stream_record_bytes,
                                const JoinOptions& options) noexcept {
  constexpr std::uint64_t of_stream = 24 + LossTimes::max_spans * 16;
  return 1024 + stream_record_bytes.size() * of_stream +
         options.max_flows * (sizeof(FlowWindow::Saved) + std::uint64_t{widest(stream_record_bytes)}) +
         options.max_tail_octets + std::uint64_t{options.remembered} * sizeof(LetGo);
}

std::uint64_t Join::memory_bytes() const noexcept {
  return flows_.memory_bytes() + waiting_.size() * sizeof(WaitingList::Connection);
}

} // namespace orbweaver
