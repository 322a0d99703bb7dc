// SPDX-License-Identifier: GPL-3.0-or-later
// HTTP requests by libcurl's multi interface: connect kinds `http` and `https`. One thread, under the event loop.
#pragma once

#include "spider/connect/connector.hpp"
#include "spider/connect/http_transfer.hpp"
#include "spider/engine/event_loop.hpp"

#include <memory>

namespace orbweaver {

/// One GET / on one connection: no redirects, no proxy, no look-up, no second try. HTTP/1.1 unless request.http2.
///
/// ok: a status line came, whatever happened after it; timeout: none came in time; failed: none came at all. Members:
/// `http_response_code`, `http_response_header`, `http_response_body` where a status line came, and always `http_info`:
/// `http_version` ("1.0", "1.1", "2"), `header_truncated` and `body_truncated` (there was more than the limits),
/// `primary_ip`, `primary_port`, times in seconds, and `error` where the response is not whole for another reason.
class HttpConnector final : public Connector {
public:
  /// The loop must outlive it. Throws Error where libcurl has no memory.
  explicit HttpConnector(EventLoop& loop, HttpLimits limits = {});
  /// Its connections must be gone.
  ~HttpConnector() override;

  [[nodiscard]] std::unique_ptr<Connection> start(const ConnectRequest& request, Completion done) override;

private:
  class Multi;
  std::unique_ptr<Multi> multi_;
};

} // namespace orbweaver
