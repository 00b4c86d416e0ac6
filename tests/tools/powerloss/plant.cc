#include "tests/tools/powerloss/plant.h"

#include <sqlite3.h>
#include <strings.h>

#include <utility>

namespace hail::powerloss {
namespace {

std::string& Level() {
  static std::string* level = new std::string();
  return *level;
}

// SQLITE_IGNORE makes the PRAGMA have no effect, without an error.
int Deny(void*, int action, const char* name, const char* value, const char*, const char*) {
  const bool asked = action == SQLITE_PRAGMA && name != nullptr && strcasecmp(name, "synchronous") == 0;
  return asked && value != nullptr ? SQLITE_IGNORE : SQLITE_OK;
}

int OnOpen(sqlite3* db, char**, const struct sqlite3_api_routines*) {
  const int result = sqlite3_exec(db, ("PRAGMA synchronous=" + Level()).c_str(), nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) return result;
  return sqlite3_set_authorizer(db, Deny, nullptr);
}

void (*Entry())() { return reinterpret_cast<void (*)()>(OnOpen); }

}  // namespace

PlantedSynchronous::PlantedSynchronous(std::string level) {
  Level() = std::move(level);
  sqlite3_auto_extension(Entry());
}

PlantedSynchronous::~PlantedSynchronous() { sqlite3_cancel_auto_extension(Entry()); }

}  // namespace hail::powerloss
