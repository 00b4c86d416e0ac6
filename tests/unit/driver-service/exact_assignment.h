// A plain solver to compare the real one with: the O(n²m) Hungarian algorithm on a full matrix. They share no code.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace hail::driver {

struct ExactTotals {
  int matched = 0;
  // The total over the pairs and the rides left out.
  std::int64_t cost = 0;
};

// cost[ride][driver], below 0 where there is no edge; left_out[ride].
inline ExactTotals SolveExactly(const std::vector<std::vector<std::int64_t>>& cost,
                                const std::vector<std::int64_t>& left_out) {
  constexpr std::int64_t kInfinite = std::numeric_limits<std::int64_t>::max() / 4;
  const std::size_t n = cost.size();
  if (n == 0) return {};
  const std::size_t drivers = cost[0].size();
  // Besides the drivers there is a column for each ride that is left out.
  const std::size_t m = drivers + n;
  std::int64_t sum = 1;
  for (std::size_t i = 0; i < n; ++i) {
    std::int64_t most = left_out[i];
    for (const std::int64_t c : cost[i]) most = std::max(most, c);
    sum += most;
  }
  const std::int64_t leave = 2 * sum;
  auto at = [&](std::size_t ride, std::size_t column) {
    if (column >= drivers) return leave + left_out[ride];
    // No edge: costs more than leaving the ride out; separated from real edges below.
    return cost[ride][column] < 0 ? 2 * leave + 2 * left_out[ride] : cost[ride][column];
  };

  // Indices start at 1; 0 is none. The row of each column, and the potentials of rows and columns.
  std::vector<std::size_t> row(m + 1, 0), way(m + 1, 0);
  std::vector<std::int64_t> u(n + 1, 0), v(m + 1, 0);
  for (std::size_t i = 1; i <= n; ++i) {
    row[0] = i;
    std::size_t column = 0;
    std::vector<std::int64_t> least(m + 1, kInfinite);
    std::vector<bool> used(m + 1, false);
    do {
      used[column] = true;
      const std::size_t r = row[column];
      std::int64_t delta = kInfinite;
      std::size_t next = 0;
      for (std::size_t j = 1; j <= m; ++j) {
        if (used[j]) continue;
        const std::int64_t reduced = at(r - 1, j - 1) - u[r] - v[j];
        if (reduced < least[j]) {
          least[j] = reduced;
          way[j] = column;
        }
        if (least[j] < delta) {
          delta = least[j];
          next = j;
        }
      }
      for (std::size_t j = 0; j <= m; ++j) {
        if (used[j]) {
          u[row[j]] += delta;
          v[j] -= delta;
        } else {
          least[j] -= delta;
        }
      }
      column = next;
    } while (row[column] != 0);
    for (; column != 0; column = way[column]) row[column] = row[way[column]];
  }

  ExactTotals totals;
  for (std::size_t j = 1; j <= m; ++j) {
    if (row[j] == 0) continue;
    const std::size_t ride = row[j] - 1;
    const bool matched = j <= drivers && cost[ride][j - 1] >= 0;
    totals.matched += matched ? 1 : 0;
    totals.cost += matched ? cost[ride][j - 1] : left_out[ride];
  }
  return totals;
}

}  // namespace hail::driver
