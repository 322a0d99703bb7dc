// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/work_file.hpp"

#include "common/printable.hpp"
#include "common/trusted_file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

namespace orbweaver {

namespace {

constexpr std::string_view suffix = ".part";
constexpr std::size_t random_letters = 6;

std::string random_text() {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz012345";
  std::array<unsigned char, random_letters> octets{};
  static_cast<void>(!getrandom(octets.data(), octets.size(), 0));
  std::string text;
  for (const auto octet : octets)
    text += letters[octet % letters.size()];
  return text;
}

/// Results may be for all to read; that they were written by somebody else is what matters.
constexpr FileTrust own_results{S_IFREG, 0022, false};

/// Whether a file of that name is a work file of an output `stem` + anything + `extension`.
bool is_of(const std::string& name, const std::string& stem, const std::string& extension) {
  if (!name.starts_with(stem) || !name.ends_with(suffix) ||
      name.size() < stem.size() + suffix.size() + random_letters + 1)
    return false;
  const auto output = name.substr(0, name.size() - suffix.size() - random_letters - 1);
  const auto middle = output.size() >= stem.size() + extension.size() && output.ends_with(extension)
                          ? output.substr(stem.size(), output.size() - stem.size() - extension.size())
                          : "-";
  return middle.empty() || (middle.starts_with('.') && !extension.empty());
}

} // namespace

WorkFile make_work_file(const std::string& path, unsigned mode) {
  for (;;) {
    auto name = path + "." + random_text() + std::string(suffix);
    FileDescriptor file(open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
    if (!file && errno == EEXIST)
      continue;
    // Somebody who looks for what killed runs left may have it for a moment: waited for, else it would be theirs to
    // cut.
    while (file && flock(file.get(), LOCK_EX) != 0 && errno == EINTR) {
    }
    return {std::move(file), std::move(name)};
  }
}

std::uint64_t cut_to_line(int fd) noexcept {
  struct stat status {};
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
    return 0;
  const auto size = static_cast<std::uint64_t>(status.st_size);
  std::array<char, 1 << 16> piece{};
  for (std::uint64_t end = size; end > 0;) {
    const std::uint64_t start = end > piece.size() ? end - piece.size() : 0;
    const auto got = pread(fd, piece.data(), end - start, static_cast<off_t>(start));
    if (got <= 0)
      return 0;
    if (const void* const found = memrchr(piece.data(), '\n', static_cast<std::size_t>(got))) {
      const auto whole = start + static_cast<std::uint64_t>(static_cast<const char*>(found) - piece.data()) + 1;
      return whole < size && ftruncate(fd, static_cast<off_t>(whole)) == 0 ? size - whole : 0;
    }
    end = start;
  }
  return size > 0 && ftruncate(fd, 0) == 0 ? size : 0;
}

void cut_own_file(const std::string& path) noexcept {
  std::string why;
  const auto file = open_trusted(AT_FDCWD, path, O_RDWR, own_results, why);
  if (file && flock(file.get(), LOCK_EX | LOCK_NB) == 0)
    cut_to_line(file.get());
}

std::vector<LeftFile> left_files(const std::string& path) {
  namespace fs = std::filesystem;
  const fs::path output(path);
  const auto folder = output.has_parent_path() ? output.parent_path() : fs::path(".");
  const auto extension = output.extension().string(), stem = output.stem().string();
  std::vector<LeftFile> left;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    const auto name = entry.path().filename().string();
    std::string why;
    if (!is_of(name, stem, extension))
      continue;
    const auto file = open_trusted(AT_FDCWD, entry.path().string(), O_RDWR, own_results, why);
    if (!file || flock(file.get(), LOCK_EX | LOCK_NB) != 0)
      continue;
    cut_to_line(file.get());
    struct stat status {};
    if (fstat(file.get(), &status) == 0)
      left.push_back({entry.path().string(), static_cast<std::uint64_t>(status.st_size)});
  }
  std::ranges::sort(left, {}, &LeftFile::path);
  return left;
}

std::string to_string(const LeftFile& left) {
  return printable(left.path) + ": " + std::to_string(left.octets) +
         " octets of whole lines that a run which was killed left: rename it to keep them, or remove it";
}

} // namespace orbweaver
