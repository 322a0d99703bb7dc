// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/session.hpp"

#include "common/error.hpp"
#include "common/file_descriptor.hpp"
#include "common/process/session_name.hpp"
#include "common/stream/ring/ring.hpp"
#include "common/stream/ring/wait.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>
#include <ctime>
#include <memory>
#include <new>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace orbweaver {

namespace {

constexpr std::uint64_t control_magic =
    std::bit_cast<std::uint64_t>(std::array{'O', 'R', 'B', 'C', 'T', 'R', 'L', '\n'});
constexpr std::uint32_t control_version = 4;
constexpr std::string_view control_suffix = ".control";

std::string control_name(const std::string& session) {
  return std::string(segment_prefix) + session + std::string(control_suffix);
}

std::span<StageBlock> stages_of(ControlBlock& control) noexcept {
  const auto count = control.stage_count.load(std::memory_order_acquire); // pairs with the store in add_stage
  return {control.stages.data(), std::min<std::size_t>(count, max_stages)};
}

/// What a segment that begins with a Header, of a session or of a ring, holds now. A copy: of what nobody may care for
/// any more, a mapping could be cut short under our hands.
template <typename Header>
struct Glance {
  explicit Glance(const std::string& segment) : header(std::make_unique<Header>()) {
    constexpr std::time_t longest_making_s = 60; // the largest ring, whose memory is all reserved first
    const FileDescriptor file = Segment::open(segment, false);
    struct stat status {};
    old = fstat(file.get(), &status) == 0 && std::time(nullptr) - status.st_mtime > longest_making_s;
    whole = pread(file.get(), static_cast<void*>(header.get()), sizeof(Header), 0) == sizeof(Header);
  }

  /// Whether its creator died before it stored the magic, or even before it said who it is; then only its age tells.
  [[nodiscard]] bool half_made() const {
    if (!whole)
      return old;
    const bool is_known = header->creator.pid.load(std::memory_order_relaxed) != 0;
    return header->magic.load(std::memory_order_relaxed) == 0 && (is_known ? !header->creator.lives(0) : old);
  }

  std::unique_ptr<Header> header; ///< meaningless where it is not whole
  bool whole, old;
};

/// Whether no living process has to do with a session. One being made, or of another version, is not ours to judge.
bool session_is_dead(const std::string& name) {
  const Glance<ControlBlock> seen(control_name(name));
  ControlBlock& control = *seen.header;
  if (!seen.whole || control.magic.load(std::memory_order_relaxed) != control_magic)
    return seen.half_made();
  const auto stages = stages_of(control);
  return control.version == control_version && !control.creator_lives() &&
         std::ranges::none_of(stages, [](const StageBlock& stage) { return stage.is_at_work(); });
}

/// The same of a ring.
bool ring_is_dead(const std::string& segment) {
  const Glance<RingHeader> seen(segment);
  const RingHeader& header = *seen.header;
  if (!seen.whole || header.magic.load(std::memory_order_relaxed) != ring_magic)
    return seen.half_made();
  const auto lives = [](const RingEnd& end) {
    return end.process.lives(end.heartbeat_ns.load(std::memory_order_relaxed));
  };
  return header.version.load(std::memory_order_relaxed) == ring_version && !creator_lives(header) &&
         !lives(header.producer) && !lives(header.consumer);
}

/// Removes what a session has among `segments`, which are sorted.
void remove_session(const std::string& name, const std::vector<std::string>& segments) {
  const std::string prefix = std::string(segment_prefix) + name + ".";
  // The control segment goes last, so that an interrupted removal is found again.
  for (auto segment = std::lower_bound(segments.begin(), segments.end(), prefix);
       segment != segments.end() && segment->starts_with(prefix); ++segment)
    if (!segment->ends_with(control_suffix))
      Segment::remove(*segment);
  Segment::remove(control_name(name));
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
  if (!session_name_fits(session.name_))
    throw UsageError("session name '" + session.name_ + "': use 1 to 48 letters, digits, dashes or underscores");
  if (Segment::exists(control_name(session.name_)))
    throw UsageError("session '" + session.name_ + "' runs already; give this one another name (--session), or end it");
  session.segment_ = Segment::create(control_name(session.name_), sizeof(ControlBlock));
  // A new segment is all zeros, as an empty block is: to write them would take memory for messages that nobody has.
  auto* control = reinterpret_cast<ControlBlock*>(session.segment_.data());
  control->version = control_version;
  control->creator.set_self();
  control->heartbeat_ns.store(monotonic_ns(), std::memory_order_relaxed);
  control->started_ns = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  std::memcpy(control->name.data(), session.name_.data(), session.name_.size());
  control->magic.store(control_magic, std::memory_order_release); // pairs with the load in attach
  return session;
}

Session Session::attach(const std::string& name, bool writable) {
  Session session;
  session.name_ = name;
  if (const auto why = Segment::why_not_ours(control_name(name)); !why.empty())
    throw Error("session '" + name + "' is not ours: " + why);
  if (!session_name_fits(name) || !Segment::exists(control_name(name)))
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
  for (const auto& segment : Segment::list(segment_prefix)) {
    if (!segment.ends_with(control_suffix) || segment.size() < segment_prefix.size() + control_suffix.size())
      continue;
    auto name = segment.substr(segment_prefix.size(), segment.size() - segment_prefix.size() - control_suffix.size());
    if (session_name_fits(name))
      names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> Session::clear_dead() {
  std::vector<std::string> removed;
  // In this order: a session's control segment is there before its rings are.
  const auto segments = Segment::list(segment_prefix);
  const auto sessions = names();
  for (const auto& name : sessions) {
    try {
      if (session_is_dead(name)) {
        remove_session(name, segments);
        removed.push_back(name);
      }
    } catch (const Error&) {
      // Somebody else was faster.
    }
  }
  for (const auto& segment : segments) {
    const auto ring = segment.substr(segment_prefix.size());
    const bool of_session = std::binary_search(sessions.begin(), sessions.end(), ring.substr(0, ring.find('.')));
    try {
      if (!of_session && ring_is_dead(segment) && Segment::remove(segment))
        removed.push_back(ring);
    } catch (const Error&) {
      // Somebody else was faster.
    }
  }
  return removed;
}

void Session::remove(const std::string& name) noexcept {
  try {
    remove_session(name, Segment::list(std::string(segment_prefix) + name + "."));
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
  return stages_of(control());
}

std::string Session::ring_name(std::string_view stream, std::size_t index) const {
  return name_ + "." + std::string(stream) + "." + std::to_string(index);
}

} // namespace orbweaver
