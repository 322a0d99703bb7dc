// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/followed_series.hpp"

#include "capture/sources/open_source.hpp"
#include "common/error.hpp"
#include "common/input_list.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <fnmatch.h>
#include <string_view>
#include <sys/stat.h>
#include <system_error>

namespace orbweaver {
namespace {

namespace fs = std::filesystem;

bool all_digits(std::string_view text) {
  return std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c) != 0; });
}

/// "cap.pcap07": "cap.pcap"; a name that is a number but for its suffix ("20240131.pcap") stays.
std::string without_number(const std::string& name) {
  const auto end = name.find_last_not_of("0123456789");
  return end == std::string::npos ? name : name.substr(0, end + 1);
}

/// "_00001_20240131120000", or the other way round.
bool is_number_and_date(std::string_view text) {
  constexpr std::size_t date_digits = 14;
  const auto second = text.rfind('_');
  if (!text.starts_with('_') || second == 0)
    return false;
  const auto one = text.substr(1, second - 1), other = text.substr(second + 1);
  return !one.empty() && !other.empty() && all_digits(one) && all_digits(other) &&
         (one.size() == date_digits || other.size() == date_digits);
}

/// Whether `name` is what dumpcap -b makes of `stem`: cap_00001_20240131120000.pcap of cap.pcap.
bool is_of_dumpcap(std::string_view name, std::string_view stem) {
  const auto dot = stem.rfind('.');
  const auto base = stem.substr(0, dot), suffix = dot == std::string_view::npos ? std::string_view() : stem.substr(dot);
  return name.size() > base.size() + suffix.size() && name.starts_with(base) && name.ends_with(suffix) &&
         is_number_and_date(name.substr(base.size(), name.size() - base.size() - suffix.size()));
}

/// What dumpcap -b was told, of a name that it made: cap.pcap of cap_00001_20240131120000.pcap.
std::string stem_of(const std::string& name) {
  const auto dot = name.rfind('.');
  const auto base = name.substr(0, dot), suffix = dot == std::string::npos ? std::string() : name.substr(dot);
  const auto date = base.rfind('_');
  if (date != std::string::npos && date > 0)
    if (const auto number = base.rfind('_', date - 1); number != std::string::npos)
      if (auto stem = base.substr(0, number) + suffix; is_of_dumpcap(name, stem))
        return stem;
  return without_number(name);
}

} // namespace

FollowedSeries::FollowedSeries(std::string given) : given_(std::move(given)) {
  std::error_code none;
  if (fs::is_directory(given_, none)) {
    folder_ = given_;
    pattern_.assign(1, '*');
    return;
  }
  const fs::path path(given_);
  folder_ = path.has_parent_path() ? path.parent_path().string() : std::string(1, '.');
  if (!fs::is_directory(folder_, none))
    throw Error(given_ + ": cannot be followed: there is no folder " + folder_);
  if (is_pattern(given_))
    pattern_ = path.filename();
  else
    stem_ = stem_of(path.filename());
}

bool FollowedSeries::has(const std::string& file_name) const {
  if (file_name.starts_with('.'))
    return false;
  if (!pattern_.empty())
    return fnmatch(pattern_.c_str(), file_name.c_str(), FNM_PERIOD) == 0;
  return (file_name.starts_with(stem_) && all_digits(std::string_view(file_name).substr(stem_.size()))) ||
         is_of_dumpcap(file_name, stem_);
}

std::optional<std::uint64_t> FollowedSeries::first_time(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0)
    return {};
  const auto changed_ns = std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
  Looked& looked = looked_[path];
  if (looked.inode == status.st_ino && looked.octets == status.st_size && looked.changed_ns == changed_ns)
    return looked.first_ns;
  looked = {status.st_ino, status.st_size, changed_ns, {}};
  try {
    const auto source = open_source({.name = path});
    std::array<Frame, 1> frame{};
    const auto read = source->read(frame);
    if (read.status == Source::Status::frames && !source->lost())
      looked.first_ns = frame.front().time_ns;
  } catch (const Error&) {
    // No capture yet, or none at all.
  }
  return looked.first_ns;
}

std::optional<SeriesFile> FollowedSeries::next() {
  std::optional<SeriesFile> found;
  std::error_code error;
  for (auto entry = fs::directory_iterator(folder_, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    if (!has(entry->path().filename()))
      continue;
    const std::string path = entry->path();
    const auto first_ns = first_time(path);
    if (first_ns && !taken_.contains(*first_ns) && (!found || *first_ns < found->first_ns))
      found = {path, *first_ns};
  }
  return found;
}

} // namespace orbweaver
