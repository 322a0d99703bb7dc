// SPDX-License-Identifier: GPL-3.0-or-later
// One plain connection to each target, watched by the ttl chain.
#include <spider/plugin.hpp>

namespace {

class Ttl final : public orbweaver::Plugin {
public:
  [[nodiscard]] unsigned connections() const override { return 1; }
};

orbweaver::PluginEntry entry() {
  orbweaver::PluginDescription description;
  description.name = "ttl";
  description.summary = "TTL of the answers";
  description.version = "1.0";
  description.model = orbweaver::Model::single;
  description.chains = {"basic", "tcp", "ttl"};
  description.connect_kinds = {"tcp", "http"};
  return {description, []() -> std::unique_ptr<orbweaver::Plugin> { return std::make_unique<Ttl>(); }};
}

const orbweaver::PluginEntry entries[] = {entry()};

} // namespace

ORBWEAVER_EXPORT_PLUGINS(entries)
