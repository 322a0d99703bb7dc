// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/files/work_file.hpp"

#include "common/printable.hpp"
#include "common/process/files/zst_frames.hpp"
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
/// Results may be for all to read; that they were written by somebody else is what matters.
constexpr FileTrust own_results{S_IFREG, 0022, false};

/// Somebody who looks for what killed runs left may have it for a moment: waited for, else it would be theirs to cut.
void lock(const FileDescriptor& file) noexcept {
  while (file && flock(file.get(), LOCK_EX) != 0 && errno == EINTR) {
  }
}

/// The name of the output that a work file is of, or empty where the name is no work file's.
std::string output_of(const std::string& name) {
  constexpr auto added = suffix.size() + std::tuple_size_v<decltype(WorkTag::letters)> + 1;
  return name.ends_with(suffix) && name.size() > added ? name.substr(0, name.size() - added) : std::string();
}

/// Whether `output` is `stem` + `extension`, or with a table's name between them.
bool is_of(const std::string& output, const std::string& stem, const std::string& extension) {
  if (!output.starts_with(stem))
    return false;
  const auto middle = output.size() >= stem.size() + extension.size() && output.ends_with(extension)
                          ? output.substr(stem.size(), output.size() - stem.size() - extension.size())
                          : "-";
  return middle.empty() || (middle.starts_with('.') && !extension.empty());
}

/// The work files in a folder, of outputs whose names `is_ours` takes, that nobody writes.
template <typename IsOurs>
std::vector<LeftFile> left_in(const std::filesystem::path& folder, IsOurs&& is_ours) {
  std::vector<LeftFile> left;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
    const auto output = output_of(entry.path().filename().string());
    std::string why;
    if (output.empty() || !is_ours(output))
      continue;
    const auto file = open_trusted(AT_FDCWD, entry.path().string(), O_RDWR, own_results, why);
    if (!file || flock(file.get(), LOCK_EX | LOCK_NB) != 0)
      continue;
    cut_to_whole(file.get(), output);
    struct stat status {};
    if (fstat(file.get(), &status) == 0)
      left.push_back({entry.path().string(), static_cast<std::uint64_t>(status.st_size)});
  }
  std::ranges::sort(left, {}, &LeftFile::path);
  return left;
}

} // namespace

WorkTag random_tag() noexcept {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz012345";
  WorkTag tag{};
  static_cast<void>(!getrandom(tag.letters.data(), tag.letters.size(), 0));
  for (auto& letter : tag.letters)
    letter = letters[static_cast<unsigned char>(letter) % letters.size()];
  return tag;
}

WorkFile make_work_file(const std::string& path, unsigned mode, WorkTag& tag) {
  for (;; tag = random_tag()) {
    auto name = path + "." + std::string(tag.text()) + std::string(suffix);
    FileDescriptor file(open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
    if (!file && errno == EEXIST)
      continue;
    lock(file);
    return {std::move(file), std::move(name)};
  }
}

WorkFile find_work_file(const NamePattern& names, const WorkTag& tag) {
  const auto ending = "." + std::string(tag.text()) + std::string(suffix);
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(names.folder(), error)) {
    const auto name = entry.path().filename().string();
    if (!name.ends_with(ending) || !names.matches(output_of(name)))
      continue;
    auto path = names.path_of(name);
    FileDescriptor file(open(path.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
    struct stat status {};
    if (file && fstat(file.get(), &status) == 0 && !is_trusted(status, {S_IFREG, 0, false})) {
      file.reset();
      errno = EPERM;
    }
    lock(file);
    return {std::move(file), std::move(path)};
  }
  errno = error ? error.value() : ENOENT;
  return {FileDescriptor(), {}};
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

std::uint64_t cut_to_whole(int fd, std::string_view name) noexcept {
  return is_compressed_name(name) ? cut_to_frame(fd) : cut_to_line(fd);
}

void cut_own_file(const std::string& path) noexcept {
  std::string why;
  const auto file = open_trusted(AT_FDCWD, path, O_RDWR, own_results, why);
  if (file && flock(file.get(), LOCK_EX | LOCK_NB) == 0)
    cut_to_whole(file.get(), path);
}

std::vector<LeftFile> left_files(const std::string& path) {
  const std::filesystem::path output(path);
  const auto extension = path.substr(suffix_at(path));
  const auto name = output.filename().string(), stem = name.substr(0, name.size() - extension.size());
  return left_in(output.has_parent_path() ? output.parent_path() : std::filesystem::path("."),
                 [&](const std::string& other) { return is_of(other, stem, extension); });
}

std::vector<LeftFile> left_files(const NamePattern& pattern) {
  return left_in(pattern.folder(), [&](const std::string& output) { return is_of_series(pattern, output); });
}

std::string to_string(const LeftFile& left) {
  return printable(left.path) + ": " + std::to_string(left.octets) +
         " octets of whole lines that a run which was killed left: rename it to keep them, or remove it";
}

} // namespace orbweaver
