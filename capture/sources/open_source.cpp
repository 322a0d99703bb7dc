// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/open_source.hpp"

#include "capture/sources/capture_reader.hpp"
#include "capture/sources/erf_reader.hpp"
#include "capture/sources/libtrace_source.hpp"
#include "capture/sources/pipe_source.hpp"
#include "common/error.hpp"
#include "common/system/network_interface.hpp"

#include <algorithm>
#include <cctype>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace orbweaver {
namespace {

using Reader = SourceOptions::Reader;

constexpr std::string_view pcapfile = "pcapfile:", erf = "erf:", rawerf = "rawerf:";

int open_standard_input() {
  const int descriptor = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
  if (descriptor < 0)
    throw Error("standard input: cannot be read: " + errno_text());
  return descriptor;
}

int open_for_reading(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    throw Error(path + ": cannot be opened: " + errno_text());
  return descriptor;
}

std::vector<std::uint8_t> start_of_file(const std::string& path) {
  std::vector<std::uint8_t> start(file_start_octets);
  const int descriptor = open_for_reading(path);
  const ssize_t got = read(descriptor, start.data(), start.size());
  const std::string reason = errno_text();
  close(descriptor);
  if (got < 0)
    throw Error(path + ": cannot be read: " + reason);
  start.resize(static_cast<std::size_t>(got));
  return start;
}

std::unique_ptr<Input> open_file_input(const std::string& path, std::optional<Compression> compression) {
  if (!compression)
    return open_mapped_input(path);
  return open_compressed_input(open_pipe_input(open_for_reading(path), path), *compression);
}

LibtraceOptions libtrace_options(const SourceOptions& options, std::string uri) {
  return {std::move(uri), options.snap_length,       options.promiscuous,
          options.name,   options.kernel_buffer_mib, options.link};
}

std::unique_ptr<Source> open_pcap_by_libtrace(const SourceOptions& options, const std::string& path) {
  const std::vector<std::uint8_t> start = start_of_file(path);
  if (file_kind(start) == FileKind::pcapng)
    throw Error(path + ": is pcapng, which libtrace does not read: give it without \"--reader libtrace\"");
  const auto compression = compression_of(start);
  if (compression && *compression >= Compression::zstd)
    throw Error(path + ": is compressed by " + std::string(format_of(*compression).name) +
                ", which libtrace does not read here: give it without \"--reader libtrace\"");
  constexpr bool plain = true; // what libtrace would read otherwise, it must not be given
  auto guard = make_capture_reader(open_file_input(path, compression), 0, plain);
  return open_libtrace_pcap(libtrace_options(options, std::string(pcapfile) + path), std::move(guard),
                            compression.has_value());
}

std::unique_ptr<Source> open_pipe(const SourceOptions& options, int descriptor, std::string name) {
  if (options.reader == Reader::libtrace) {
    close(descriptor);
    throw Error(name + ": libtrace reads no pipes here: give it without \"--reader libtrace\"");
  }
  return std::make_unique<PipeSource>(open_pipe_input(descriptor, std::move(name)), options.snap_length);
}

std::unique_ptr<Source> open_path(const SourceOptions& options, const struct stat& status) {
  const std::string& path = options.name;
  if (S_ISDIR(status.st_mode))
    throw Error(path + ": is a directory: name a capture file in it");
  if (!S_ISREG(status.st_mode))
    return open_pipe(options, open_for_reading(path), path);
  if (options.reader == Reader::libtrace)
    return open_pcap_by_libtrace(options, path);
  return make_capture_reader(open_file_input(path, compression_of(start_of_file(path))), options.snap_length);
}

/// `compressed`: it may be; "rawerf:" says that it is not.
std::unique_ptr<Source> open_erf(const SourceOptions& options, const std::string& path, bool compressed) {
  struct stat status {};
  std::unique_ptr<Input> input;
  if (path == "-")
    input = open_pipe_input(open_standard_input(), "standard input");
  else if (stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
    input = open_pipe_input(open_for_reading(path), path);
  else
    input = open_file_input(path, compressed ? compression_of(start_of_file(path)) : std::nullopt);
  return std::make_unique<ErfReader>(std::move(input), options.snap_length);
}

/// "word:rest", as libtrace's URIs are (one word is "fr+").
bool is_uri(const std::string& name) {
  const std::size_t colon = name.find(':');
  return colon != std::string::npos && colon != 0 &&
         std::all_of(name.begin(), name.begin() + static_cast<std::ptrdiff_t>(colon),
                     [](unsigned char c) { return std::isalnum(c) != 0 || c == '+'; });
}

void refuse_mapped(const SourceOptions& options, const char* what) {
  if (options.reader == Reader::mapped)
    throw UsageError(options.name + ": is " + what + ", and \"--reader mapped\" reads pcap and pcapng files only");
}

} // namespace

std::unique_ptr<Source> open_source(const SourceOptions& options) {
  const std::string& name = options.name;
  if (name.empty())
    throw UsageError("a source has no name: give an interface, a capture file, or a libtrace URI");
  if (name == "-")
    return open_pipe(options, open_standard_input(), "standard input");
  if (interface_exists(name)) {
    refuse_mapped(options, "an interface");
    // libpcap's buffer of 2 MiB lost none of 86,000 packets at 200 kpkt/s on two busy cores; the 512 slots of "ring:"
    // and the socket buffer of "int:" lost more than half.
    return open_libtrace(libtrace_options(options, "pcapint:" + name));
  }
  if (options.kernel_buffer_mib != 0 && !(is_uri(name) && interface_exists(name.substr(name.find(':') + 1))))
    throw UsageError("--kernel-buffer-mib is for interfaces, and " + name + " is none");
  struct stat status {};
  if (stat(name.c_str(), &status) == 0)
    return open_path(options, status);
  if (const int reason = errno; !is_uri(name)) {
    if (reason == ENOENT && name.find('/') == std::string::npos)
      throw Error(name + ": there is no such file, and no such interface; there are: " + interface_names());
    throw Error(name + ": cannot be opened: " + errno_text(reason));
  }
  refuse_mapped(options, "a libtrace URI");
  if (name.starts_with(pcapfile))
    return open_pcap_by_libtrace(options, name.substr(pcapfile.size()));
  if (name.starts_with(erf))
    return open_erf(options, name.substr(erf.size()), true);
  if (name.starts_with(rawerf))
    return open_erf(options, name.substr(rawerf.size()), false);
  return open_libtrace(libtrace_options(options, name));
}

} // namespace orbweaver
