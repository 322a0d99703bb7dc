// SPDX-License-Identifier: GPL-3.0-or-later
// example — a skeleton to begin a plugin from. It connects to each target twice, plainly and once more, and shows each
// thing that a plugin can say and do; leave out what yours does not need. Its conditions stand in
// merger/conditions/example.cpp. See docs/writing-a-plugin.md.
#include "spider/plugins/library.hpp"

#include <string>

namespace orbweaver::plugins {

namespace {

/// What is found out once for a job, and handed to each of its connections.
struct Before final : PreConnect {
  bool has_domain = false;
};

class Example final : public Plugin {
public:
  /// The options of its own come as text, each checked as its description says.
  void configure(const PluginArguments& arguments) override { label_ = arguments.values.at("label").front(); }

  /// Desynchronized: so many connections for each job, one after another. A synchronized plugin has configurations()
  /// of the system too, one for each connection.
  [[nodiscard]] unsigned connections() const override { return 2; }

  std::unique_ptr<PreConnect> pre_connect(const Job& job) override {
    auto before = std::make_unique<Before>();
    before->has_domain = !job.domain.empty();
    return before;
  }

  /// The request is one of the chosen kind, plain: what is to be different about a connection is said here.
  void connect(ConnectRequest& request, const Job&, const PreConnect*, unsigned config) override {
    request.http2 = config == 1;
  }

  /// Members that are added here stand in the connection's record, and so in `flow_results`.
  void post_connect(ConnectResult& result, const Job&, const PreConnect* before, unsigned) override {
    if (!result.members.empty())
      result.members += ',';
    result.members.append(R"("example_label":)").append(label_).append(R"(,"example_domain":)");
    result.members += static_cast<const Before*>(before)->has_domain ? "true" : "false";
  }

private:
  std::string label_;
};

} // namespace

PluginEntry example() {
  PluginDescription description;
  description.name = "example";
  description.summary = "A skeleton to begin a plugin from";
  description.version = "1.0.0";
  description.model = Model::desynchronized;
  description.chains = {"basic", "tcp"};       // those that the conditions read
  description.connect_kinds = {"tcp", "http"}; // the first is what --connect is without
  const PluginOption label{.name = "label",
                           .help = "Number that is written into each connection's record",
                           .default_value = "0",
                           .minimum = 0,
                           .maximum = 999};
  description.options = {label};
  return {description, []() -> std::unique_ptr<Plugin> { return std::make_unique<Example>(); }};
}

} // namespace orbweaver::plugins
