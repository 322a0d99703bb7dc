// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/merged_source.hpp"

#include "capture/sources/capture_reader.hpp"
#include "common/error.hpp"
#include "common/system/guarded_mapping.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace orbweaver {
namespace {

constexpr std::size_t compressed_weight = 32; ///< of one that is open, where a mapped file is 1
constexpr std::size_t named_at_most = 5;

/// "a, b, c and 7 more"
std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), named_at_most); ++i)
    text += (i == 0 ? "" : ", ") + names[i];
  return names.size() <= named_at_most ? text : text + " and " + std::to_string(names.size() - named_at_most) + " more";
}

} // namespace

MergedSource::MergedSource(std::vector<Part> parts, Voices voices, std::size_t open_beforehand)
    : voices_(std::move(voices)) {
  watch_loss(GuardedMapping::any_lost());
  GuardedMapping::any_lost() = 0;
  inputs_.reserve(parts.size());
  bool all_sizes = true;
  for (auto& part : parts) {
    all_sizes = all_sizes && part.is_file;
    size_octets_ += part.octets;
    inputs_.push_back({std::move(part), nullptr});
  }
  if (!all_sizes)
    size_octets_ = 0;
  std::vector<std::string> no_captures;
  std::size_t weight = 0;
  for (std::size_t i = 0; i < inputs_.size(); ++i)
    open_first(i, no_captures, weight, open_beforehand);
  if (!no_captures.empty())
    voices_.warn("passed over, since they are no captures: " + listed(no_captures));
  if (failed_.size() + no_captures.size() == inputs_.size())
    throw Error(failed_.empty() ? "there is no capture among the files" : failures());
}

void MergedSource::open_first(std::size_t index, std::vector<std::string>& no_captures, std::size_t& weight,
                              std::size_t most) {
  Input& input = inputs_[index];
  try {
    input.source = input.part.open();
  } catch (const NoCapture& failure) {
    if (!input.part.of_folder)
      return fail_input(input, failure.what());
    no_captures.push_back(input.part.name);
    return end(input);
  } catch (const Error& failure) {
    return fail_input(input, failure.what());
  }
  if (!input.part.is_file) { // its first frame may let wait for itself
    hungry_.push_back(index);
    return;
  }
  const Filled filled = fill(input);
  if (filled == Filled::idle)
    hungry_.push_back(index);
  if (filled != Filled::frames)
    return;
  add_turn(index);
  const std::size_t its_weight = input.source->size_octets() != 0 ? 1 : compressed_weight;
  if (weight + its_weight > most) {
    input.source.reset();
    input.frames = {};
    input.at = input.count = 0;
  } else {
    weight += its_weight;
  }
}

/// Again, of one that was closed.
bool MergedSource::open(Input& input) noexcept {
  try {
    input.source = input.part.open();
  } catch (const std::exception& failure) {
    fail_input(input, failure.what());
    return false;
  }
  return fill(input) == Filled::frames;
}

MergedSource::Filled MergedSource::fill(Input& input) noexcept {
  input.frames.resize(frame_batch);
  const Result read = input.source->read(input.frames);
  switch (read.status) {
  case Status::frames:
    input.at = 0;
    input.count = read.count;
    input.next_ns = input.frames.front().time_ns;
    return Filled::frames;
  case Status::idle:
  case Status::away:
    return Filled::idle;
  case Status::end:
    end(input);
    return Filled::nothing;
  case Status::failed:
    break;
  }
  fail_input(input, input.source->error());
  return Filled::nothing;
}

void MergedSource::end(Input& input) noexcept {
  if (input.source) {
    if (const std::string warning = input.source->warning(); !warning.empty())
      voices_.warn(warning);
    done_skipped_ += input.source->skipped();
  }
  done_octets_ += input.part.octets;
  input.done = true;
  input.source.reset();
  input.frames = {};
}

void MergedSource::fail_input(Input& input, const std::string& why) noexcept {
  failed_.push_back(input.part.name);
  voices_.error(why);
  end(input);
}

void MergedSource::add_turn(std::size_t index) noexcept {
  turns_.push_back({inputs_[index].next_ns, index});
  std::push_heap(turns_.begin(), turns_.end(), Later());
}

MergedSource::Turn MergedSource::take_turn() noexcept {
  std::pop_heap(turns_.begin(), turns_.end(), Later());
  const Turn turn = turns_.back();
  turns_.pop_back();
  return turn;
}

/// A file was cut shorter while frames of it were at hand. They are void; who read them last knows, and the file's
/// reader says so now. What else was given with them is not given again: a batch at the most.
void MergedSource::drop_lost() noexcept {
  GuardedMapping::any_lost() = 0;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    Input& input = inputs_[i];
    if (!input.source || !input.source->lost() || input.at == input.count)
      continue;
    input.at = input.count;
    hungry_.push_back(i);
    std::erase_if(turns_, [i](const Turn& turn) { return turn.index == i; });
  }
  std::make_heap(turns_.begin(), turns_.end(), Later());
}

/// False: one of them lets wait for itself, and nobody knows whether it is the next.
bool MergedSource::fill_hungry() noexcept {
  while (!hungry_.empty()) {
    const std::size_t index = hungry_.back();
    const Filled filled = fill(inputs_[index]);
    if (filled == Filled::idle)
      return false;
    hungry_.pop_back();
    if (filled == Filled::frames)
      add_turn(index);
  }
  return true;
}

Source::Result MergedSource::read(std::span<Frame> out) noexcept {
  if (lost()) [[unlikely]]
    drop_lost();
  if (!fill_hungry())
    return {Status::idle, 0};
  std::size_t count = 0;
  // Frames at hand are good until their input is read again: what has none any more waits for the next call.
  while (count < out.size() && hungry_.empty() && !turns_.empty()) {
    const Turn turn = take_turn();
    Input& input = inputs_[turn.index];
    if (!input.source && !open(input)) [[unlikely]]
      continue;
    const Turn next = turns_.empty() ? Turn{std::numeric_limits<std::uint64_t>::max(), inputs_.size()} : turns_.front();
    do
      out[count++] = input.frames[input.at++];
    while (count < out.size() && input.at < input.count && Turn{input.frames[input.at].time_ns, turn.index} < next);
    if (input.at == input.count) {
      hungry_.push_back(turn.index);
    } else {
      input.next_ns = input.frames[input.at].time_ns;
      add_turn(turn.index);
    }
  }
  if (count != 0)
    return {Status::frames, count};
  return failed_.empty() ? Result{Status::end, 0} : fail(failures());
}

std::uint64_t MergedSource::skipped() const noexcept {
  std::uint64_t skipped = done_skipped_;
  for (const Input& input : inputs_)
    if (input.source)
      skipped += input.source->skipped();
  return skipped;
}

std::uint64_t MergedSource::position_octets() const noexcept {
  std::uint64_t position = done_octets_;
  for (const Input& input : inputs_)
    if (input.source && input.source->size_octets() != 0)
      position += std::min(input.source->position_octets(), input.part.octets);
  return position;
}

std::string MergedSource::failures() const {
  if (failed_.empty())
    return {};
  return std::to_string(failed_.size()) + " of " + std::to_string(inputs_.size()) +
         " inputs could not be read to the end: " + listed(failed_);
}

std::vector<std::string> MergedSource::paths_to_come() const {
  std::vector<std::string> paths;
  for (const Input& input : inputs_)
    if (!input.done && !input.source)
      paths.push_back(input.part.name);
  return paths;
}

} // namespace orbweaver
