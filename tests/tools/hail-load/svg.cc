#include "tests/tools/hail-load/svg.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace hail::load {
namespace {

// In pixels.
constexpr double kWidth = 860;
constexpr double kLeft = 70;
constexpr double kRight = 20;
constexpr double kTop = 40;
constexpr double kPanel = 170;
constexpr double kGap = 50;
// Okabe and Ito's colours, which colour-blind readers can distinguish.
constexpr std::array kColours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"};

// The smallest round number that is at least `value`: the end of an axis.
double AxisEnd(double value) {
  if (value <= 0) return 1;
  const double unit = std::pow(10, std::floor(std::log10(value)));
  for (const double step : {1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 8.0}) {
    if (value <= step * unit) return step * unit;
  }
  return 10 * unit;
}

std::string Text(double x, double y, const char* anchor, const std::string& text, const char* colour = "#333") {
  return absl::StrFormat("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" fill=\"%s\">%s</text>\n", x, y, anchor, colour,
                         text);
}

std::string Line(double x1, double y1, double x2, double y2) {
  return absl::StrFormat("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>\n", x1, y1, x2, y2);
}

}  // namespace

std::string Svg(const std::string& title, const std::vector<Panel>& panels, const std::vector<Span>& spans) {
  double last = 1;
  for (const Panel& panel : panels) {
    for (const Series& series : panel.series) {
      for (const auto& [seconds, value] : series.points) last = std::max(last, seconds);
    }
  }
  const double height = kTop + static_cast<double>(panels.size()) * (kPanel + kGap);
  const auto x_of = [&](double seconds) { return kLeft + seconds / last * (kWidth - kLeft - kRight); };
  std::string svg = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" font-family=\"sans-serif\" "
      "font-size=\"12\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
      kWidth, height);
  svg += Text(kLeft, 20, "start", title, "#000");
  double top = kTop + 10;
  for (const Panel& panel : panels) {
    double most = 0;
    for (const Series& series : panel.series) {
      for (const auto& [seconds, value] : series.points) most = std::max(most, value);
    }
    const double range = AxisEnd(most - panel.from);
    const auto y_of = [&](double value) { return top + kPanel - (value - panel.from) / range * kPanel; };
    for (const Span& span : spans) {
      svg += absl::StrFormat("<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"#f4f0e4\"/>\n",
                             x_of(span.from), top, x_of(span.to) - x_of(span.from), kPanel);
      svg += Text((x_of(span.from) + x_of(span.to)) / 2, top + 12, "middle", span.name, "#998");
    }
    for (int tick = 0; tick <= 4; ++tick) {
      const double value = panel.from + range * tick / 4;
      svg += Line(kLeft, y_of(value), kWidth - kRight, y_of(value));
      svg += Text(kLeft - 6, y_of(value) + 4, "end", absl::StrFormat("%g", value));
    }
    for (int tick = 0; tick <= 10; ++tick) {
      const double seconds = last * tick / 10;
      svg += Text(x_of(seconds), top + kPanel + 16, "middle", absl::StrFormat("%.*f s", last < 10 ? 1 : 0, seconds));
    }
    std::string legend = panel.title;
    svg += Text(kLeft, top - 6, "start", legend);
    double legend_x = kLeft + 8 + 7.0 * static_cast<double>(legend.size());
    for (std::size_t i = 0; i < panel.series.size(); ++i) {
      const Series& series = panel.series[i];
      const char* colour = kColours[i % kColours.size()];
      svg += Text(legend_x, top - 6, "start", series.name, colour);
      legend_x += 16 + 7.0 * static_cast<double>(series.name.size());
      std::string points;
      for (const auto& [seconds, value] : series.points) {
        absl::StrAppendFormat(&points, "%.1f,%.1f ", x_of(seconds), y_of(value));
      }
      svg += absl::StrCat("<polyline fill=\"none\" stroke-width=\"1.5\" stroke=\"", colour, "\" points=\"", points,
                          "\"/>\n");
    }
    top += kPanel + kGap;
  }
  return svg + "</svg>\n";
}

absl::Status WriteFile(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::trunc);
  file << text;
  if (!file.flush()) return absl::InternalError(absl::StrCat("cannot write ", path));
  return absl::OkStatus();
}

}  // namespace hail::load
