// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/files/rotation.hpp"

#include "common/error.hpp"
#include "common/printable.hpp"
#include "common/stream/description.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <sys/stat.h>

namespace orbweaver {

namespace {

struct Unit {
  std::string_view name;
  std::uint64_t size;
  bool is_time;
};
constexpr std::array units{Unit{"s", 1, true},
                           Unit{"m", 60, true},
                           Unit{"h", 3600, true},
                           Unit{"d", 86'400, true},
                           Unit{"KiB", std::uint64_t{1} << 10, false},
                           Unit{"MiB", std::uint64_t{1} << 20, false},
                           Unit{"GiB", std::uint64_t{1} << 30, false},
                           Unit{"TiB", std::uint64_t{1} << 40, false}};

/// The bound, or why it is none.
std::string read_bound(const std::string& text, FileBound& bound) {
  std::uint64_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view name(stop, text.data() + text.size());
  const auto* const unit = std::ranges::find(units, name, &Unit::name);
  constexpr std::uint64_t most = std::uint64_t{1} << 60;
  if (error != std::errc() || unit == units.end() || number == 0 || number > most / unit->size)
    return "'" + text + "' is neither a time (30s, 5m, 1h, 7d) nor a size (64KiB, 500MiB, 1GiB, 2TiB)";
  (unit->is_time ? bound.seconds : bound.octets) = number * unit->size;
  return {};
}

/// How many digits a conversion gives; 0: as many as it takes.
constexpr std::size_t digits_of(char conversion) noexcept {
  return conversion == 'Y' ? 4 : conversion == 'j' ? 3 : conversion == 's' ? 0 : 2;
}

/// gmtime() fails for years that no packet has.
constexpr std::uint64_t last_second = std::uint64_t{1} << 36;

constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

} // namespace

FileBound parse_file_bound(const std::string& option, const std::string& text) {
  FileBound bound;
  if (const auto why = read_bound(text, bound); !why.empty())
    throw UsageError(option + ": " + why);
  return bound;
}

ValueCheck file_bound() {
  return [](const std::string& text) {
    FileBound bound;
    return read_bound(text, bound);
  };
}

std::size_t suffix_at(std::string_view path) noexcept {
  const auto name_at = path.rfind('/') + 1; // npos + 1 is 0
  const auto name = path.substr(name_at);
  for (const std::string_view known : {".ndjson.zst", ".csv.zst"})
    if (name.ends_with(known) && name.size() > known.size())
      return path.size() - known.size();
  const auto point = name.rfind('.');
  return point == std::string_view::npos || point == 0 ? path.size() : name_at + point;
}

bool is_compressed_name(std::string_view path) noexcept {
  return path.ends_with(".zst");
}

bool is_of_series(const NamePattern& names, const std::string& name) {
  if (names.matches(name))
    return true;
  const auto suffix = suffix_at(name);
  const auto table = suffix == 0 ? std::string::npos : name.rfind('.', suffix - 1);
  return table != std::string::npos && is_name(std::string_view(name).substr(table + 1, suffix - table - 1)) &&
         names.matches(name.substr(0, table) + name.substr(suffix));
}

NamePattern rotated_names(const std::string& path) {
  if (path.empty() || path == "-")
    throw UsageError("--rotate writes one file after another, and standard output is none: give -o FILE, as in "
                     "-o flows-%Y%m%dT%H%M%SZ.ndjson");
  struct stat status {};
  if (stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
    throw UsageError("--rotate writes one file after another, and " + printable(path) + " is " +
                     (S_ISFIFO(status.st_mode)  ? "a FIFO"
                      : S_ISDIR(status.st_mode) ? "a folder"
                                                : "no regular file") +
                     ": give -o a file's name, as in flows-%Y%m%dT%H%M%SZ.ndjson");
  return NamePattern(path);
}

void check_rotation(bool rotates, bool keeps, const std::string& path) {
  if (rotates)
    static_cast<void>(rotated_names(path));
  else if (keeps)
    throw UsageError("--keep removes files that --rotate made: give --rotate too");
}

std::string utc_text(std::uint64_t second, const char* format) {
  const auto time = static_cast<std::time_t>(std::min(second, last_second));
  std::tm parts{};
  gmtime_r(&time, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), format, &parts)};
}

NamePattern::NamePattern(const std::string& path) {
  const auto refuse = [&path](const std::string& why) { throw UsageError("--output " + printable(path) + ": " + why); };
  const auto name_at = path.rfind('/') + 1;
  prefix_ = path.substr(0, name_at);
  folder_ = prefix_.empty() ? "." : prefix_;
  if (prefix_.find('%') != std::string::npos)
    refuse("--rotate puts all files into one folder: give the time in the file's name alone");
  auto suffix = suffix_at(path);
  if (path.find('%', suffix) != std::string::npos)
    suffix = path.size();
  suffix_ = path.substr(suffix);
  for (std::size_t at = name_at; at < suffix; ++at) {
    if (path[at] != '%')
      add_text({&path[at], 1});
    else if (++at == suffix)
      refuse("a % stands at its end: %% is the sign itself");
    else
      add(path, path[at]);
  }
  if (std::ranges::all_of(pieces_, [](const Piece& piece) { return piece.conversion == 0; }))
    refuse("--rotate writes many files: give each its time, as in flows-%Y%m%dT%H%M%SZ.ndjson");
}

void NamePattern::add(const std::string& path, char conversion) {
  constexpr std::string_view plain = "YmdHMSyjs";
  if (conversion == '%') {
    add_text("%");
  } else if (conversion == 'F' || conversion == 'T') {
    const std::string_view parts = conversion == 'F' ? "Ymd" : "HMS";
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (i > 0)
        add_text(conversion == 'F' ? "-" : ":");
      pieces_.push_back({parts[i], {}});
    }
  } else if (plain.find(conversion) != std::string_view::npos) {
    pieces_.push_back({conversion, {}});
  } else {
    throw UsageError("--output " + printable(path) + ": %" + printable(std::string(1, conversion)) +
                     " is none of the times that a file's name takes: %Y %m %d %H %M %S %y %j %s %F %T, and %%");
  }
}

void NamePattern::add_text(std::string_view text) {
  if (pieces_.empty() || pieces_.back().conversion != 0)
    pieces_.push_back({0, {}});
  pieces_.back().text += text;
}

std::string NamePattern::name(std::uint64_t second, unsigned number) const {
  std::string text;
  for (const auto& piece : pieces_) {
    if (piece.conversion == 0) {
      text += piece.text;
    } else if (piece.conversion == 's') {
      text += std::to_string(std::min(second, last_second));
    } else {
      const std::array<char, 3> format{'%', piece.conversion, 0};
      text += utc_text(second, format.data());
    }
  }
  if (number > 0)
    text += "." + std::to_string(number);
  return text + suffix_;
}

bool NamePattern::matches(std::string_view name) const noexcept {
  const auto skip_digits = [&name](std::size_t most) {
    std::size_t count = 0;
    while (count < std::min(most, name.size()) && is_digit(name[count]))
      ++count;
    name.remove_prefix(count);
    return count;
  };
  constexpr std::size_t longest_number = 20;
  if (!name.ends_with(suffix_))
    return false;
  name.remove_suffix(suffix_.size());
  for (const auto& piece : pieces_) {
    if (piece.conversion == 0) {
      if (!name.starts_with(piece.text))
        return false;
      name.remove_prefix(piece.text.size());
    } else {
      const auto digits = digits_of(piece.conversion);
      const auto count = skip_digits(digits == 0 ? longest_number : digits);
      if (count == 0 || (digits != 0 && count != digits))
        return false;
    }
  }
  if (name.empty())
    return true;
  if (name.front() != '.')
    return false;
  name.remove_prefix(1);
  return skip_digits(longest_number) > 0 && name.empty();
}

std::string NamePattern::manifest() const {
  auto stem = pieces_.front().conversion == 0 ? pieces_.front().text : std::string();
  stem.erase(stem.find_last_not_of("-_.") + 1);
  return path_of((stem.empty() ? "rotated" : stem) + ".manifest");
}

} // namespace orbweaver
