// SPDX-License-Identifier: GPL-3.0-or-later
// h2 — does HTTP/2 work (RFC 9113)? First HTTP/1.1, then HTTP/2: by an upgrade without TLS, by ALPN with it.
#include "spider/plugins/library.hpp"

namespace orbweaver::plugins {

namespace {

class H2 final : public Plugin {
public:
  [[nodiscard]] unsigned connections() const override { return 2; }

  void connect(ConnectRequest& request, const Job&, const PreConnect*, unsigned config) override {
    request.http2 = config == 1;
  }
};

} // namespace

PluginEntry h2() {
  PluginDescription description;
  description.name = "h2";
  description.summary = "HTTP/2: connectivity, upgrade";
  description.version = "1.0.0";
  description.model = Model::desynchronized;
  description.chains = {"basic", "tcp", "delivery"};
  description.connect_kinds = {"http", "https"};
  return {description, []() -> std::unique_ptr<Plugin> { return std::make_unique<H2>(); }};
}

} // namespace orbweaver::plugins
