// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/upload/upload_command.hpp"

#include "common/error.hpp"
#include "common/process/options/whole_number.hpp"
#include "common/process/stage.hpp"
#include "tools/run/options/option_groups.hpp"
#include "tools/upload/bzip2_file.hpp"
#include "tools/upload/metadata.hpp"
#include "tools/upload/observatory.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <simdjson.h>
#include <spdlog/spdlog.h>
#include <sstream>
#include <thread>

namespace orbweaver {

namespace {

constexpr unsigned max_retries = 20;
constexpr std::chrono::seconds longest_pause{60};

/// The name under which the server has a file.
std::string name_at_server(const std::string& path) {
  const auto name = std::filesystem::path(path).filename().string();
  return is_bzip2_name(name) ? name : name + ".bz2";
}

/// A user's own metadata, which must be a JSON object.
std::string read_metadata(const std::string& path) {
  std::ostringstream text;
  std::ifstream in(path);
  text << in.rdbuf();
  simdjson::dom::parser parser;
  if (!in)
    throw Error(path + ": cannot be read: " + errno_text());
  if (!parser.parse(text.str()).is_object())
    throw Error(path + ": is no JSON object");
  return text.str();
}

/// The server knows a file by its name alone: of two with one name it would take the second for the first.
void refuse_equal_names(const std::vector<std::string>& files) {
  std::map<std::string, std::string> path_by_name;
  for (const auto& path : files) {
    const auto [known, is_new] = path_by_name.emplace(name_at_server(path), path);
    if (!is_new)
      throw UsageError(known->second + " and " + path + " have one name on the server, " + known->first +
                       ": rename one of them");
  }
}

void check(const UploadOptions& options) {
  if (options.campaign.empty())
    throw UsageError("say to which campaign the results belong: --campaign NAME");
  if (options.token.empty())
    throw UsageError("give the observatory's token: --token TOKEN, or ORBWEAVER_TOKEN in the environment");
  if (options.token.find_first_not_of(" \t") == options.token.npos)
    throw UsageError("the token is blank: give the observatory's own, by --token TOKEN or ORBWEAVER_TOKEN");
  if (!options.metadata.empty() && options.files.size() > 1)
    throw UsageError("--metadata is of one file, and there are " + std::to_string(options.files.size()));
  refuse_equal_names(options.files);
}

Observatory::Upload upload_file(Observatory& observatory, const std::string& path, const std::string& metadata,
                                unsigned retries) {
  FilePointer packed(nullptr, &std::fclose);
  const auto data = [&] {
    if (!packed)
      packed = compressed(path);
    return packed.get();
  };
  std::chrono::seconds pause{1};
  for (unsigned tries_left = retries;; --tries_left) {
    try {
      // Asks first what the server has: what came through before a failure is not sent again.
      return observatory.upload(name_at_server(path), metadata, data);
    } catch (const PassingError& error) {
      if (tries_left == 0)
        throw;
      spdlog::warn("{}; trying again in {} s", error.what(), pause.count());
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, longest_pause);
  }
}

} // namespace

CommandLine& add_upload_command(CommandLine& front, UploadOptions& options) {
  auto& app = front.add_subcommand("upload", "Send result files to a Path Transparency Observatory");
  app.add_option("FILE", options.files, "Results, as NDJSON or compressed with bzip2 (.bz2)")
      ->type_name("")
      ->required();
  app.add_option("--url", options.url, "Where the observatory takes raw data")->type_name("URL")->capture_default_str();
  app.add_option("--campaign", options.campaign, "The campaign that the results belong to")->type_name("NAME");
  app.add_option("--token", options.token, "What the observatory knows you by (ORBWEAVER_TOKEN)")
      ->type_name("TOKEN")
      ->envname("ORBWEAVER_TOKEN");
  auto* metadata = app.add_option("--metadata", options.metadata, "Metadata of your own, instead of those made");
  metadata->type_name("FILE");
  app.add_option("--add", options.extras, "More metadata; may be given several times")
      ->type_name("TAG:VALUE")
      ->allow_extra_args(false)
      ->excludes(metadata);
  app.add_option("--retries", options.retries, "Tries after one that failed for a reason that may pass")
      ->type_name("N")
      ->transform(whole_number(0, max_retries))
      ->capture_default_str();
  app.footer("Files are compressed on their way and stay as they are. What the server has already is not sent again.\n"
             "\n"
             "Example:\n"
             "  orbweaver upload --campaign ecn-2026 --add location:zurich results.ndjson");
  return app;
}

int upload(const UploadOptions& options) {
  check(options);
  const auto extras = parse_tags(options.extras);
  Observatory observatory(options.url, options.campaign, options.token);
  for (const auto& path : options.files)
    check_readable(path, "--add");
  // All is read before anything is sent: what is wrong with the last file is wrong with the upload.
  std::vector<std::string> metadata;
  for (const auto& path : options.files) {
    if (options.metadata.empty()) {
      metadata.push_back(metadata_json(metadata_of(path, extras)));
    } else {
      metadata.push_back(read_metadata(options.metadata));
      for_each_line(path, [](std::string_view) {});
    }
  }
  for (std::size_t i = 0; i < options.files.size(); ++i) {
    const auto& path = options.files[i];
    const auto done = upload_file(observatory, path, metadata[i], options.retries);
    spdlog::info("{} {}", path, done == Observatory::Upload::sent ? "is uploaded" : "was there already; nothing sent");
  }
  return exit_done;
}

} // namespace orbweaver
