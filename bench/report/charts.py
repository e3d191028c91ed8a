"""Charts as inline SVG, so that the page needs no other file. The page's classes a to e give the colours. Pure."""

from html import escape

WIDTH = 720
LABEL, VALUE, BAR, GAP = 190, 110, 20, 10
LEFT, RIGHT, HEIGHT, BOTTOM = 56, 10, 150, 24


def bars(rows, form):
    """A bar for each of ROWS, (label, [part, …]). The parts stand one after another, each in its own colour."""
    known = [(label, parts) for label, parts in rows if parts and None not in parts]
    if not known:
        return ""
    scale = (WIDTH - LABEL - VALUE) / (max(sum(parts) for _, parts in known) or 1)
    out = []
    for i, (label, parts) in enumerate(known):
        y, x = i * (BAR + GAP), LABEL
        out.append(f'<text class="l" x="{LABEL - 8}" y="{y + 15}">{escape(label)}</text>')
        for part, colour in zip(parts, "abcde"):
            out.append(f'<rect class="{colour}" x="{x:.1f}" y="{y}" width="{part * scale:.1f}" height="{BAR}" rx="2"/>')
            x += part * scale
        out.append(f'<text x="{x + 6:.1f}" y="{y + 15}">{escape(form(sum(parts)))}</text>')
    return svg(len(known) * (BAR + GAP), out)


def lines(series, unit, marks=()):
    """Lines over time, from 0 up. SERIES: (label, [the value of each second, or None, …]); MARKS: (second, text)."""
    values = [value for _, points in series for value in points if value is not None]
    if not values:
        return ""
    n, top = max(len(points) for _, points in series), nice(max(values))
    def x(i): return LEFT + (WIDTH - LEFT - RIGHT) * i / max(1, n - 1)
    def y(v): return 6 + HEIGHT * (1 - v / top)
    out = [f'<line class="g" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(v):.1f}" y2="{y(v):.1f}"/>'
           f'<text class="l" x="{LEFT - 6}" y="{y(v) + 4:.1f}">{mark(v)}</text>' for v in (0, top / 2, top)]
    for second, text in marks:
        out.append(f'<line class="m" x1="{x(second):.1f}" x2="{x(second):.1f}" y1="6" y2="{6 + HEIGHT}"/>'
                   f'<text x="{x(second) + 4:.1f}" y="18">{escape(text)}</text>')
    for (_, points), colour in zip(series, "abcde"):
        out += [f'<polyline class="{colour}" points="{stretch}"/>' for stretch in stretches(points, x, y)]
    foot = HEIGHT + BOTTOM + 2
    out.append(f'<text x="{LEFT}" y="{foot}">0 s</text><text class="l" x="{WIDTH - RIGHT}" y="{foot}">{n} s</text>')
    legend = " · ".join(f'<span class="{colour}">{escape(label)}</span>' for (label, _), colour in zip(series, "abcde"))
    return f'<p class="legend">{legend}, {escape(unit)}</p>' + svg(foot + 6, out)


def stretches(points, x, y):
    """The polylines of POINTS, interrupted where a value is not known."""
    found, current = [], []
    for i, value in enumerate([*points, None]):
        if value is not None:
            current.append(f"{x(i):.1f},{y(value):.1f}")
        elif current:
            found.append(" ".join(current))
            current = []
    return found


def mark(value):
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.3g}"


def nice(value):
    """VALUE rounded up to 1, 2 or 5 times a power of ten."""
    step = 10.0 ** len(str(int(value))) / 10 if value >= 1 else 0.1
    return next((step * k for k in (1, 2, 5, 10) if step * k >= value), step * 10)


def svg(height, parts):
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img">{"".join(parts)}</svg>'
