// SPDX-License-Identifier: GPL-3.0-or-later
// A campaign at a Path Transparency Observatory, spoken to over HTTP: a file is first announced with its metadata,
// which answers with the place for its data, and then sent there.
#pragma once

#include "common/error.hpp"

#include <cstdio>
#include <functional>
#include <memory>
#include <string>

namespace orbweaver {

/// A failure that may pass: no connection, or an answer of 429, or of 500 and above.
class PassingError : public Error {
public:
  using Error::Error;
};

class Observatory {
public:
  enum class Upload { sent, was_there };

  /// `url` is http or https, with or without a slash at its end. Throws UsageError for one that is neither, and for a
  /// token that no header can carry.
  Observatory(const std::string& url, const std::string& campaign, const std::string& token);
  Observatory(const Observatory&) = delete;
  Observatory& operator=(const Observatory&) = delete;
  ~Observatory();

  /// Sends a file under that name, as far as the server does not have it: its metadata and then its data, which `data`
  /// opens when they are needed. Throws PassingError for what may be tried again, and Error for what may not.
  Upload upload(const std::string& name, const std::string& metadata, const std::function<std::FILE*()>& data);

private:
  struct Answer {
    long status = 0;
    std::string body;
  };
  enum class Method { get, head, put_text, put_file };

  Answer request(Method method, const std::string& url, const std::string& text, std::FILE* file);
  /// Where the data belong, as the metadata that a server answers with say.
  [[nodiscard]] std::string data_url(const Answer& answer, const std::string& url) const;

  struct Handle;
  std::unique_ptr<Handle> handle_;
  std::string origin_; ///< "https://host:port": the token goes nowhere else
  std::string base_;   ///< of the campaign, with a slash at its end
  std::string token_;
};

} // namespace orbweaver
