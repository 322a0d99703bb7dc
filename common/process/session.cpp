// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/session.hpp"

#include "common/error.hpp"
#include "common/stream/ring.hpp"

#include <algorithm>
#include <bit>
#include <cctype>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <new>
#include <system_error>
#include <unistd.h>

namespace orbweaver {

namespace {

constexpr std::uint64_t control_magic =
    std::bit_cast<std::uint64_t>(std::array{'O', 'R', 'B', 'C', 'T', 'R', 'L', '\n'});
constexpr std::uint32_t control_version = 2;
constexpr std::string_view control_suffix = ".control";
/// What system_state.hpp keeps: it must outlive the session whose changes it tells of.
constexpr std::string_view state_suffix = ".state";

std::string control_name(const std::string& session) {
  return std::string(segment_prefix) + session + std::string(control_suffix);
}

bool name_fits(const std::string& name) {
  return !name.empty() && name.size() <= 48 &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_'; });
}

bool lives(const Session& session) {
  if (process_lives(session.control().creator_pid.load(std::memory_order_relaxed)))
    return true;
  const auto stages = session.stages();
  return std::any_of(stages.begin(), stages.end(), [](const StageBlock& stage) {
    return stage.state.load(std::memory_order_relaxed) == StageState::running &&
           process_lives(stage.pid.load(std::memory_order_relaxed));
  });
}

/// Whether a segment that begins with a Header, of a session or of a ring, was left half made: its creator died before
/// it stored the magic, or even before it said who it is; then only its age tells.
template <typename Header>
bool half_made(const std::string& name) {
  namespace fs = std::filesystem;
  constexpr std::chrono::seconds longest_making{60}; // the largest ring, whose memory is all reserved first
  const fs::path file = Segment::path(name);
  std::error_code gone;
  const bool old = fs::file_time_type::clock::now() - fs::last_write_time(file, gone) > longest_making && !gone;
  if (fs::file_size(file, gone) < sizeof(Header))
    return old;
  const Segment segment = Segment::attach(name, false);
  const auto& header = *reinterpret_cast<const Header*>(segment.data());
  const pid_t creator = header.creator_pid.load(std::memory_order_relaxed);
  return header.magic.load(std::memory_order_acquire) == 0 && (creator == 0 ? old : !process_lives(creator));
}

bool ring_lives(const std::string& segment) {
  const Ring ring = Ring::attach(segment, false);
  const auto& header = ring.header();
  const auto pid = [](const RingEnd& end) { return end.pid.load(std::memory_order_relaxed); };
  return process_lives(header.creator_pid.load(std::memory_order_relaxed)) || process_lives(pid(header.producer)) ||
         process_lives(pid(header.consumer));
}

} // namespace

std::string_view to_string(StageState state) noexcept {
  switch (state) {
  case StageState::absent:
    return "absent";
  case StageState::running:
    return "running";
  case StageState::finished:
    return "finished";
  case StageState::failed:
    return "failed";
  case StageState::dead:
    return "dead";
  case StageState::stopped:
    return "stopped";
  }
  return "unknown";
}

Session Session::create(const std::string& name, const std::string& prefix) {
  clear_dead();
  Session session;
  session.name_ = name.empty() ? prefix + "-" + std::to_string(getpid()) : name;
  if (!name_fits(session.name_))
    throw UsageError("session name '" + session.name_ + "': use 1 to 48 letters, digits, dashes or underscores");
  if (Segment::exists(control_name(session.name_)))
    throw UsageError("session '" + session.name_ + "' runs already; give this one another name (--session), or end it");
  session.segment_ = Segment::create(control_name(session.name_), sizeof(ControlBlock));
  auto* control = new (session.segment_.data()) ControlBlock{};
  control->version = control_version;
  control->creator_pid.store(getpid(), std::memory_order_relaxed);
  control->started_ns = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  std::memcpy(control->name.data(), session.name_.data(), session.name_.size());
  control->magic.store(control_magic, std::memory_order_release); // pairs with the load in attach
  return session;
}

Session Session::attach(const std::string& name, bool writable) {
  Session session;
  session.name_ = name;
  if (!Segment::exists(control_name(name)))
    throw Error("no session '" + name + "' is running");
  session.segment_ = Segment::attach(control_name(name), writable);
  if (session.segment_.size() < sizeof(ControlBlock) ||
      session.control().magic.load(std::memory_order_acquire) != control_magic) // pairs with the store in create
    throw Error("session '" + name + "': its control segment is not complete");
  if (session.control().version != control_version)
    throw Error("session '" + name + "' is of another version of Orbweaver");
  return session;
}

std::vector<std::string> Session::names() {
  std::vector<std::string> names;
  for (const auto& segment : Segment::list(segment_prefix))
    if (segment.ends_with(control_suffix))
      names.push_back(
          segment.substr(segment_prefix.size(), segment.size() - segment_prefix.size() - control_suffix.size()));
  return names;
}

std::vector<std::string> Session::clear_dead() {
  std::vector<std::string> removed;
  for (const auto& name : names()) {
    try {
      if (half_made<ControlBlock>(control_name(name)) || !lives(attach(name, false))) {
        remove(name);
        removed.push_back(name);
      }
    } catch (const Error&) {
      // Being made, or of another version: not ours to remove.
    }
  }
  for (const auto& segment : Segment::list(segment_prefix)) {
    const auto ring = segment.substr(segment_prefix.size());
    const auto sessions = names();
    const bool of_session = std::any_of(sessions.begin(), sessions.end(),
                                        [&](const std::string& name) { return ring.starts_with(name + "."); });
    try {
      if (!of_session && !segment.ends_with(state_suffix) && (half_made<RingHeader>(segment) || !ring_lives(segment)) &&
          Segment::remove(segment))
        removed.push_back(ring);
    } catch (const Error&) {
      // Being made, not a ring, or somebody else was faster.
    }
  }
  return removed;
}

void Session::remove(const std::string& name) noexcept {
  try {
    // The control segment goes last, so that an interrupted removal is found again.
    for (const auto& segment : Segment::list(std::string(segment_prefix) + name + "."))
      if (!segment.ends_with(control_suffix) && !segment.ends_with(state_suffix))
        Segment::remove(segment);
    Segment::remove(control_name(name));
  } catch (...) {
    // Out of memory while listing: the next start clears it.
  }
}

StageBlock& Session::add_stage(StageKind kind, std::uint32_t index) {
  const auto slot = control().stage_count.load(std::memory_order_relaxed);
  if (slot >= max_stages)
    throw Error("session '" + name_ + "' has no place for another stage");
  auto& stage = control().stages[slot];
  stage.kind = kind;
  stage.index = index;
  control().stage_count.store(slot + 1, std::memory_order_release); // pairs with the load in stages
  return stage;
}

std::span<StageBlock> Session::stages() const noexcept {
  const auto count = control().stage_count.load(std::memory_order_acquire); // pairs with the store in add_stage
  return {control().stages.data(), std::min<std::size_t>(count, max_stages)};
}

std::string Session::ring_name(std::string_view stream, std::size_t index) const {
  return name_ + "." + std::string(stream) + "." + std::to_string(index);
}

} // namespace orbweaver
