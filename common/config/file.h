// A JSON file as a flat list of keys. Internal to common/config.
#pragma once

#include <string>
#include <vector>

#include "common/config/schema.h"

namespace hail::config {

struct FileEntry {
  std::string key;
  // Typed by the schema if the key is known and the JSON value matches; otherwise text.
  Value value;
};

// Reads `path`: an object, keys dotted ("store.url") or nested ({"store": {"url": …}}). Appends each fault to
// `problems`.
std::vector<FileEntry> ReadFile(const std::string& path, const Schema& schema, std::vector<std::string>* problems);

// The message for a key that is not in the schema, with the most similar declared key.
std::string UnknownKey(const std::string& key, const Schema& schema);

}  // namespace hail::config
