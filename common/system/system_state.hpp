// SPDX-License-Identifier: GPL-3.0-or-later
// What a session changed in the system (sysctls) and how it is put back, however the
// session ends. Before each change the value that was there goes into a journal (state_journal.hpp) in a folder that
// lives as long as the changes themselves would: until the machine starts again. It says which network namespace it is
// about. The spider writes it; the front command puts back what a killed spider left, and
// the next start what a killed session left.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace orbweaver {

class SystemState {
public:
  /// Opens the journal of a session. Throws Error where another living session changes the state of this network
  /// namespace, and names it: two at once would measure each other.
  explicit SystemState(const std::string& session);
  SystemState(const SystemState&) = delete;
  SystemState& operator=(const SystemState&) = delete;
  /// Puts back everything, and removes the journal.
  ~SystemState();

  /// Sets a sysctl of sysctl_list.hpp ("net.ipv4.tcp_ecn") to a value from 0 to 255; the value that it has is
  /// remembered the first time. Throws Error for any other, and says what is missing (the right to write it, the sysctl
  /// itself), and how to get it.
  void set_sysctl(const std::string& name, const std::string& value);

  /// Whether these sysctls can be changed, found out without changing anything: throws Error that says which right is
  /// missing (CAP_NET_ADMIN, a read-only /proc/sys) and how to give it.
  static void check_rights(const std::vector<std::string>& sysctls);

  /// Puts everything back now; a second call does nothing. Returns what could not be put back, a sentence each.
  std::vector<std::string> restore() noexcept;

private:
  struct Changes;
  std::unique_ptr<Changes> changes_;
};

/// Puts back what the journal of that session says, if there is one, and removes it. Returns a sentence for each thing
/// that was put back or could not be. For the front command, when a spider has died.
std::vector<std::string> restore_system_state(const std::string& session);

/// The same for the journals of all sessions that have no living process. Those of other network namespaces stay while
/// the namespace exists, and are named.
std::vector<std::string> restore_dead_system_states();

/// Of files that look like journals and from which nothing is put back, as they are not ours: the first, why, and how
/// many more there are. Empty where there is none. For the front command, to warn of once.
[[nodiscard]] std::string refused_system_states();

} // namespace orbweaver
