"""The report as Markdown. Pure."""

from . import story, telling
from .page_loads import name_of
from .targets import rows


def markdown(head, lines):
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *lines])


def page(results):
    parts = ["# What was measured", telling.INTRODUCTION,
             "The same with charts: [index.html](index.html). Each load, second by second: [loads.html](loads.html). "
             "What it comes to for a nation of teachers: `capacity.md`."]
    parts += [f"**{text}**" for text in telling.warnings(results)]
    parts += [f"## The targets: {telling.count(results)}", targets(results), "## How to read this", telling.HOW_TO_READ,
              telling.not_in_it(results)]
    machine = telling.machine_of(results)
    if machine:
        parts += [telling.sharing(machine), "## The machine", markdown(["", ""], [[k, str(v)] for k, v in machine.items()])]
    parts += [scenario(results, name) for name in story.SECTIONS if results.scenario(name)]
    parts.append(f"All of it again: `{telling.REPEAT}`.")
    return "\n\n".join(parts) + "\n"


def targets(results):
    return markdown(["target", "wanted", "measured", "", "of which"],
                    [[row.target, row.wanted, row.measured, verdict(row), row.of_which] for row in rows(results)])


def verdict(row):
    return f"**{row.verdict}**" if row.verdict == "MISSED" else row.verdict


def scenario(results, name):
    found, section = results.scenario(name), story.SECTIONS[name](results)
    parts = [f"## {found['title']}", found["what"], *(f"**{text}**" for text in telling.troubles(found))]
    if section.lines:
        parts.append(markdown(section.head, section.lines))
    parts += section.text
    if found["runs"]:
        parts.append("\n".join(f"- [{run['title']}](loads.html#{name_of(found, run)}) ([JSON]({name_of(found, run)}.json), "
                               f"[.hgrm]({name_of(found, run)}.hgrm))" for run in found["runs"]))
        parts.append(details("Commands", commands(found)))
    return "\n\n".join(parts)


def details(title, text):
    return f"<details><summary>{title}</summary>\n\n```\n{text}\n```\n\n</details>"


def commands(found):
    """The commands as they were given, and the first daemon's configuration. The others differ in addresses and durability."""
    return "\n".join([*found["servers"], *(run["command"] for run in found["runs"]),
                      *(f"\n# minuted.yaml\n{text}" for text in found["configurations"][:1])]).strip()
