// Compares a service's table of methods with the contract that it serves.
#pragma once

#include <string>
#include <tuple>
#include <vector>

#include "common/rpc/methods.h"
#include "google/protobuf/descriptor.h"

namespace hail::rpc {

// The faults of the table of `S`, compared with the contract; empty if there are none.
template <typename S>
std::vector<std::string> TableFaults() {
  const auto* const contract = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(S::kName);
  if (contract == nullptr) return {"no such service"};
  std::vector<std::string> faults;
  const auto check = [&]<typename Method>(const Method& method) {
    const auto* const found = contract->FindMethodByName(method.name);
    if (found == nullptr || found->input_type() != Method::Request::descriptor() ||
        found->output_type() != Method::Response::descriptor() || found->client_streaming() != Method::kClientStreams ||
        found->server_streaming() != Method::kServerStreams) {
      faults.push_back(method.name);
    }
  };
  std::apply([&](const auto&... methods) { (check(methods), ...); }, S::Methods());
  if (std::tuple_size_v<decltype(S::Methods())> != static_cast<std::size_t>(contract->method_count())) {
    faults.push_back("not all methods");
  }
  return faults;
}

// The unary methods of `S` whose rows satisfy `condition`.
template <typename S, typename Condition>
std::vector<std::string> UnaryMethodsOf(Condition condition) {
  std::vector<std::string> names;
  const auto check = [&]<typename Method>(const Method& method) {
    if constexpr (!Method::kClientStreams && !Method::kServerStreams) {
      if (condition(method)) names.push_back(method.name);
    }
  };
  std::apply([&](const auto&... methods) { (check(methods), ...); }, S::Methods());
  return names;
}

}  // namespace hail::rpc
