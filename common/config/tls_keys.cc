#include "common/config/tls_keys.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/time/clock.h"

namespace hail::config {
namespace {

std::string CheckNames(const Value& value) {
  for (const std::string& name : tls::SplitNames(std::get<std::string>(value))) {
    const std::string fault = tls::NameFault(name);
    if (!fault.empty()) return absl::StrCat("has an entry \"", name, "\" that ", fault);
  }
  return "";
}

std::vector<std::string> CheckTls(const Values& values) {
  std::vector<std::string> problems;
  const std::optional<TlsSettings> settings = ReadTlsSettings(values);
  if (!settings) {
    for (const char* key : {"tls.edges", "tls.peers", "tls.operators"}) {
      if (!values.String(key).empty())
        problems.push_back(absl::StrCat(key, " needs tls.certificate, tls.key and tls.ca"));
    }
    return problems;
  }
  for (const char* key : {"tls.certificate", "tls.key", "tls.ca"}) {
    if (values.String(key).empty()) problems.push_back(absl::StrCat(key, " is missing: TLS needs all three files"));
  }
  if (settings->peers.empty()) {
    problems.emplace_back("tls.peers is missing: with TLS, the other service is known by its name");
  }
  for (const std::string& name : settings->operators.names()) {
    if (settings->peers.Has({.uris = {name}, .dns = {name}})) {
      problems.push_back(absl::StrCat("tls.operators and tls.peers both have ", name));
    }
  }
  // With a file missing, the check of the files would say the same again.
  if (!problems.empty()) return problems;
  const auto pem = tls::ReadIdentity(settings->files);
  const absl::Status status = pem.ok() ? tls::CheckIdentity(*pem, settings->files, WallNow()).status() : pem.status();
  if (!status.ok()) {
    for (const std::string& problem : std::vector<std::string>(absl::StrSplit(status.message(), '\n'))) {
      problems.push_back(absl::StrCat("TLS: ", problem));
    }
  }
  return problems;
}

}  // namespace

void AddTlsKeys(Schema* schema) {
  schema
      ->String(
          "tls.certificate", "",
          "File with this service's certificate and the intermediate ones after it (PEM), for its listeners and its "
          "calls to the other service; empty: no TLS.")
      .String("tls.key", "", "File with the certificate's private key (PEM).")
      .String("tls.ca", "", "File with the authorities that sign certificates of services, edges and operators (PEM).")
      .String("tls.edges", "",
              "Names (DNS or URI, in the certificate's alternative names) of who may connect to listen, with commas "
              "between; empty: listen has no TLS.",
              CheckNames)
      .String("tls.peers", "", "Names of the other service, which may connect to internal_listen and is called there.",
              CheckNames)
      .String("tls.operators", "", "Names of operators, who may connect to internal_listen.", CheckNames)
      .CheckAll(CheckTls);
}

std::optional<TlsSettings> ReadTlsSettings(const Values& values) {
  TlsSettings settings;
  settings.files = {
      .certificate = values.String("tls.certificate"), .key = values.String("tls.key"), .ca = values.String("tls.ca")};
  if (settings.files.certificate.empty() && settings.files.key.empty() && settings.files.ca.empty())
    return std::nullopt;
  const auto names = [&](const char* key) { return tls::NameList(tls::SplitNames(values.String(key))); };
  settings.edges = names("tls.edges");
  settings.peers = names("tls.peers");
  settings.operators = names("tls.operators");
  return settings;
}

}  // namespace hail::config
