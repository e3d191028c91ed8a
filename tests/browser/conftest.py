"""Fixtures of the browser tests, and the table of what was played and credited at their end.

A scenario's name is its docstring; its figures go to `stage.account_for`, which states and judges them.
"""

import uuid
from pathlib import Path

import pytest
from account import Row
from media import films
from stage import House, Stage

PAGES = Path(__file__).parent / "pages"
TABLE = "seconds really played against seconds credited"


@pytest.fixture(scope="session")
def folders():
    return {"pages": PAGES, "media": films()}


def opened(house, folders, request):
    learner = f"teacher-{uuid.uuid4()}"
    stage = Stage(house, folders, learner, request.function.__doc__.strip().rstrip("."))
    yield stage
    stage.clear()
    request.node.user_properties += [("row", vars(row)) for row in stage.rows]


@pytest.fixture(scope="session")
def house(session_services, tmp_path_factory):
    house = House(tmp_path_factory.mktemp("house"), session_services)
    yield house
    house.close()


@pytest.fixture
def stage(house, folders, request):
    """In the house that the worker's tests share."""
    yield from opened(house, folders, request)


@pytest.fixture
def lesson(stage):
    """The page of lesson open-1, with a heartbeat each second."""
    return stage.set_up()


@pytest.fixture
def own_house(tmp_path, services):
    house = House(tmp_path, services)
    yield house
    house.close()


@pytest.fixture
def own_stage(own_house, folders, request):
    """For what would disturb others: clocks that are wound, servers that stop, browsers that die."""
    yield from opened(own_house, folders, request)


# --- the table ------------------------------------------------------------------------------------

def rows_of(reports):
    for report in reports:
        for name, value in getattr(report, "user_properties", []):
            if name == "row" and report.when == "teardown":
                yield Row(**value)


def pytest_terminal_summary(terminalreporter):
    reports = [report for some in terminalreporter.stats.values() for report in some]
    rows = sorted(rows_of(reports), key=lambda row: row.scenario)
    if not rows:
        return
    width = max(len(row.scenario) for row in rows)
    terminalreporter.section(TABLE)
    terminalreporter.write_line(f"{'scenario':{width}}  {'played':>7} {'credited':>9} {'contested':>10} {'refused':>8}")
    for row in rows:
        terminalreporter.write_line(f"{row.scenario:{width}}  {row.played:7.1f} {row.credited:9d} {row.contested:10d} "
                                    f"{row.refused:8d}")
    played, credited = sum(row.played for row in rows), sum(row.credited for row in rows)
    terminalreporter.write_line(f"{f'{len(rows)} scenarios':{width}}  {played:7.1f} {credited:9d}")
