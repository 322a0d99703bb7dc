// SPDX-License-Identifier: GPL-3.0-or-later
// The spider stage: takes jobs, has the plugin's connections made for them, model by model, and writes job and
// connection records. One thread, under its event loop; nothing in it blocks but the change of the system's state.
//
// Synchronized: a batch of as many jobs as there are workers; the system is set to configuration 0, each job makes its
// connection, all are waited for; configuration 1, and so on; then the next batch. A batch that is not full begins when
// nothing has come for a while. All other models: each worker has a job, makes its connections one after another, and
// takes the next job.
#pragma once

#include "common/process/stage.hpp"
#include "common/stream/record_writer.hpp"
#include "spider/jobs/job_reader.hpp"
#include "spider/jobs/kept_jobs.hpp"
#include "spider/plugin.hpp"
#include "spider/system/local_addresses.hpp"
#include "spider/system/route_finder.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

namespace orbweaver {

struct SpiderOptions {
  KeptJobs* kept = nullptr;            ///< where it can be followed; the reader of jobs is in that memory
  int takes_over = -1;                 ///< the signal that a predecessor died of, 0: none; -1: there was no predecessor
  ConnectKind kind = ConnectKind::tcp; ///< of a plugin that makes connections
  LocalAddresses local;
  /// How packets to a target leave: RouteFinder::to(). Of a plugin that makes connections.
  std::function<Route(const Address& target, std::uint8_t protocol, std::uint16_t port)> route_to;
  unsigned workers = 100; ///< connections under way at once
  double rate = 0;        ///< connections a second, 0: as fast as they end
  std::uint64_t timeout_ns = default_connection_timeout_s * 1'000'000'000;
  /// Sets the system to a configuration of a synchronized plugin. Throws Error.
  std::function<void(unsigned config)> configure_system;
  /// From which port a forge plugin's next datagram goes: ForgeSender::port_for().
  std::function<std::optional<std::uint16_t>(const ConnectRequest&)> port_for_forged;
  /// Sends what a forge plugin made: ForgeSender::send().
  std::function<ConnectResult(const ConnectRequest&, std::uint16_t source_port, std::span<const std::uint8_t> datagram)>
      send_forged;
  /// Is told why a job of a plugin without connections has no result.
  std::function<void(const Job& job, const std::string& why)> no_result;
  /// Is told of each target that packets would not reach by the interface, and why: nothing is sent to it.
  std::function<void(const Job& job, const std::string& why)> not_routed;
  /// Is told when the interface that is watched goes away and when it is back: meanwhile no connection is started.
  std::function<void(bool away)> link_changed;
  /// Is told what the plugin threw, in which of its calls.
  std::function<void(const Job& job, std::string_view call, const std::string& what)> plugin_failed;
  /// Is told, in place of one that died, behind which line of the input it goes on, how many jobs were under way, and
  /// which call of the plugin.
  std::function<void(std::uint64_t line, std::uint64_t broken, const PluginCall& call)> taken_over;
  /// Is told of each member that was left out of a connection or a result, for instance of "connection 0".
  std::function<void(const Job& job, const std::string& of, const json::CheckedMembers::LeftOut& member)>
      member_left_out;
};

/// How a spider came to its end.
struct SpiderResult {
  bool complete = true; ///< false: the jobs could not be read to their end, or the records not be written
  std::string problem;  ///< what was wrong, or empty
};

/// A forged packet keeps its worker for this long, which bounds how fast they are sent: there is no end to wait for.
inline constexpr std::uint64_t forged_hold_ns = 100'000'000;

/// Runs a plugin, which was configured, for all jobs; ends in order when there are no more or `stop` is set: the jobs
/// under way are finished. Throws Error where a connection cannot be made at all or the system cannot be changed.
SpiderResult spider(JobReader& jobs, RecordWriter& writer, const PluginDescription& description, Plugin& plugin,
                    const SpiderOptions& options, const std::atomic<bool>& stop, Stage& stage);

/// Raises the limit of open files to what so many workers need. Throws Error that says what to do where that is not
/// permitted.
void allow_descriptors(unsigned workers);

} // namespace orbweaver
