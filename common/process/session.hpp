// SPDX-License-Identifier: GPL-3.0-or-later
// A session: the processes of one run and their shared memory. Its control segment, `orbweaver.NAME.control`, lists the
// stages with their counters; its rings are `orbweaver.NAME.packets.0` and so on. Whoever makes a session removes it;
// what a killed one left is cleared by the next start.
#pragma once

#include "common/process/counters.hpp"
#include "common/process/log/message_log.hpp"
#include "common/stream/ring/shared_memory.hpp"
#include "common/system/process_mark.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace orbweaver {

enum class StageState : std::uint32_t {
  absent = 0,   ///< not started
  running = 1,  ///< at work
  finished = 2, ///< came to its end in order
  failed = 3,   ///< ended with an error, which it printed
  dead = 4,     ///< killed, or gone without a word; set by the front command
  stopped = 5,  ///< was asked to end (SIGTERM), and did so in order
};

[[nodiscard]] std::string_view to_string(StageState state) noexcept;

/// One stage of a session, in the control segment. Written by the stage alone, but for `state` = dead
/// and `restarts`.
struct alignas(64) StageBlock {
  StageKind kind;
  std::uint32_t index; ///< among stages of its kind
  std::atomic<StageState> state;
  ProcessMark process;
  std::atomic<std::uint64_t> heartbeat_ns; ///< CLOCK_MONOTONIC of its last housekeeping
  std::atomic<std::uint64_t> restarts;     ///< how often another one was started in its place; by the front command
  std::array<std::atomic<std::uint64_t>, 4> kept; ///< what a follower has to know, as the stage likes
  std::array<std::atomic<std::uint64_t>, max_counters> counters;
  MessageLog messages; ///< the stage's warnings and errors

  /// Whether it runs, as far as it and the process table say.
  [[nodiscard]] bool is_at_work() const noexcept {
    return state.load(std::memory_order_acquire) == StageState::running &&
           process.lives(heartbeat_ns.load(std::memory_order_relaxed));
  }
  [[nodiscard]] std::uint64_t counter(std::size_t place) const noexcept {
    return counters[place].load(std::memory_order_relaxed);
  }
  /// Stores a stage's local counters. Each is exact; together they may be of slightly different moments.
  void publish(std::span<const std::uint64_t> values, std::uint64_t now_ns) noexcept {
    for (std::size_t i = 0; i < values.size(); ++i)
      counters[i].store(values[i], std::memory_order_relaxed);
    heartbeat_ns.store(now_ns, std::memory_order_relaxed);
  }
};

inline constexpr std::size_t max_stages = max_observers + 4;

/// The control segment. Magic is stored last, as in a ring.
struct ControlBlock {
  std::atomic<std::uint64_t> magic;
  std::uint32_t version;
  std::atomic<std::uint32_t> stage_count;
  ProcessMark creator;
  std::atomic<std::uint64_t> heartbeat_ns; ///< CLOCK_MONOTONIC when its creator last looked at the stages
  std::uint64_t started_ns;                ///< CLOCK_REALTIME
  std::array<char, 64> name;
  std::array<StageBlock, max_stages> stages;

  [[nodiscard]] bool creator_lives() const noexcept {
    return creator.lives(heartbeat_ns.load(std::memory_order_relaxed));
  }
};

class Session {
public:
  Session() = default;

  /// Makes a session after clearing what dead ones left. An empty name: one of the process id. Throws where the name
  /// is taken or not fit (session_name.hpp).
  static Session create(const std::string& name, const std::string& prefix = "session");

  /// Attaches one of this user by its name. Read-only for those who only watch.
  static Session attach(const std::string& name, bool writable = true);

  /// The names of all sessions of this user, dead ones too.
  [[nodiscard]] static std::vector<std::string> names();

  /// Removes the segments of sessions and of rings that no living process has to do with. Returns what it removed.
  static std::vector<std::string> clear_dead();

  /// Removes every segment of a session by its name.
  static void remove(const std::string& name) noexcept;

  /// A new slot for a stage; only the creator adds, before the stages start.
  StageBlock& add_stage(StageKind kind, std::uint32_t index);

  [[nodiscard]] std::span<StageBlock> stages() const noexcept;
  [[nodiscard]] ControlBlock& control() const noexcept { return *reinterpret_cast<ControlBlock*>(segment_.data()); }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(segment_); }

  /// The ring name (as in `ring:NAME`) of this session's stream of that kind and index: `NAME.packets.0`.
  [[nodiscard]] std::string ring_name(std::string_view stream, std::size_t index) const;

private:
  Segment segment_;
  std::string name_;
};

} // namespace orbweaver
