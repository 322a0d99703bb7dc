// SPDX-License-Identifier: GPL-3.0-or-later
// A live source on an interface that may go away: while it is down, without a carrier or removed there is no socket
// that could spin on it, and when it is back, be it as another interface of the same name, the source is opened anew.
// Owned by the capture stage's thread.
#pragma once

#include "capture/sources/link_watch.hpp"
#include "capture/sources/source.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace orbweaver {

/// What to do when the interface of a live source goes away.
struct LinkLoss {
  bool wait = true;             ///< for it to come back; else the source fails
  unsigned removed_wait_s = 10; ///< an interface that was removed is waited for so long
  /// Is told what happens to the interface and when, a line each time.
  std::function<void(const std::string&)> say = {};
};

class WatchedSource final : public Source {
public:
  using Open = std::function<std::unique_ptr<Source>()>;

  /// `open` opens the source on the interface, now and each time that the interface is back; it throws Error where that
  /// fails, and so does this the first time.
  WatchedSource(std::string interface, Open open, LinkLoss options);

  Result read(std::span<Frame> out) noexcept override;
  bool live() const noexcept override { return true; }
  std::uint64_t dropped() noexcept override { return dropped_ + (source_ ? source_->dropped() : 0); }
  std::uint64_t skipped() const noexcept override { return skipped_ + (source_ ? source_->skipped() : 0); }
  std::string warning() const override { return source_ ? source_->warning() : warning_; }
  std::string removed() const override;

private:
  [[nodiscard]] bool look_is_due(bool idle) noexcept;
  [[nodiscard]] bool went_away() noexcept;
  Result read_out(std::span<Frame> out) noexcept;
  Result wait_for_link() noexcept;
  void close() noexcept;
  void reopen();
  void say(const std::string& what) const;

  std::string interface_;
  Open open_;
  LinkLoss options_;
  LinkWatch watch_;
  std::unique_ptr<Source> source_; ///< none while the interface is away
  LinkState why_ = LinkState::working;
  bool leaving_ = false; ///< the interface went away; what was captured before is yet to be read
  std::string refused_;  ///< why the source could not be opened anew the last time
  bool refusal_said_ = false;
  std::uint64_t next_look_ns_ = 0;
  std::uint64_t away_since_ns_ = 0;    ///< CLOCK_REALTIME
  std::uint64_t removed_at_ns_ = 0;    ///< the same
  std::uint64_t removed_since_ns_ = 0; ///< CLOCK_MONOTONIC; 0: it is there
  std::uint64_t dropped_ = 0;          ///< of sources that were closed
  std::uint64_t skipped_ = 0;
  std::string warning_;
};

} // namespace orbweaver
