"""The scoreboard: what each attack got from each counter for an hour of real time. tests/README.md shows all of its rows,
and the README the most telling ones."""

import os
import sys
from dataclasses import astuple, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BEGIN, END = "<!-- scoreboard -->", "<!-- /scoreboard -->"
WHOLE, TELLING = "tests/README.md", "README.md"
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


def page_path():
    """MINUTED_SCOREBOARD_PAGE names another page than tests/README.md; empty: none is compared, while the table is made."""
    name = os.environ.get("MINUTED_SCOREBOARD_PAGE", WHOLE)
    return ROOT / name if name else None


def section(text):
    """What stands between the markers."""
    assert text.count(BEGIN) == text.count(END) == 1, f"there is no section between {BEGIN} and {END}"
    return text.partition(BEGIN)[2].partition(END)[0].strip()


def rows_of(page):
    return section(page.read_text()).splitlines()[2:]


def attack_of(row):
    return row.split(" | ")[0].removeprefix("| ")


def check_page(row):
    """Whether the page shows ROW as measured just now."""
    if page_path():
        shown = [line for line in rows_of(page_path()) if attack_of(line) == row.attack]
        assert shown == [str(row)], "the page shows another result: tests/attacks/scoreboard --update"


def update_page(page, new_table):
    """Puts NEW_TABLE between the markers of PAGE."""
    text = page.read_text()
    section(text)
    head, tail = text.partition(BEGIN)[0], text.partition(END)[2]
    page.write_text(f"{head}{BEGIN}\n{new_table.strip()}\n{END}{tail}")


def telling(new_table, attacks):
    """NEW_TABLE's rows of ATTACKS alone."""
    kept = [line for line in new_table.strip().splitlines()[2:] if attack_of(line) in attacks]
    return "\n".join([HEAD, *kept])


def main(table_file, page=None):
    """Updates PAGE, or both pages of the repository."""
    new_table = Path(table_file).read_text()
    update_page(Path(page) if page else ROOT / WHOLE, new_table)
    if not page:
        first_page = ROOT / TELLING
        update_page(first_page, telling(new_table, set(map(attack_of, rows_of(first_page)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
