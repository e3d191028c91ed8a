"""The scoreboard: what each attack got from each counter for an hour of real time, and the README's copy of it."""

import os
import sys
from dataclasses import astuple, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BEGIN, END = "<!-- scoreboard -->", "<!-- /scoreboard -->"
HEAD = ("| attack | real time | naive counter | minuted | what stopped it |\n"
        "| --- | --- | --- | --- | --- |")


@dataclass(frozen=True)
class Row:
    attack: str
    real_time: str
    naive: str
    minuted: str
    stopped: str

    def __str__(self):
        return "| " + " | ".join(astuple(self)) + " |"


def per_hour(credited_seconds, real_seconds):
    """Hours credited for each hour that passed; the digits shown are all that is compared."""
    hours = credited_seconds / real_seconds
    if hours > 1_000_000:
        return "> 1,000,000"
    return f"{hours:.2f}" if hours < 5 else f"{hours:,.1f}"


def duration(seconds):
    """"1 h", "26 h" or "20 s"."""
    return f"{round(seconds / 3600)} h" if seconds >= 3000 else f"{round(seconds)} s"


def table(rows):
    return "\n".join([HEAD, *map(str, rows)])


def readme_path():
    """MINUTED_README names another README; empty: none is compared, while its table is being made."""
    name = os.environ.get("MINUTED_README", "README.md")
    return ROOT / name if name else None


def section(text):
    """What stands between the markers."""
    assert text.count(BEGIN) == text.count(END) == 1, f"the README has no section between {BEGIN} and {END}"
    return text.partition(BEGIN)[2].partition(END)[0].strip()


def readme_rows():
    return section(readme_path().read_text()).splitlines()[2:]


def check_readme(row):
    """Whether the README shows ROW as measured just now."""
    if readme_path():
        shown = [line for line in readme_rows() if line.startswith(f"| {row.attack} |")]
        assert shown == [str(row)], "the README shows another result: tests/attacks/scoreboard --update"


def update_readme(path, new_table):
    """Puts NEW_TABLE between the markers of PATH."""
    text = path.read_text()
    section(text)
    head, tail = text.partition(BEGIN)[0], text.partition(END)[2]
    path.write_text(f"{head}{BEGIN}\n{new_table.strip()}\n{END}{tail}")


if __name__ == "__main__":
    update_readme(Path(sys.argv[2]), Path(sys.argv[1]).read_text())
