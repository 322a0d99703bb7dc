// SPDX-License-Identifier: GPL-3.0-or-later
// tfo — does the path let TCP Fast Open through (RFC 7413)? First plainly, then asking for a cookie, then with the
// cookie and data on the SYN.
#include "spider/plugins/library.hpp"

namespace orbweaver::plugins {

namespace {

class Tfo final : public Plugin {
public:
  [[nodiscard]] unsigned connections() const override { return 3; }

  void connect(ConnectRequest& request, const Job&, const PreConnect*, unsigned config) override {
    request.fast_open = config > 0;
  }
};

} // namespace

PluginEntry tfo() {
  PluginDescription description;
  description.name = "tfo";
  description.summary = "TCP Fast Open: connectivity, cookies, data on the SYN";
  description.version = "1.0.0";
  description.model = Model::desynchronized;
  description.chains = {"basic", "tcp", "tfo", "delivery"};
  description.connect_kinds = {"dnstcp", "http", "https"};
  return {description, []() -> std::unique_ptr<Plugin> { return std::make_unique<Tfo>(); }};
}

} // namespace orbweaver::plugins
