// A JSON file as a flat list of keys. Internal to common/config.
#pragma once

#include <string>
#include <vector>

#include "common/config/schema.h"

namespace hail::config {

struct FileEntry {
  std::string key;
  // Typed as `Schema` says, where the key is known and the JSON value of the right kind.
  Value value;
};

// Reads `path`: an object, keys dotted ("store.url") or nested ({"store": {"url": …}}). What is wrong goes to
// `problems`.
std::vector<FileEntry> ReadFile(const std::string& path, const Schema& schema, std::vector<std::string>* problems);

// What to say of a key nobody declared, with the declared one it most resembles.
std::string UnknownKey(const std::string& key, const Schema& schema);

}  // namespace hail::config
