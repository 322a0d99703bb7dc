// SPDX-License-Identifier: GPL-3.0-or-later
// dscp — does the path carry packets with a DiffServ code point (RFC 2474), and what comes back? First without a mark,
// then with each code point that was asked for, which the connection's own socket sets on all that it sends.
#include "spider/plugins/library.hpp"

#include <charconv>

namespace orbweaver::plugins {

namespace {

class Dscp final : public Plugin {
public:
  void configure(const PluginArguments& arguments) override {
    for (const auto& text : arguments.values.at("codepoint")) {
      std::uint8_t code_point = 0;
      std::from_chars(text.data(), text.data() + text.size(), code_point); // 0 to 63, as the option's bounds say
      code_points_.push_back(code_point);
    }
  }
  [[nodiscard]] unsigned connections() const override { return static_cast<unsigned>(code_points_.size()) + 1; }

  void connect(ConnectRequest& request, const Job&, const PreConnect*, unsigned config) override {
    request.code_point = config == 0 ? std::uint8_t{0} : code_points_.at(config - 1);
  }

private:
  std::vector<std::uint8_t> code_points_;
};

} // namespace

PluginEntry dscp() {
  PluginDescription description;
  description.name = "dscp";
  description.summary = "DiffServ code points: connectivity, marks on replies";
  description.version = "1.0.0";
  description.model = Model::desynchronized;
  description.chains = {"basic", "dscp", "tcp", "dns", "delivery"};
  description.connect_kinds = {"http", "tcp", "dnstcp", "dnsudp"};
  const PluginOption codepoint{.name = "codepoint",
                               .help = "Code points to try, each once",
                               .default_value = "48",
                               .several = true,
                               .minimum = 0,
                               .maximum = 63,
                               .distinct = true};
  description.options = {codepoint};
  return {description, []() -> std::unique_ptr<Plugin> { return std::make_unique<Dscp>(); }};
}

} // namespace orbweaver::plugins
