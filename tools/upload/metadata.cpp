// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/upload/metadata.hpp"

#include "common/error.hpp"
#include "common/file_text.hpp"
#include "common/json/builder.hpp"
#include "common/process/files/work_file.hpp"
#include "common/process/stage.hpp"
#include "tools/upload/bzip2_file.hpp"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <simdjson.h>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace orbweaver {

namespace {

constexpr std::string_view file_type = "pathspider-v2-ndjson-bz2"; // what the observatory's analyzers ask for

/// "2026-11-21T16:30:10Z" of a time in UTC, with or without a fraction, a T and a zone; empty for all else.
std::string whole_second(std::string_view text) {
  constexpr std::string_view shape = "0000-00-00T00:00:00";
  if (text.size() < shape.size())
    return {};
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const bool fits = shape[i] == '0'   ? std::isdigit(static_cast<unsigned char>(text[i])) != 0
                      : shape[i] == 'T' ? text[i] == 'T' || text[i] == ' '
                                        : text[i] == shape[i];
    if (!fits)
      return {};
  }
  auto zone = text.substr(shape.size());
  if (zone.starts_with('.'))
    zone.remove_prefix(std::min(zone.find_first_not_of("0123456789", 1), zone.size()));
  if (!zone.empty() && zone != "Z" && zone != "+00:00")
    return {};
  std::string second(text.substr(0, shape.size()));
  second[10] = 'T';
  return second.append("Z");
}

std::string time_of(const simdjson::dom::element& result, const char* pointer, const std::string& where) {
  std::string_view text;
  if (result.at_pointer(pointer).get_string().get(text) != simdjson::SUCCESS)
    throw Error(where + ": is no result: it has no " + std::string(pointer + 1));
  auto second = whole_second(text);
  if (second.empty())
    throw Error(where + ": '" + std::string(text.substr(0, 40)) + "' is no time in UTC");
  return second;
}

void set(Tags& tags, const std::string& tag, const std::string& value) {
  const auto found = std::find_if(tags.begin(), tags.end(), [&](const auto& member) { return member.first == tag; });
  if (found == tags.end())
    tags.emplace_back(tag, value);
  else
    found->second = value;
}

} // namespace

Tags parse_tags(const std::vector<std::string>& texts) {
  Tags tags;
  for (const auto& text : texts) {
    const auto colon = text.find(':');
    if (colon == text.npos || colon == 0)
      throw UsageError("'" + text + "' is no TAG:VALUE");
    if (!simdjson::validate_utf8(text.data(), text.size()))
      throw UsageError("TAG:VALUE number " + std::to_string(tags.size() + 1) + " is not UTF-8");
    set(tags, text.substr(0, colon), text.substr(colon + 1));
  }
  return tags;
}

Tags metadata_of(const std::string& path, const Tags& extras) {
  simdjson::dom::parser parser;
  std::string from, to;
  std::uint64_t number = 0;
  for_each_line(path, [&](std::string_view line) {
    ++number;
    if (line.find_first_not_of(" \t\r") == line.npos)
      return;
    const auto where = path + ", line " + std::to_string(number);
    simdjson::dom::element result;
    if (const auto error = parser.parse(line.data(), line.size()).get(result))
      throw Error(where + ": is no JSON: " + simdjson::error_message(error));
    const auto begin = time_of(result, "/time/from", where);
    const auto end = time_of(result, "/time/to", where);
    from = from.empty() ? begin : std::min(from, begin);
    to = std::max(to, end);
  });
  if (from.empty())
    throw Error(path + ": has no results, and so no time to tell");
  Tags metadata{{"_time_start", from}, {"_time_end", to}, {"_file_type", std::string(file_type)}};
  for (const auto& [tag, value] : extras)
    set(metadata, tag, value);
  return metadata;
}

std::string metadata_json(const Tags& metadata) {
  std::string text;
  {
    json::Object object(text, json::Layout::indented);
    for (const auto& [tag, value] : metadata)
      object.add(tag, value);
  }
  return text += '\n';
}

CommandLine& add_metadata_command(CommandLine& front, MetadataOptions& options) {
  auto& app =
      front.add_subcommand("metadata", "Write the metadata of result files, for a Path Transparency Observatory");
  app.add_option("FILE", options.files, "Results, as NDJSON or compressed with bzip2 (.bz2)")
      ->type_name("")
      ->required();
  app.add_option_function(
         "-t,--filetype", [](const std::string&) {}, "What the files are (ps-ndjson)")
      ->type_name("TYPE")
      ->one_of({"ps-ndjson"}, false);
  app.add_option("--extra", options.extras, "More metadata; may be given several times")
      ->type_name("TAG:VALUE")
      ->allow_extra_args(false);
  app.footer("Writes FILE.meta.json beside each file.\n"
             "\n"
             "Example:\n"
             "  orbweaver metadata results.ndjson --extra location:zurich");
  return app;
}

namespace {

/// A file of metadata while it is written.
struct Target {
  std::string path;
  WorkFile work;
};

/// Throws Error for what is there and is no metadata: it is somebody's.
void refuse_other_file(const std::string& path) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0)
    return;
  std::ostringstream text;
  if (S_ISREG(status.st_mode))
    text << std::ifstream(path).rdbuf();
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  if (!S_ISREG(status.st_mode) || parser.parse(text.str()).get(document) != simdjson::SUCCESS ||
      document["_file_type"].error() != simdjson::SUCCESS)
    throw Error(path + ": is there already, and is no metadata: move it away");
}

void remove_all(std::vector<Target>& targets) noexcept {
  for (const auto& target : targets)
    if (target.work.file)
      unlink(target.work.path.c_str());
}

void write_target(Target& target, const std::string& text) {
  const unsigned mode = 0666;
  target.work = make_work_file(target.path, mode);
  const bool written = target.work.file && write_all(target.work.file.get(), text);
  if (!written)
    throw Error("cannot write " + target.path + ": " + errno_text());
}

} // namespace

int write_metadata(const MetadataOptions& options) {
  const auto extras = parse_tags(options.extras);
  for (const auto& path : options.files) {
    check_readable(path, "--extra");
    refuse_other_file(path + ".meta.json");
  }
  std::vector<std::string> texts;
  for (const auto& path : options.files)
    texts.push_back(metadata_json(metadata_of(path, extras)));
  std::vector<Target> targets(options.files.size());
  try {
    for (std::size_t i = 0; i < targets.size(); ++i) {
      targets[i].path = options.files[i] + ".meta.json";
      write_target(targets[i], texts[i]);
    }
  } catch (...) {
    remove_all(targets);
    throw;
  }
  for (auto& target : targets) {
    if (rename(target.work.path.c_str(), target.path.c_str()) != 0) {
      const auto why = errno_text();
      remove_all(targets);
      throw Error("cannot write " + target.path + ": " + why);
    }
    target.work.file.reset();
  }
  return exit_done;
}

} // namespace orbweaver
