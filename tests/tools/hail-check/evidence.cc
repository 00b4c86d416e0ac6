#include "tests/tools/hail-check/evidence.h"

#include <sqlite3.h>

#include <fstream>
#include <functional>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/text/utf8.h"

namespace hail::check {
namespace {

absl::StatusOr<std::vector<nlohmann::json>> ReadLines(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(absl::StrCat("cannot open ", path));
  std::vector<nlohmann::json> lines;
  std::string line;
  while (std::getline(file, line)) {
    if (lines.empty()) {
      const absl::StatusOr<std::size_t> begin = Utf8Begin(line);
      if (!begin.ok()) return absl::InvalidArgumentError(absl::StrCat(path, " ", begin.status().message()));
      line.erase(0, *begin);
    }
    // An unfinished last line: the writer stopped while writing it.
    if (file.eof()) break;
    nlohmann::json entry = nlohmann::json::parse(line, nullptr, false);
    const auto names = [&](const char* field) { return entry.contains(field) && entry[field].is_string(); };
    if (!entry.is_object() || !names("kind") || !names("agent")) {
      return absl::InvalidArgumentError(absl::StrCat(path, ":", lines.size() + 1, ": not a ledger line"));
    }
    lines.push_back(std::move(entry));
  }
  return lines;
}

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close(database); }
};

std::string Text(sqlite3_stmt* row, int column) {
  const unsigned char* text = sqlite3_column_text(row, column);
  return text == nullptr ? "" : reinterpret_cast<const char*>(text);
}

absl::Status ForEachRow(const std::string& path, const char* sql, const std::function<void(sqlite3_stmt*)>& row) {
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &opened, SQLITE_OPEN_READONLY, nullptr);
  const std::unique_ptr<sqlite3, CloseDatabase> database(opened);
  if (code != SQLITE_OK) return absl::NotFoundError(absl::StrCat("cannot open ", path, ": ", sqlite3_errmsg(opened)));
  sqlite3_busy_timeout(opened, 2'000);
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(opened, sql, -1, &statement, nullptr) != SQLITE_OK) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", sqlite3_errmsg(opened)));
  }
  int step = SQLITE_ROW;
  while ((step = sqlite3_step(statement)) == SQLITE_ROW) row(statement);
  sqlite3_finalize(statement);
  if (step != SQLITE_DONE) return absl::InvalidArgumentError(absl::StrCat(path, ": ", sqlite3_errmsg(opened)));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Ledgers> ReadLedgers(const std::string& directory) {
  Ledgers ledgers;
  for (const auto& [name, lines] : {std::pair{"riders", &ledgers.riders}, std::pair{"drivers", &ledgers.drivers},
                                    std::pair{"plan", &ledgers.plan}}) {
    absl::StatusOr<std::vector<nlohmann::json>> read = ReadLines(absl::StrCat(directory, "/", name, ".ndjson"));
    if (!read.ok()) return read.status();
    *lines = *std::move(read);
  }
  return ledgers;
}

absl::StatusOr<Stores> ReadStores(const std::string& rider_db, const std::string& driver_db) {
  Stores stores;
  absl::Status status = ForEachRow(
      rider_db, "SELECT ride_id, rider_id, request_id, driver_id, state, sequence, epoch FROM rides",
      [&](sqlite3_stmt* row) {
        stores.rides.push_back({Text(row, 0), Text(row, 1), Text(row, 2), Text(row, 3), sqlite3_column_int(row, 4),
                                sqlite3_column_int64(row, 5), sqlite3_column_int64(row, 6)});
      });
  status.Update(ForEachRow(rider_db,
                           "SELECT ride_id, sequence, type, epoch, state, driver_id, driver_sequence, ended, "
                           "event_time_us FROM events ORDER BY ride_id, sequence",
                           [&](sqlite3_stmt* row) {
                             stores.events.push_back({Text(row, 0), sqlite3_column_int64(row, 1),
                                                      sqlite3_column_int(row, 2), sqlite3_column_int64(row, 3),
                                                      sqlite3_column_int(row, 4), Text(row, 5),
                                                      sqlite3_column_int64(row, 6), sqlite3_column_int(row, 7) != 0,
                                                      sqlite3_column_int64(row, 8)});
                           }));
  status.Update(
      ForEachRow(driver_db, "SELECT offer_id, ride_id, epoch, driver_id, outcome FROM offers", [&](sqlite3_stmt* row) {
        stores.offers.push_back({Text(row, 0), Text(row, 1), sqlite3_column_int64(row, 2), Text(row, 3), Text(row, 4)});
      }));
  if (!status.ok()) return status;
  return stores;
}

}  // namespace hail::check
