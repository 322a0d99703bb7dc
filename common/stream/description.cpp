// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/stream/description.hpp"

#include "common/error.hpp"
#include "common/json/builder.hpp"
#include "common/stream/records/flow_record.hpp"

#include <algorithm>
#include <set>
#include <simdjson.h>

namespace orbweaver {

namespace {

using Element = simdjson::dom::element;

/// A member that is left out where it says nothing.
void add(json::Object& object, std::string_view key, const std::string& text) {
  if (!text.empty())
    object.add(key, text);
}

void describe(const FieldDescription& field, json::Object object) {
  add(object, "name", field.name);
  add(object, "chain", field.chain);
  object.add("type", to_string(field.type)).add("at", field.offset);
  add(object, "unit", field.unit);
  add(object, "ipfix", field.ipfix);
  add(object, "mirror", field.mirror);
  add(object, "help", field.help);
  if (!field.names.empty())
    object.array("names").add_all(field.names);
}

void describe(const TableDescription& table, json::Object object) {
  add(object, "name", table.name);
  add(object, "help", table.help);
  object.add("record_octets", table.record_octets);
  json::Array fields = object.array("fields");
  for (const auto& field : table.fields)
    describe(field, fields.object());
}

void describe(const PluginRun& plugin, json::Object object) {
  add(object, "name", plugin.name);
  add(object, "version", plugin.version);
  add(object, "connect", plugin.connect);
  object.add("connections", plugin.connections);
  json::Object options = object.object("options");
  for (const auto& [name, values] : plugin.options)
    options.array(name).add_all(values);
}

std::string text_of(const Element& object, std::string_view key) {
  std::string_view text;
  return object[key].get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

std::uint32_t number_of(const Element& object, std::string_view key) {
  const std::uint64_t number = object[key].get_uint64();
  if (number > UINT32_MAX)
    throw Error(std::string(key) + " is " + std::to_string(number));
  return static_cast<std::uint32_t>(number);
}

std::vector<std::string> texts_of(const Element& array) {
  std::vector<std::string> texts;
  for (const Element text : array.get_array())
    texts.emplace_back(text.get_string().value());
  return texts;
}

FieldDescription field_of(const Element& object) {
  FieldDescription field;
  field.name = text_of(object, "name");
  field.chain = text_of(object, "chain");
  const auto type = text_of(object, "type");
  field.type = field_type_named(type).value_or(FieldType{});
  if (!exists(field.type))
    throw Error("field '" + field.name + "' has the type '" + type + "', which this program does not know");
  field.offset = number_of(object, "at");
  field.help = text_of(object, "help");
  field.unit = text_of(object, "unit");
  field.ipfix = text_of(object, "ipfix");
  field.mirror = text_of(object, "mirror");
  if (Element names; object["names"].get(names) == simdjson::SUCCESS)
    field.names = texts_of(names);
  return field;
}

TableDescription table_of(const Element& object) {
  TableDescription table;
  table.name = text_of(object, "name");
  table.help = text_of(object, "help");
  table.record_octets = number_of(object, "record_octets");
  const simdjson::dom::array fields = object["fields"].get_array();
  for (const Element field : fields) {
    if (table.fields.size() == max_fields)
      throw Error("table '" + table.name + "' has more than " + std::to_string(max_fields) + " fields");
    table.fields.push_back(field_of(field));
  }
  return table;
}

PluginRun plugin_of(const Element& object) {
  PluginRun plugin;
  plugin.name = text_of(object, "name");
  plugin.version = text_of(object, "version");
  plugin.connect = text_of(object, "connect");
  plugin.connections = number_of(object, "connections");
  for (const auto [name, values] : object["options"].get_object())
    plugin.options.emplace_back(name, texts_of(values));
  return plugin;
}

/// The least that a row of a table has.
std::uint32_t header_octets_of(std::size_t table) noexcept {
  return table == 0 ? sizeof(FlowRecord) : sizeof(EventRecord);
}

void check(const StreamDescription& stream) {
  if (stream.kind != StreamKind::flows)
    return;
  if (stream.tables.empty())
    throw Error("it has no table");
  std::set<std::string_view> names;
  for (std::size_t place = 0; place < stream.tables.size(); ++place) {
    const auto& table = stream.tables[place];
    if (const auto why = check_table(table, header_octets_of(place)); !why.empty())
      throw Error(why);
    if (!names.insert(table.name).second)
      throw Error("there are two tables '" + table.name + "'");
  }
}

} // namespace

std::string_view to_string(StreamKind kind) noexcept {
  switch (kind) {
  case StreamKind::packets:
    return "packets";
  case StreamKind::flows:
    return "flows";
  case StreamKind::jobs:
    return "jobs";
  }
  return "unknown records";
}

const FieldDescription* TableDescription::find(std::string_view name) const noexcept {
  const auto found = std::ranges::find(fields, name, &FieldDescription::name);
  return found == fields.end() ? nullptr : &*found;
}

const FieldDescription& TableDescription::mirror_of(const FieldDescription& field) const noexcept {
  const auto* mirror = field.mirror.empty() ? nullptr : find(field.mirror);
  return mirror ? *mirror : field;
}

bool TableDescription::has_tails() const noexcept {
  return std::ranges::any_of(fields, has_tail, &FieldDescription::type);
}

std::string check_table(const TableDescription& table, std::uint32_t header_octets) {
  const auto in_table = " of table '" + table.name + "'";
  if (!is_name(table.name))
    return "the name of a table '" + table.name + "' does not fit";
  if (table.record_octets < header_octets || table.record_octets > max_fixed_octets)
    return "rows" + in_table + " of " + std::to_string(table.record_octets) + " octets cannot be";
  std::set<std::string_view> names;
  for (const auto& field : table.fields) {
    const auto name = "field '" + field.name + "'" + in_table;
    if (!is_name(field.name))
      return name + ": such a name does not fit";
    if (field.name == "event")
      return name + ": that is what rows call their table";
    if (!names.insert(field.name).second)
      return name + " is there twice";
    const auto size = field_size(field.type);
    if (size == 0 || field.offset < sizeof(RecordHeader) || field.offset > table.record_octets ||
        table.record_octets - field.offset < size)
      return name + " is not within a record";
    if (field.mirror.empty())
      continue;
    const auto* mirror = table.find(field.mirror);
    if (!mirror || mirror == &field || mirror->mirror != field.name || mirror->type != field.type)
      return name + " is no mirror of '" + field.mirror + "'";
  }
  return {};
}

std::string StreamDescription::encode() const {
  std::string text;
  {
    json::Object object(text);
    object.add("kind", to_string(kind)).add("needs", needs);
    if (!plugin.name.empty())
      describe(plugin, object.object("plugin"));
    json::Array list = object.array("tables");
    for (const auto& table : tables)
      describe(table, list.object());
  }
  if (text.size() > max_description_octets)
    throw Error("a description of " + std::to_string(text.size()) + " octets is too long for a stream, " +
                std::to_string(max_description_octets) + " are the most: choose fewer chains");
  return text;
}

StreamDescription StreamDescription::decode(std::string_view text) {
  StreamDescription stream;
  try {
    simdjson::dom::parser parser;
    const Element object = parser.parse(text.data(), text.size());
    const auto kind = text_of(object, "kind");
    for (const auto known : {StreamKind::packets, StreamKind::flows, StreamKind::jobs})
      if (kind == to_string(known))
        stream.kind = known;
    stream.needs = number_of(object, "needs");
    if (Element tables; object["tables"].get(tables) == simdjson::SUCCESS)
      for (const Element table : tables.get_array()) {
        if (stream.tables.size() == max_tables)
          throw Error("it has more than " + std::to_string(max_tables) + " tables");
        stream.tables.push_back(table_of(table));
      }
    if (Element plugin; object["plugin"].get(plugin) == simdjson::SUCCESS)
      stream.plugin = plugin_of(plugin);
  } catch (const simdjson::simdjson_error& error) {
    throw Error(std::string("it cannot be read: ") + error.what());
  }
  check(stream);
  return stream;
}

} // namespace orbweaver
