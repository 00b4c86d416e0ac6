#include "tests/integration/store_faults.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>

#include "gtest/gtest.h"

namespace hail::testing {

std::map<std::string, std::string> Preloaded(std::map<std::string, std::string> more) {
  more["LD_PRELOAD"] = HAIL_POWERLOSS_LIBRARY;
  // The address sanitizer checks that its library is loaded first. Turn the check off: the order does not matter here.
  const char* options = getenv("ASAN_OPTIONS");
  more["ASAN_OPTIONS"] = (options == nullptr ? std::string() : options + std::string(":")) + "verify_asan_link_order=0";
  return more;
}

StoreFaults::StoreFaults(ServiceProcess& service) {
  for (const auto& [name, value] : environment()) service.SetEnv(name, value);
}

std::map<std::string, std::string> StoreFaults::environment() const {
  return Preloaded({{"POWERLOSS_FAULTS", folder_.path()}});
}

void StoreFaults::On(const std::string& fault) { std::ofstream(folder_.path() + "/" + fault); }

void StoreFaults::Off(const std::string& fault) { unlink((folder_.path() + "/" + fault).c_str()); }

Ran StartAnother(const std::string& binary, const ServiceProcess& service,
                 const std::map<std::string, std::string>& env) {
  return RunProgram(binary,
                    {"--set", "data_dir=" + service.data_dir(), "--set", "listen=127.0.0.1:0", "--set",
                     "internal_listen=127.0.0.1:0", "--set", "metrics_listen=127.0.0.1:0"},
                    env);
}

OtherProgram::OtherProgram(const std::string& path) {
  sqlite3* db = nullptr;
  EXPECT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK) << path;
  db_ = db;
}

OtherProgram::~OtherProgram() { sqlite3_close(static_cast<sqlite3*>(db_)); }

std::string OtherProgram::Run(const std::string& sql) {
  std::string found;
  char* error = nullptr;
  const auto row = [](void* to, int columns, char** values, char**) {
    if (columns > 0 && values[0] != nullptr) *static_cast<std::string*>(to) = values[0];
    return 0;
  };
  EXPECT_EQ(sqlite3_exec(static_cast<sqlite3*>(db_), sql.c_str(), row, &found, &error), SQLITE_OK)
      << sql << ": " << (error == nullptr ? "" : error);
  sqlite3_free(error);
  return found;
}

}  // namespace hail::testing
