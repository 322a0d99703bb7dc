// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/engine/engine.hpp"

#include "common/clock.hpp"
#include "common/error.hpp"
#include "common/json/builder.hpp"
#include "common/process/duty_cycle.hpp"
#include "common/stream/ring/wait.hpp"
#include "spider/connect/connectors.hpp"
#include "spider/engine/batch.hpp"
#include "spider/jobs/job_output.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <deque>
#include <memory>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <utility>
#include <vector>

namespace orbweaver {

namespace {

using std::chrono::milliseconds;

/// Connections started between two looks at the sockets, so that none waits long.
constexpr unsigned max_starts = 64;
/// How far behind its rate the spider may make up for at once.
constexpr std::uint64_t rate_slack_ns = 10'000'000;
constexpr std::uint64_t housekeeping_ns = 100'000'000;

/// A job with its connection under way.
struct Worker {
  Job job;
  std::unique_ptr<PreConnect> before;
  std::unique_ptr<Connection> connection;
  ConnectRequest request;
  unsigned config = 0;
  bool link_lost = false; ///< the interface went away under its connection
  Route route;
  bool is_broken = false; ///< the plugin's pre_connect failed, or was not called: its other calls may rest on it
};

/// No more than a second's connections, where they are limited.
std::size_t batch_size(const SpiderOptions& options) {
  const double a_second = options.rate > 0 ? std::ceil(options.rate) : options.workers;
  return static_cast<std::size_t>(std::min<double>(a_second, options.workers));
}

class Engine {
public:
  Engine(JobReader& jobs, RecordWriter& writer, const PluginDescription& description, Plugin& plugin,
         const SpiderOptions& options, const std::atomic<bool>& stop, Stage& stage)
      : jobs_(jobs), writer_(writer), description_(description), plugin_(plugin), options_(options), stop_(stop),
        stage_(stage), output_(writer, options.kept), connections_(plugin.connections()), workers_(options.workers),
        batch_(batch_size(options), connections_),
        interval_ns_(options.rate > 0 ? static_cast<std::uint64_t>(1e9 / options.rate) : 0) {
    for (auto i = static_cast<std::uint32_t>(workers_.size()); i > 0; --i)
      idle_.push_back(i - 1);
  }

  SpiderResult run() {
    try {
      if (options_.takes_over >= 0)
        take_over();
      while (!writer_.is_finished() && !done())
        round();
    } catch (...) {
      writer_.finish(EndCause::failed, stop_now_);
      throw;
    }
    return finish();
  }

private:
  using Index = Batch::Worker;

  [[nodiscard]] bool synchronized() const noexcept { return description_.model == Model::synchronized; }
  [[nodiscard]] bool stopping() const noexcept { return stop_.load(std::memory_order_relaxed); }
  /// Nobody would see what is sent now.
  [[nodiscard]] bool paused() const noexcept { return link_away_ && !stopping(); }
  [[nodiscard]] bool no_more_jobs() const noexcept { return input_ended_ || stopping(); }
  [[nodiscard]] bool done() const noexcept {
    return reader_gone_ || (idle_.size() == workers_.size() && !output_.waiting() && no_more_jobs());
  }

  /// A predecessor died: the jobs that it had under way are ended as they are, and this one goes on with the next.
  void take_over() {
    const SpiderProgress left = options_.kept->left(writer_.taken_over_at());
    jobs_.resume(left.input);
    jobs_finished_ = left.jobs_finished;
    jobs_not_routed_ = left.jobs_not_routed;
    members_bad_ = left.members_bad;
    plugin_failures_ = left.plugin_failures;
    states_ = left.states;
    const std::uint64_t taken = left.input.counters.jobs;
    const std::uint64_t broken = taken - std::min(taken, left.jobs_finished + left.jobs_broken);
    jobs_broken_ = left.jobs_broken + broken;
    if (options_.taken_over)
      options_.taken_over(left.input.line, broken, options_.kept->call());
    options_.kept->end_call();
    if (broken > 0 && connections_ > 0 && !writer_.is_finished())
      output_.no_more_connections(taken, progress());
  }

  /// Once what was given to the output is in the ring.
  [[nodiscard]] SpiderProgress progress() const noexcept {
    return {jobs_.place(), jobs_finished_, jobs_broken_, jobs_not_routed_, members_bad_, plugin_failures_, states_};
  }

  /// Who follows goes on behind the line that was read last.
  void note_place() noexcept {
    if (!options_.kept || output_.waiting())
      return;
    const auto now = progress();
    output_.note(now);
    jobs_.keep_from(now.input);
  }

  void round() {
    loop_.run_once(pause());
    now_ns_ = monotonic_ns();
    duty_.look(now_ns_);
    eager_ = output_.waiting();
    look_at_link();
    if (!output_.waiting() && !paused()) {
      synchronized() ? step_batch() : take_jobs();
      start_connections();
    }
    output_.flush();
    if (output_.waiting())
      look_at_reader();
    if (now_ns_ - housekept_ns_ >= housekeeping_ns)
      housekeep();
  }

  /// How long the loop may sleep.
  [[nodiscard]] milliseconds pause() const noexcept {
    if (output_.waiting())
      return milliseconds(1);
    if (held_back())
      return std::min(milliseconds((allowed_ns_ - now_ns_) / 1'000'000 + 1), milliseconds(longest_sleep));
    if (eager_)
      return milliseconds(0);
    return batch_.waits_for_jobs() ? milliseconds(5) : longest_sleep;
  }

  // Jobs

  bool next_job(Index worker) {
    if (no_more_jobs() || input_waits_)
      return false;
    if (options_.kept && output_.waiting()) // who follows takes one job at most once more
      return false;
    Job& job = workers_[worker].job;
    switch (jobs_.next(job)) {
    case JobReader::Next::job:
      begin_job(workers_[worker]);
      note_place();
      return true;
    case JobReader::Next::more:
      note_place();
      eager_ = true;
      return false;
    case JobReader::Next::wait:
      note_place();
      input_waits_ = true;
      loop_.watch(jobs_.descriptor(), EPOLLIN, [this](std::uint32_t) {
        loop_.forget(jobs_.descriptor());
        input_waits_ = false;
      });
      return false;
    case JobReader::Next::end:
      input_ended_ = true;
    }
    return false;
  }

  void begin_job(Worker& worker) {
    worker.config = 0;
    worker.request.ports_had.clear();
    if (connections_ == 0)
      return;
    const Job& job = worker.job;
    find_route(worker);
    const bool is_routed = worker.route.source.version != 0;
    describe(worker);
    output_.job(job.id, connections_, members_, progress());
    worker.is_broken = !is_routed || !guarded(job, "pre_connect", [&] { worker.before = plugin_.pre_connect(job); });
  }

  /// A job's members as they go to the output.
  void describe(const Worker& worker) {
    const Job& job = worker.job;
    members_ = job.members;
    if (!job.destination_port)
      json::Object::members_of(members_).add("dp", worker.request.destination_port);
    options_.local.describe(job, worker.route.source, members_);
    if (worker.route.source.version != 0)
      return;
    ++jobs_not_routed_;
    json::Object::members_of(members_).add("not_measured", worker.route.why);
    if (options_.not_routed)
      options_.not_routed(job, worker.route.why);
  }

  /// A call of the plugin: what it throws costs what it was called for, and no more. False where it threw.
  template <typename Call>
  bool guarded(const Job& job, std::string_view name, Call&& call) {
    std::string what = "something that is no std::exception";
    if (options_.kept)
      options_.kept->begin_call(job.id, job.line, name);
    try {
      call();
      if (options_.kept)
        options_.kept->end_call();
      return true;
    } catch (const std::exception& error) {
      what = error.what();
    } catch (...) {
    }
    ++plugin_failures_;
    if (options_.plugin_failed)
      options_.plugin_failed(job, name, what);
    return false;
  }

  /// For all models but the synchronized: no more jobs than can begin now, so that few are under way when asked to
  /// stop.
  void take_jobs() {
    while (!idle_.empty() && ready_.size() < max_starts && (ready_.empty() || interval_ns_ == 0) && !held_back() &&
           next_job(idle_.back())) {
      ready_.push_back(idle_.back());
      idle_.pop_back();
    }
  }

  void end_job(Index worker) {
    workers_[worker].before.reset();
    idle_.push_back(worker);
  }

  /// For the synchronized model: collects a batch, or takes it to its next configuration or its end.
  void step_batch() {
    if (batch_.connecting())
      return;
    if (batch_.running() && !batch_.next_configuration()) {
      for (const Index worker : batch_.workers())
        end_job(worker);
      batch_.clear();
    }
    if (!batch_.running()) {
      while (!batch_.full() && next_job(idle_.back())) {
        batch_.add(idle_.back(), now_ns_);
        idle_.pop_back();
      }
      if (!batch_.begin(now_ns_, no_more_jobs()))
        return;
    }
    options_.configure_system(batch_.config());
    for (const Index worker : batch_.workers())
      workers_[worker].config = batch_.config();
    ready_.assign(batch_.workers().begin(), batch_.workers().end());
  }

  // Connections

  [[nodiscard]] bool held_back() const noexcept { return interval_ns_ > 0 && now_ns_ < allowed_ns_; }

  void start_connections() {
    for (unsigned starts = 0; !ready_.empty() && starts < max_starts && !held_back(); ++starts) {
      const Index worker = ready_.front();
      ready_.pop_front();
      eager_ = true;
      if (interval_ns_ > 0)
        allowed_ns_ = std::max(allowed_ns_, now_ns_ - std::min(now_ns_, rate_slack_ns)) + interval_ns_;
      start(worker);
    }
  }

  /// While the interface is away nothing is started; asked to stop then, the spider waits for no answer any more.
  void look_at_link() {
    if (connections_ == 0)
      return;
    const bool away = stage_.link_away();
    const auto losses = stage_.link_losses();
    // Also where it was back before anybody looked: what was under way may have lost its answer.
    if (losses != std::exchange(link_losses_, losses) || away)
      for (auto& worker : workers_)
        worker.link_lost = true;
    if (away != std::exchange(link_away_, away) && options_.link_changed)
      options_.link_changed(away);
    if (!away || !stopping())
      return;
    for (Index index = 0; index < workers_.size(); ++index)
      if (std::exchange(workers_[index].connection, nullptr))
        ended(index, skipped(-1, ConnectionRecord::link_lost));
  }

  void start(Index index) {
    Worker& worker = workers_[index];
    ++connections_open_;
    worker.link_lost = false;
    if (worker.route.source.version == 0 && connections_ > 0)
      return ended(index, skipped(-1, worker.route.error));
    if (link_away_)
      return ended(index, skipped(-1, ConnectionRecord::link_lost));
    if (worker.is_broken)
      return ended(index, skipped(-1));
    if (connections_ == 0) {
      guarded(worker.job, "work", [&] {
        worker.connection =
            plugin_.work(loop_, worker.job, options_.timeout_ns,
                         [this, index](Plugin::Outcome&& outcome) { worked(index, std::move(outcome)); });
      });
      if (!worker.connection)
        worked(index, {{}, ConnectionState::failed, {}});
      return;
    }
    if (!prepare(worker))
      return ended(index, skipped(-1));
    if (description_.model == Model::forge)
      return forge(index);
    worker.connection = connector(worker.request.kind).start(worker.request, [this, index](ConnectResult&& result) {
      ended(index, std::move(result));
    });
  }

  /// The request of a job's connections as it is before the plugin has changed it.
  void fill(ConnectRequest& request, const Worker& worker) const {
    const Job& job = worker.job;
    request.kind = options_.kind;
    request.source = worker.route.source;
    request.destination = job.destination;
    request.destination_port = job.destination_port.value_or(default_port(options_.kind));
    request.interface = options_.local.interface;
    request.domain = job.domain;
    request.timeout_ns = options_.timeout_ns;
    request.code_point = 0;
    request.fast_open = request.http2 = false;
  }

  /// All connections of a job go one way, so that they can be compared.
  void find_route(Worker& worker) {
    fill(worker.request, worker);
    worker.route =
        options_.route_to(worker.job.destination, protocol_of(options_.kind), worker.request.destination_port);
    worker.request.source = worker.route.source;
  }

  /// False where the plugin did not.
  bool prepare(Worker& worker) {
    fill(worker.request, worker);
    return guarded(worker.job, "connect",
                   [&] { plugin_.connect(worker.request, worker.job, worker.before.get(), worker.config); });
  }

  /// `error`: what of the system's kept it from beginning, 0: nothing.
  static ConnectResult skipped(std::int32_t port, int error = 0) {
    ConnectResult result;
    result.state = ConnectionState::skipped;
    result.source_port = port;
    result.error = error;
    result.never_left = error != 0;
    result.start_ns = result.stop_ns = realtime_ns();
    return result;
  }

  void forge(Index index) {
    Worker& worker = workers_[index];
    const auto port = options_.port_for_forged(worker.request);
    if (!port)
      return ended(index, skipped(-1, EADDRNOTAVAIL));
    std::vector<std::uint8_t> datagram;
    guarded(worker.job, "forge", [&] { datagram = plugin_.forge(worker.request, *port, worker.job, worker.config); });
    if (datagram.empty())
      return ended(index, skipped(-1));
    ConnectResult result = options_.send_forged(worker.request, *port, datagram);
    loop_.call_at(now_ns_ + forged_hold_ns, [this, index, result = std::move(result)]() mutable {
      result.stop_ns = realtime_ns();
      ended(index, std::move(result));
    });
  }

  void ended(Index index, ConnectResult&& result) {
    Worker& worker = workers_[index];
    worker.connection.reset();
    --connections_open_;
    if (worker.link_lost && result.state != ConnectionState::ok && !result.never_left)
      result.error = ConnectionRecord::link_lost;
    if (!worker.is_broken && !guarded(worker.job, "post_connect", [&] {
          plugin_.post_connect(result, worker.job, worker.before.get(), worker.config);
        }))
      result.state = ConnectionState::discard; // what the plugin would have made of it is not known
    if (result.source_port >= 0)
      worker.request.ports_had.push_back(static_cast<std::uint16_t>(result.source_port));
    else if (result.state != ConnectionState::discard)
      result.state = ConnectionState::skipped; // without a port nothing was sent: it says nothing of the path
    ++states_.at(static_cast<std::size_t>(result.state));
    keep_good(result.members, output_.max_connection_members(), worker.job,
              [&] { return "connection " + std::to_string(worker.config); });
    jobs_finished_ += worker.config + 1 == connections_;
    output_.connection(record_of(worker, result), result.members.text(), progress());
    if (synchronized())
      batch_.connection_ended();
    else if (++worker.config < connections_)
      ready_.push_back(index);
    else
      end_job(index);
  }

  /// Members are checked as they are added. What a record cannot hold goes too, and all that was left out is told.
  template <typename NameOfPlace>
  void keep_good(json::CheckedMembers& members, std::size_t max_octets, const Job& job, NameOfPlace&& of) {
    if (members.text().size() > max_octets)
      members.shorten_to(max_octets, writer_.name() + " takes records of at most " +
                                         std::to_string(writer_.max_record_bytes()) + " octets; a " +
                                         (writer_.ring() ? "" : "ring with a ") + "larger --job-ring-mib holds more");
    members_bad_ += members.left_out().size();
    if (options_.member_left_out)
      for (const auto& member : members.left_out())
        options_.member_left_out(job, of(), member);
  }

  static ConnectionRecord record_of(const Worker& worker, const ConnectResult& result) {
    const ConnectRequest& request = worker.request;
    ConnectionRecord record{};
    record.job_id = worker.job.id;
    record.start_ns = result.start_ns;
    record.stop_ns = result.stop_ns;
    record.source_port = result.source_port;
    record.destination_port = request.destination_port;
    record.config = static_cast<std::uint16_t>(worker.config);
    record.protocol = protocol_of(request.kind);
    record.state = result.state;
    record.error = static_cast<std::uint16_t>(result.error);
    record.never_left = result.never_left;
    record.source = request.source;
    record.destination = request.destination;
    return record;
  }

  /// What a plugin without connections made of a job.
  void worked(Index index, Plugin::Outcome&& outcome) {
    Worker& worker = workers_[index];
    worker.connection.reset();
    --connections_open_;
    ++states_.at(static_cast<std::size_t>(outcome.state));
    ++jobs_finished_;
    for (auto& members : outcome.results) {
      keep_good(members, output_.max_job_members(), worker.job, [] { return std::string("a result"); });
      if (!members.empty())
        output_.job(worker.job.id, 0, members.text(), progress());
    }
    if (!outcome.problem.empty() && options_.no_result)
      options_.no_result(worker.job, outcome.problem);
    end_job(index);
    note_place();
  }

  Connector& connector(ConnectKind kind) {
    auto& made = connectors_.at(static_cast<std::size_t>(kind));
    if (!made)
      made = make_connector(kind, loop_);
    return *made;
  }

  // The end, and those who watch

  void look_at_reader() {
    const auto nobody_came = [this] {
      return writer_.ring() &&
             writer_.ring().header().consumer.state.load(std::memory_order_acquire) == EndState::absent;
    };
    reader_gone_ = !writer_.failure().empty() || writer_.reader_gone() || (stopping() && nobody_came());
  }

  SpiderResult finish() {
    SpiderResult result;
    const auto fail = [&result](const std::string& problem) {
      result.complete = false;
      result.problem = problem;
    };
    if (!jobs_.problem().empty())
      fail(jobs_.problem());
    const EndCause cause = !result.complete ? EndCause::failed
                           : input_ended_   ? EndCause::complete
                                            : EndCause::interrupted;
    housekeep();
    if (writer_.is_finished()) // a predecessor came as far as that
      return result;
    if (!writer_.finish(reader_gone_ ? EndCause::failed : cause, stop_) || reader_gone_) {
      fail(writer_.failure());
      if (result.problem.empty())
        result.problem = writer_.name() + ": its reader has left; " +
                         std::to_string(jobs_.counters().jobs - jobs_finished_ - jobs_broken_) + " jobs were under way";
    }
    return result;
  }

  void housekeep() noexcept {
    housekept_ns_ = monotonic_ns();
    writer_.housekeep(housekept_ns_);
    namespace C = SpiderCounter;
    const JobReaderCounters& read = jobs_.counters();
    const auto state = [this](ConnectionState which) { return states_[static_cast<std::size_t>(which)]; };
    std::array<std::uint64_t, C::count> counters{};
    counters[C::lines_read] = read.lines_read;
    counters[C::lines_bad] = read.lines_bad;
    counters[C::lines_duplicate] = read.lines_duplicate;
    counters[C::targets_forgotten] = read.targets_forgotten;
    counters[C::jobs_taken] = read.jobs;
    counters[C::jobs_finished] = jobs_finished_;
    counters[C::jobs_broken] = jobs_broken_;
    counters[C::jobs_not_routed] = jobs_not_routed_;
    counters[C::jobs_open] = read.jobs - jobs_finished_ - jobs_broken_;
    counters[C::connections_ok] = state(ConnectionState::ok);
    counters[C::connections_failed] = state(ConnectionState::failed);
    counters[C::connections_timeout] = state(ConnectionState::timeout);
    counters[C::connections_skipped] = state(ConnectionState::skipped);
    counters[C::connections_discarded] = state(ConnectionState::discard);
    counters[C::connections_open] = connections_open_;
    counters[C::members_bad] = members_bad_;
    counters[C::plugin_failures] = plugin_failures_;
    counters[C::position_octets] = jobs_.position_octets();
    counters[C::size_octets] = jobs_.size_octets();
    counters[C::stall_max_ns] = duty_.stall_max_ns();
    counters[C::stall_max_second] = duty_.stall_max_second();
    stage_.publish(counters, housekept_ns_);
  }

  JobReader& jobs_;
  RecordWriter& writer_;
  const PluginDescription& description_;
  Plugin& plugin_;
  const SpiderOptions& options_;
  const std::atomic<bool>& stop_;
  const std::atomic<bool> stop_now_{true};
  Stage& stage_;
  JobOutput output_;
  unsigned connections_; ///< of each job

  EventLoop loop_;
  std::array<std::unique_ptr<Connector>, 6> connectors_; ///< by ConnectKind, made when first needed
  std::vector<Worker> workers_;
  std::vector<Index> idle_; ///< workers without a job
  std::deque<Index> ready_; ///< workers whose next connection can start
  Batch batch_;             ///< of a synchronized plugin
  std::string members_;

  std::uint64_t interval_ns_;    ///< between two connections; 0: none
  std::uint64_t allowed_ns_ = 0; ///< when the next may start
  std::uint64_t now_ns_ = 0;
  DutyCycle duty_;
  std::uint64_t housekept_ns_ = 0;
  std::uint64_t jobs_finished_ = 0;
  std::uint64_t jobs_broken_ = 0;
  std::uint64_t jobs_not_routed_ = 0;
  std::uint64_t connections_open_ = 0;
  std::uint64_t members_bad_ = 0;
  std::uint64_t plugin_failures_ = 0;
  std::array<std::uint64_t, 5> states_{}; ///< connections ended, by ConnectionState
  bool link_away_ = false;                ///< of the interface that the session's capture watches
  std::uint64_t link_losses_ = 0;         ///< how often that went away
  bool eager_ = true;                     ///< there may be more to start at once
  bool input_waits_ = false;
  bool input_ended_ = false;
  bool reader_gone_ = false;
};

} // namespace

SpiderResult spider(JobReader& jobs, RecordWriter& writer, const PluginDescription& description, Plugin& plugin,
                    const SpiderOptions& options, const std::atomic<bool>& stop, Stage& stage) {
  return Engine(jobs, writer, description, plugin, options, stop, stage).run();
}

void allow_descriptors(unsigned workers) {
  // Two for each connection (a library may open a second before the first is closed), some for the program itself.
  const rlim_t wanted = rlim_t{workers} * 2 + 64;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
    return;
  const rlimit raised{wanted, std::max(limit.rlim_max, wanted)};
  if (setrlimit(RLIMIT_NOFILE, &raised) != 0)
    throw Error("-w " + std::to_string(workers) + " needs " + std::to_string(wanted) + " open files, " +
                std::to_string(limit.rlim_max) + " are allowed: use at most -w " +
                std::to_string(limit.rlim_max > 64 ? (limit.rlim_max - 64) / 2 : 0) +
                ", or raise the limit (ulimit -n " + std::to_string(wanted) + ", LimitNOFILE= of systemd)");
}

} // namespace orbweaver
