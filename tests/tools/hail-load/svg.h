// Line charts, one above the other over the same time axis, as one SVG file.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace hail::load {

struct Series {
  std::string name;
  // (seconds, value), in order.
  std::vector<std::pair<double, double>> points;
};

struct Panel {
  std::string title;
  std::vector<Series> series;
  // The start of the value axis.
  double from = 0;
};

// A named, shaded span of time.
struct Span {
  std::string name;
  double from = 0;
  double to = 0;
};

// The content of the file. Texts must not contain markup.
std::string Svg(const std::string& title, const std::vector<Panel>& panels, const std::vector<Span>& spans);

absl::Status WriteFile(const std::string& path, const std::string& text);

}  // namespace hail::load
