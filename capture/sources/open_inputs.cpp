// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/open_inputs.hpp"

#include "capture/sources/follow_source.hpp"
#include "capture/sources/libtrace_source.hpp"
#include "common/error.hpp"
#include "common/input_list.hpp"
#include "common/system/network_interface.hpp"

#include <algorithm>
#include <set>
#include <sys/resource.h>
#include <sys/stat.h>
#include <utility>

namespace orbweaver {
namespace {

/// Mapped files that stay open before their turn; more would be opened twice, which costs little.
constexpr std::size_t most_open_beforehand = 256;

/// Takes as many descriptors as this process may have, and leaves most of them to inputs whose turn has come.
std::size_t open_beforehand() noexcept {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return most_open_beforehand;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return std::min<std::size_t>(limit.rlim_cur / 4, most_open_beforehand);
}

void refuse_live(const std::vector<ListedInput>& inputs) {
  for (const auto& input : inputs)
    if (interface_exists(input.name) || is_live_uri(input.name))
      throw UsageError(input.name + ": is read live, and other inputs cannot be read beside it: give it alone, or run "
                                    "another \"orbweaver observe\" for it");
}

/// Files by device and inode, and standard input, that were seen before.
class Seen {
public:
  /// True: it was.
  bool add(const std::string& name, const struct stat& status) {
    return name == "-" ? std::exchange(stdin_, true) : !files_.insert({status.st_dev, status.st_ino}).second;
  }

private:
  bool stdin_ = false;
  std::set<std::pair<dev_t, ino_t>> files_;
};

MergedSource::Part part_of(const SourceOptions& options, const ListedInput& input, const struct stat* status) {
  SourceOptions own = options;
  own.name = input.name;
  MergedSource::Part part{input.name, [own = std::move(own)] { return open_source(own); }};
  part.of_folder = input.of_folder;
  if (status != nullptr && S_ISREG(status->st_mode))
    part.octets = static_cast<std::uint64_t>(status->st_size);
  else // a pipe or a URI, or there is nothing
    part.is_file = status == nullptr && input.name != "-" && input.name.find(':') == std::string::npos;
  return part;
}

/// What cannot even be looked for: it fails when it is opened, as a file does that is not there.
MergedSource::Part missing_part(MissingInput missing) {
  return {std::move(missing.name), [why = std::move(missing.why)]() -> std::unique_ptr<Source> { throw Error(why); }};
}

std::unique_ptr<Source> open_followed(const SourceOptions& options, const std::vector<std::string>& given,
                                      const MergedSource::Voices& voices) {
  if (given.size() != 1)
    throw UsageError("--follow follows one file or one series: give a pattern or a folder for several files of it");
  const auto& name = given.front();
  if (options.reader == SourceOptions::Reader::libtrace)
    throw UsageError("--follow is not for \"--reader libtrace\"");
  struct stat status {};
  const bool there = stat(name.c_str(), &status) == 0;
  const bool other_kind = there && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
  if (name == "-" || interface_exists(name) || other_kind || (!there && name.find(':') != std::string::npos))
    throw UsageError(name + ": is no file: it is read as packets come, without --follow");
  return std::make_unique<FollowSource>(name, options.snap_length, voices, FollowSource::Waits());
}

} // namespace

std::unique_ptr<Source> open_inputs(const SourceOptions& options, const std::vector<std::string>& given,
                                    const MergedSource::Voices& voices) {
  if (options.follow)
    return open_followed(options, given, voices);
  auto list = list_inputs(given);
  const bool by_itself = given.size() == 1 && list.inputs.size() == 1;
  if (by_itself && !list.inputs.front().of_folder) {
    SourceOptions one = options;
    one.name = list.inputs.front().name;
    return open_source(one);
  }
  if (given.size() == 1 && list.inputs.empty() && !list.missing.empty())
    throw Error(list.missing.front().why);
  refuse_live(list.inputs);
  if (options.kernel_buffer_mib != 0)
    throw UsageError("--kernel-buffer-mib is for interfaces, and these are files");
  for (const auto& folder : list.folders)
    voices.warn(folder + ": a folder within what was named: it is not looked into; name it too, or a pattern (" +
                folder + "/*)");
  std::vector<MergedSource::Part> parts;
  Seen seen;
  for (const auto& input : list.inputs) {
    struct stat status {};
    const bool there = input.name != "-" && stat(input.name.c_str(), &status) == 0;
    if ((there || input.name == "-") && seen.add(input.name, status))
      voices.warn(input.name + ": was named twice, and is read once");
    else
      parts.push_back(part_of(options, input, there ? &status : nullptr));
  }
  for (auto& missing : list.missing)
    parts.push_back(missing_part(std::move(missing)));
  return std::make_unique<MergedSource>(std::move(parts), voices, open_beforehand());
}

} // namespace orbweaver
