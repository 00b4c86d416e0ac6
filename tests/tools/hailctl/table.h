// Output for people: columns under headings, and labelled values.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace hail::ctl {

// Rows under headings, each column as wide as its widest cell (counted in code points).
class Table {
 public:
  explicit Table(std::vector<std::string> headings);

  // `cells` has as many entries as there are headings.
  void Add(std::vector<std::string> cells);
  bool empty() const { return rows_.size() == 1; }
  std::string Text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// "label  value" lines, aligned; entries with an empty value are left out.
std::string FieldsText(const std::vector<std::pair<std::string, std::string>>& fields);

}  // namespace hail::ctl
