// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/follow_source.hpp"

#include "capture/sources/pipe_source.hpp"
#include "common/error.hpp"
#include "common/stream/ring/wait.hpp"

#include <ctime>
#include <exception>
#include <fcntl.h>
#include <utility>

namespace orbweaver {

FollowSource::FollowSource(std::string given, std::uint32_t snap_length, MergedSource::Voices voices, Waits waits)
    : given_(std::move(given)), series_(given_), snap_length_(snap_length), voices_(std::move(voices)), waits_(waits) {
  look();
  if (!next_)
    voices_.warn(given_ + ": has no packet yet: waiting for one");
}

void FollowSource::look() noexcept {
  next_look_ns_ = monotonic_ns() + waits_.look_ms * std::uint64_t{1'000'000};
  try {
    next_ = series_.next();
  } catch (const std::exception& failure) {
    voices_.warn(given_ + ": cannot be looked for: " + failure.what());
  }
}

void FollowSource::pause() const noexcept {
  const timespec pause{0, static_cast<long>(waits_.pause_ms) * 1'000'000};
  nanosleep(&pause, nullptr);
}

bool FollowSource::open_next() noexcept {
  if (!next_ && monotonic_ns() >= next_look_ns_)
    look();
  if (!next_)
    return false;
  const SeriesFile file = *std::exchange(next_, std::nullopt);
  series_.take(file);
  path_ = file.path;
  const int descriptor = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    leave(path_ + ": cannot be opened: " + errno_text());
    return true;
  }
  auto input = std::make_unique<GrowingInput>(descriptor, path_);
  input_ = input.get();
  completing_ = false;
  reader_ = std::make_unique<PipeSource>(std::move(input), snap_length_);
  return true;
}

/// Nothing has come: perhaps nothing will.
void FollowSource::look_for_end() noexcept {
  if (input_->begun_anew()) {
    leave({});
    return;
  }
  if (monotonic_ns() >= next_look_ns_)
    look();
  if (next_) { // what was written before it is there now
    input_->complete();
    completing_ = true;
  } else {
    pause();
  }
}

/// Of the file that is read; `error`: what was wrong with it.
void FollowSource::leave(const std::string& error) noexcept {
  if (!error.empty()) {
    failed_.push_back(path_);
    voices_.error(error);
  }
  if (reader_) {
    if (const auto warning = reader_->warning(); !warning.empty())
      voices_.warn(warning);
    skipped_ += reader_->skipped();
  }
  input_ = nullptr;
  reader_.reset();
}

Source::Result FollowSource::read(std::span<Frame> out) noexcept {
  if (!reader_ && !open_next()) {
    pause();
    return {Status::idle, 0};
  }
  if (!reader_)
    return {Status::idle, 0};
  const Result result = reader_->read(out);
  switch (result.status) {
  case Status::frames:
    return result;
  case Status::end:
    leave({});
    break;
  case Status::failed:
    leave(reader_->error());
    break;
  case Status::idle:
  case Status::away:
    if (!completing_)
      look_for_end();
    break;
  }
  return {Status::idle, 0};
}

std::string FollowSource::failures() const {
  return failed_.empty() ? std::string()
                         : std::to_string(failed_.size()) + " of the files followed could not be read to the end, " +
                               failed_.front() + " first";
}

} // namespace orbweaver
