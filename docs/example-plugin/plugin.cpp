// SPDX-License-Identifier: GPL-3.0-or-later
// One connection to each target, watched by the ttl chain. It shows what a plugin can say and do besides; leave out
// what yours does not need.
#include <orbweaver/plugin.hpp>

#include <string>

namespace {

/// What is found out once for a job, and handed to each of its connections.
struct Before final : orbweaver::PreConnect {
  bool has_domain = false;
};

class Ttl final : public orbweaver::Plugin {
public:
  /// The options of its own come as text, each checked as its description says.
  void configure(const orbweaver::PluginArguments& arguments) override {
    label_ = std::stoi(arguments.values.at("label").front());
  }

  [[nodiscard]] unsigned connections() const override { return 1; }

  std::unique_ptr<orbweaver::PreConnect> pre_connect(const orbweaver::Job& job) override {
    auto before = std::make_unique<Before>();
    before->has_domain = !job.domain.empty();
    return before;
  }

  /// Members that are added here stand in the connection's record, and so in `flow_results`.
  void post_connect(orbweaver::ConnectResult& result, const orbweaver::Job&, const orbweaver::PreConnect* before,
                    unsigned) override {
    result.members.add("ttl_label", label_);
    result.members.add("ttl_domain", static_cast<const Before*>(before)->has_domain);
  }

private:
  int label_ = 0;
};

orbweaver::PluginEntry entry() {
  orbweaver::PluginDescription description;
  description.name = "ttl";
  description.summary = "TTL of the answers";
  description.version = "1.0";
  description.model = orbweaver::Model::single;
  description.chains = {"basic", "tcp", "ttl"}; // those that the conditions read
  description.connect_kinds = {"tcp", "http"};  // the first is what --connect is without
  const orbweaver::PluginOption label{.name = "label",
                                      .help = "Number that is written into each connection's record",
                                      .default_value = "0",
                                      .minimum = 0,
                                      .maximum = 999};
  description.options = {label};
  return {description, []() -> std::unique_ptr<orbweaver::Plugin> { return std::make_unique<Ttl>(); }};
}

const orbweaver::PluginEntry entries[] = {entry()};

} // namespace

ORBWEAVER_EXPORT_PLUGINS(entries)
