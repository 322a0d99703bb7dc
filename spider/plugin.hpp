// SPDX-License-Identifier: GPL-3.0-or-later
// What a plugin of the spider is: it says what it is called and what it needs, and for each job which connections to
// make. The engine makes them. A plugin has a file in plugins/, its conditions a file in merger/conditions/; one
// line in plugins/library.hpp registers it. All calls come from the spider's one thread. See docs/writing-a-plugin.md.
#pragma once

#include "common/json/checked_members.hpp"
#include "common/process/options/plugin_list.hpp"
#include "common/process/shared_object.hpp"
#include "spider/connect/connect.hpp"
#include "spider/connect/connector.hpp"
#include "spider/engine/event_loop.hpp"
#include "spider/jobs/job.hpp"

#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace orbweaver {

/// Changes with anything that plugins of a shared object are built against.
inline constexpr std::uint32_t plugin_interface_version = 5;

/// One sysctl and the value that it has in a configuration: {"net.ipv4.tcp_ecn", "2"}.
struct SysctlSetting {
  std::string name;
  std::string value;
};

/// A configuration of the system for a synchronized plugin. The engine remembers what was there before, sets it, and
/// puts it back, however the session ends.
struct SystemConfiguration {
  std::vector<SysctlSetting> sysctls;
};

/// What a plugin has to hand from its pre_connect to the connections of the job.
struct PreConnect {
  virtual ~PreConnect() = default;
};

class Plugin {
public:
  virtual ~Plugin() = default;

  /// Takes the options of its own, checked as their descriptions say, before anything else. Throws UsageError.
  virtual void configure(const PluginArguments& arguments) { static_cast<void>(arguments); }

  /// Connections for each job: of a synchronized plugin one a configuration, of a forge one a sequence number.
  [[nodiscard]] virtual unsigned connections() const = 0;

  /// Synchronized: the configurations, in order, connections() of them.
  [[nodiscard]] virtual std::vector<SystemConfiguration> configurations() const { return {}; }

  /// Once a job, before its connections; its result is given to each of them.
  virtual std::unique_ptr<PreConnect> pre_connect(const Job& job) {
    static_cast<void>(job);
    return nullptr;
  }

  /// Before connection `config` (from 0): `request` is a plain one of the chosen kind; change what this plugin wants
  /// otherwise.
  virtual void connect(ConnectRequest& request, const Job& job, const PreConnect* before, unsigned config) {
    static_cast<void>(request), static_cast<void>(job), static_cast<void>(before), static_cast<void>(config);
  }

  /// Forge: the IP datagram number `seq`, from its first octet, to be sent as it is from request.source and
  /// source_port. Empty: nothing is sent, the connection counts as skipped.
  [[nodiscard]] virtual std::vector<std::uint8_t> forge(const ConnectRequest& request, std::uint16_t source_port,
                                                        const Job& job, unsigned seq) {
    static_cast<void>(request), static_cast<void>(source_port), static_cast<void>(job), static_cast<void>(seq);
    return {};
  }

  /// What these calls throw is told with the job, and costs that job's connections (pre_connect) or that connection
  /// alone: it is skipped, or discarded where it was made.
  ///
  /// After each connection: may change its state, and add to its members (`result.members.add("label", 7)`).
  virtual void post_connect(ConnectResult& result, const Job& job, const PreConnect* before, unsigned config) {
    static_cast<void>(result), static_cast<void>(job), static_cast<void>(before), static_cast<void>(config);
  }

  /// What came of a job.
  struct Outcome {
    std::vector<json::CheckedMembers> results;   ///< the members of each
    ConnectionState state = ConnectionState::ok; ///< how it is counted
    std::string problem; ///< why there is no result, in a few words: the job's domain is named with it
  };
  using Done = std::function<void(Outcome&& outcome)>;

  /// Of a plugin without connect kinds (connections() is 0): works on a job under the event loop and calls `done` once,
  /// never from within this call, after `timeout_ns` at the latest. Each result goes to the output as it is. Destroying
  /// what is returned ends the work; `done` is then never called, and may itself do so. nullptr: the job has failed.
  [[nodiscard]] virtual std::unique_ptr<Connection> work(EventLoop& loop, const Job& job, std::uint64_t timeout_ns,
                                                         Done done) {
    static_cast<void>(loop), static_cast<void>(job), static_cast<void>(timeout_ns), static_cast<void>(done);
    return nullptr;
  }
};

/// How a plugin is known: what it says of itself, and how one is made.
struct PluginEntry {
  PluginDescription description;
  std::unique_ptr<Plugin> (*make)();
};

/// Exports the plugins of a shared object, an array of PluginEntry that lives as long as the object:
/// `const PluginEntry entries[] = {{.description = {…}, .make = …}}; ORBWEAVER_EXPORT_PLUGINS(entries)`
#define ORBWEAVER_EXPORT_PLUGINS(entries)                                                                              \
  extern "C" [[gnu::visibility("default")]] const ::orbweaver::SharedTable orbweaver_plugins;                          \
  extern "C" const ::orbweaver::SharedTable orbweaver_plugins{::orbweaver::plugin_interface_version,                   \
                                                              static_cast<std::uint32_t>(std::size(entries)),          \
                                                              static_cast<const ::orbweaver::PluginEntry*>(entries)};

} // namespace orbweaver
