#include "common/postgres/libpq.h"

#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "common/errors/error.h"

namespace hail::postgres {
namespace {

// SQLSTATEs that stay until somebody repairs something: wrong user or password, no such database or schema, missing
// rights, SQL that the server does not know.
constexpr std::string_view kForGood[] = {"28", "3D", "3F", "42", "0A"};
// Serialization failure, deadlock.
constexpr std::string_view kAgain[] = {"40001", "40P01"};
constexpr char kUniqueViolation[] = "23505";

bool IsForGood(std::string_view sql_state) {
  for (const std::string_view state_class : kForGood) {
    if (sql_state.substr(0, 2) == state_class) return true;
  }
  return false;
}

// libpq has no call for the SQLSTATE of a failed connection; its verbose messages contain it after the severity:
// "FATAL:  28P01: password authentication failed".
std::string_view SqlStateOf(std::string_view message) {
  const std::size_t severity = message.find("FATAL:  ");
  if (severity == std::string_view::npos) return "";
  return message.substr(severity + 8, 5);
}

std::string FirstLine(std::string_view text) {
  return std::string(absl::StripAsciiWhitespace(std::string(text.substr(0, text.find('\n')))));
}

// Of the first line; empty if the file cannot be read: then the server refuses the connection, and says so.
std::string PasswordIn(const std::string& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  if (!line.empty() && line.back() == '\r') line.pop_back();
  return line;
}

}  // namespace

ConnPtr StartConnect(const ConnectParams& params) {
  std::vector<const char*> keywords;
  std::vector<const char*> values;
  std::string password;
  for (const auto& [keyword, value] : params) {
    if (keyword == kPasswordFile) {
      password = PasswordIn(value);
      keywords.push_back("password");
      values.push_back(password.c_str());
      continue;
    }
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  ConnPtr conn(PQconnectStartParams(keywords.data(), values.data(), /*expand_dbname=*/0), PQfinish);
  if (conn != nullptr) {
    PQsetErrorVerbosity(conn.get(), PQERRORS_VERBOSE);
    // The default receiver writes to stderr.
    PQsetNoticeReceiver(
        conn.get(), [](void*, const PGresult*) {}, nullptr);
  }
  return conn;
}

absl::Status ConnectFailure(const pg_conn* conn) {
  const std::string message = conn == nullptr ? "out of memory" : PQerrorMessage(conn);
  const std::string line = FirstLine(message);
  if (IsForGood(SqlStateOf(message))) return absl::FailedPreconditionError(line);
  return Unavailable(Reason::kStoreUnavailable, line);
}

absl::Status CommandFailure(const pg_result* result) {
  const char* const field = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const std::string_view state = field == nullptr ? "" : field;
  if (state == kUniqueViolation) {
    const char* const index = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
    return absl::AlreadyExistsError(index == nullptr ? "" : index);
  }
  // Without the details, which quote values.
  const char* const primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  const std::string message = primary == nullptr ? FirstLine(PQresultErrorMessage(result)) : FirstLine(primary);
  for (const std::string_view again : kAgain) {
    if (state == again) return absl::AbortedError(message);
  }
  if (IsForGood(state)) return absl::FailedPreconditionError(message);
  return Unavailable(Reason::kStoreUnavailable, message);
}

}  // namespace hail::postgres
