"""Fixtures of the attacks, and the scoreboard at the end of the run, which MINUTED_SCOREBOARD names a file for, too."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from harness.catalog import NOW_MS

from board import Row, check_page, table
from contest import Contest
from naive_http import NaiveDaemon

PROPERTY = "scoreboard"


@pytest.fixture
def naive():
    daemon = NaiveDaemon(NOW_MS)
    yield daemon
    daemon.close()


@pytest.fixture
def keep_row(record_property):
    """Puts an attack's row on the scoreboard, and fails where tests/README.md shows another one."""
    def keep(spec, row):
        record_property(PROPERTY, json.dumps({"order": spec.order, "row": asdict(row)}))
        check_page(row)
    return keep


@pytest.fixture
def contest(shared, naive, keep_row):
    return Contest(shared, naive, keep_row)


def reported_rows(reporter):
    """Rows of this run, in their order; workers' reports bring theirs along."""
    reports = [report for reports in reporter.stats.values() for report in reports]
    values = [json.loads(value) for report in reports if getattr(report, "when", "") == "call"
              for name, value in report.user_properties if name == PROPERTY]
    return [Row(**value["row"]) for value in sorted(values, key=lambda value: value["order"])]


def pytest_terminal_summary(terminalreporter):
    rows = reported_rows(terminalreporter)
    if rows:
        terminalreporter.section("hours credited for an hour of real time")
        terminalreporter.write_line(table(rows))
        if "MINUTED_SCOREBOARD" in os.environ:
            Path(os.environ["MINUTED_SCOREBOARD"]).write_text(table(rows) + "\n")
