"""A line chart as an SVG file, both axes logarithmic where asked."""
import math

WIDTH, HEIGHT, LEFT, RIGHT, BOTTOM, TOP = 700, 300, 64, 180, 44, 34
COLORS = ["#1b6ca8", "#c8553d", "#5a9367", "#8d6a9f", "#b08b00", "#444444"]


def _label(value):
    if value >= 1_000_000:
        return f"{value / 1_000_000:g}M"
    if value >= 1000:
        return f"{value / 1000:g}k"
    return f"{value:g}"


def _ticks(low, high, log):
    if not log:
        step = 10 ** math.floor(math.log10((high - low) or 1))
        while (high - low) / step < 4:
            step /= 2
        first = math.ceil(low / step)
        return [i * step for i in range(first, int(high / step) + 1)]
    ticks = []
    for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        ticks += [m * 10 ** power for m in (1, 2, 5) if low <= m * 10 ** power <= high]
    return ticks


def chart(title, x_title, y_title, series, log_x=False, log_y=False):
    """`series`: name → [(x, y), …]. The text of the file."""
    points = [point for line in series.values() for point in line]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    x_low, x_high = min(xs), max(xs)
    y_low, y_high = (min(ys) if log_y else 0), max(ys) * 1.05

    def scale(value, low, high, size, log):
        if log:
            value, low, high = math.log(value), math.log(low), math.log(high)
        return size * (value - low) / ((high - low) or 1)

    def at(x, y):
        return (LEFT + scale(x, x_low, x_high, WIDTH - LEFT - RIGHT, log_x),
                HEIGHT - BOTTOM - scale(y, y_low, y_high, HEIGHT - BOTTOM - TOP, log_y))

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="11">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           f'<text x="{LEFT}" y="18" font-size="13">{title}</text>',
           f'<text x="{LEFT}" y="{HEIGHT - 8}">{x_title}</text>',
           f'<text x="14" y="{HEIGHT - BOTTOM}" transform="rotate(-90 14 {HEIGHT - BOTTOM})">{y_title}</text>']
    for tick in _ticks(x_low, x_high, log_x):
        x, _ = at(tick, y_high)
        out.append(f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#eee"/>'
                   f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 14}" text-anchor="middle">{_label(tick)}</text>')
    for tick in _ticks(y_low, y_high, log_y):
        _, y = at(x_low, tick)
        out.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#eee"/>'
                   f'<text x="{LEFT - 4}" y="{y + 4:.1f}" text-anchor="end">{_label(tick)}</text>')
    for number, (name, line) in enumerate(series.items()):
        color = COLORS[number % len(COLORS)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(*point) for point in line))
        out.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.6"/>')
        out.append(f'<text x="{WIDTH - RIGHT + 6}" y="{TOP + 14 * number + 8}" fill="{color}">{name}</text>')
    return "\n".join(out) + "\n</svg>\n"
