// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/run/options/chain_listing.hpp"

#include "common/json/builder.hpp"

#include <algorithm>
#include <array>

namespace orbweaver {

namespace {

/// Lines of columns that are as wide as their widest cell; the last one ends where it ends.
class Columns {
public:
  using Row = std::array<std::string, 3>;

  void add(Row row) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i)
      widths_[i] = std::max(widths_[i], row[i].size());
    rows_.push_back(std::move(row));
  }
  [[nodiscard]] std::string text() const {
    std::string text;
    for (auto row : rows_) {
      text += "    ";
      for (std::size_t i = 0; i + 1 < row.size(); ++i) {
        row[i].resize(widths_[i] + 2, ' ');
        text += row[i];
      }
      text += row.back() + "\n";
    }
    return text;
  }

private:
  std::vector<Row> rows_;
  std::array<std::size_t, 3> widths_{};
};

std::string listed(std::span<const FieldDescription> fields) {
  Columns columns;
  for (const auto& field : fields) {
    std::string beside = field.mirror.empty() ? "" : "mirror " + field.mirror;
    if (!field.ipfix.empty())
      beside += (beside.empty() ? "IPFIX " : ", IPFIX ") + field.ipfix;
    const auto says = field.help + (beside.empty() ? "" : " (" + beside + ")");
    columns.add({field.name, std::string(to_string(field.type)) + (field.unit.empty() ? "" : ", " + field.unit), says});
  }
  return columns.text();
}

void describe(std::span<const FieldDescription> fields, json::Array list) {
  for (const auto& field : fields) {
    json::Object object = list.object();
    object.add("name", field.name).add("type", to_string(field.type)).add("help", field.help);
    const auto add = [&object](std::string_view key, const std::string& text) {
      text.empty() ? object.add(key, nullptr) : object.add(key, text);
    };
    add("unit", field.unit);
    add("ipfix", field.ipfix);
    add("mirror", field.mirror);
    if (!field.names.empty())
      object.array("names").add_all(field.names);
  }
}

} // namespace

std::string chain_listing(std::span<const ChainDescription> chains) {
  std::string text;
  for (const auto& chain : chains) {
    text += (text.empty() ? "" : "\n") + chain.name + ": " + chain.summary + "\n";
    const auto& tables = chain.stream.tables;
    text += listed(chain.fields_of(tables.front()));
    for (const auto& table : std::span(tables).subspan(1))
      text += "  event " + table.name + ": " + table.help + "\n" + listed(chain.fields_of(table));
    Columns options;
    for (const auto& option : chain.options)
      options.add({option.name + "=" + option.default_value, option.values, option.help});
    if (!chain.options.empty())
      text += "  options, as in " + chain.name + ":" + chain.options.front().name + "=" +
              chain.options.front().default_value + "\n" + options.text();
  }
  return text;
}

std::string chain_listing_json(std::span<const ChainDescription> chains) {
  std::string text;
  {
    json::Array list(text, json::Layout::indented);
    for (const auto& chain : chains) {
      json::Object object = list.object();
      object.add("name", chain.name).add("summary", chain.summary).add("completes", chain.completes);
      describe(chain.fields_of(chain.stream.tables.front()), object.array("fields"));
      {
        json::Array events = object.array("events");
        for (const auto& table : std::span(chain.stream.tables).subspan(1)) {
          json::Object event = events.object();
          event.add("name", table.name).add("help", table.help);
          describe(chain.fields_of(table), event.array("fields"));
        }
      }
      describe(chain.options, object.array("options"));
    }
  }
  return text + "\n";
}

} // namespace orbweaver
