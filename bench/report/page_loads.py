"""The page that shows any of the loads: bench/load/page.html filled in with all results. Pure except that it reads it."""

import json

from . import story
from .paths import BENCH

TITLE = "minuted: each load"
UNSAFE = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def page(results):
    """The page holds the results itself, one a line, because a page opened from a disk may load no other file."""
    loads = ",\n".join(script_safe(load) for load in loads_of(results))
    template = (BENCH / "load/page.html").read_text()
    for place, text in (("{{title}}", TITLE), ("{{text}}", ""), ("{{json}}", f'{{"loads":[\n{loads}\n]}}')):
        before, found, after = template.partition(place)
        assert found, place
        template = before + text + after
    return template


def loads_of(results):
    """An entry for each run that has a result. The page takes the name from its address, after the #."""
    for scenario in filter(None, map(results.scenario, story.SECTIONS)):
        for run in scenario["runs"]:
            if result := scenario["results"].get(run["name"]):
                yield {"name": name_of(scenario, run), "scenario": scenario["title"], "result": result}


def name_of(scenario, run):
    return f"{scenario['scenario']}/{run['name']}"


def script_safe(value):
    """VALUE as JSON in which no tag can begin or end. JSON has the escaped characters only within strings."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(UNSAFE)
