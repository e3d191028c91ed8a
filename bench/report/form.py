"""Writes figures as people read them. None is written as "not measured"."""

NOT_MEASURED = "not measured"


def known(text):
    """Makes a formatter write NOT_MEASURED if there is no value."""
    def form(value, *rest):
        return NOT_MEASURED if value is None else text(value, *rest)
    return form


@known
def number(value):
    """With at least three significant digits, and all digits before the point."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


@known
def whole(value):
    return f"{value:,.0f}"


@known
def times(value):
    return f"{value:.2f} ×"


@known
def percent(value):
    return f"{value * 100:.0f} %"


@known
def ms(us):
    return f"{us / 1000:.2f} ms" if us < 1_000_000 else f"{us / 1_000_000:.2f} s"


@known
def us(value):
    return f"{value:.1f} µs"


@known
def seconds(value):
    return f"{number(value)} s"


@known
def per_second(value):
    return f"{value:,.0f}/s"


@known
def size(value):
    """In decimal units, as the targets are."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(value) < 1000 or unit == "TB":
            return f"{number(value)} {unit}"
        value /= 1000
    return None


def series(values, form):
    """A figure's value in each round."""
    return ", ".join(form(value) for value in values) or NOT_MEASURED
