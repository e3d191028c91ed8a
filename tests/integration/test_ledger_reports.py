"""minuted-ledger's reports of ledgers that are written for them: hours by the rules of 2023, and totals of many rows."""

import csv
import json
import sqlite3

import pytest

from harness.daemon import ROOT
from harness.ledger import run_ledger, write_ledger

CATALOG = ROOT / "config" / "winter-2023.yaml"
HOUR = 45 * 60
COURSES = {"live-teaching-safety": "lts-1-1", "party-congress-20": "pc20-1", "teacher-ethics": "te-1",
           "teacher-care-forum": "tcf-1", "huang-danian-teams": "hdt-1"}
ALL = [HOUR, 2 * HOUR, HOUR, HOUR, HOUR]
LAST = "huang-danian-teams"

# (portal, learner, seconds of each course, courses whose test was passed,
#  hours certified, certificate, courses that are missing)
LEARNERS = [
    ("basic", "all", ALL, "", 6, True, []),
    ("basic", "more", [10 * HOUR] * 5, "", 6, True, []),
    ("basic", "second-short", [*ALL[:4], HOUR - 1], "", 5, False, [LAST]),
    ("basic", "half-of-two", [0, HOUR, 0, 0, 0], "", 0, False, list(COURSES)),
    ("basic", "second-short-of-two", [0, 2 * HOUR - 1, 0, 0, 0], "", 0, False, list(COURSES)),
    ("basic", "one-course", [9 * HOUR, 0, 0, 0, 0], "", 1, False, list(COURSES)[1:]),
    ("higher", "all", ALL, "11111", 6, True, []),
    ("higher", "more", [10 * HOUR] * 5, "11111", 6, True, []),
    ("higher", "no-tests", ALL, "00000", 0, False, list(COURSES)),
    ("higher", "one-test", ALL, "01000", 2, True, [c for c in COURSES if c != "party-congress-20"]),
    ("higher", "second-short", [*ALL[:4], HOUR - 1], "11111", 5, True, [LAST]),
    ("vocational", "last-test", ALL, "11110", 5, True, [LAST]),
    ("vocational", "nothing", [1, 0, 0, 0, 0], "11111", 0, False, list(COURSES)),
]
IDS = [f"{row[0]}-{row[1]}" for row in LEARNERS]


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """What `hours` says, by format."""
    directory = tmp_path_factory.mktemp("hours")
    database = write_ledger(directory / "ledger.db", [
        (portal, learner, lesson, course, watched) for portal, learner, seconds, *_ in LEARNERS
        for (course, lesson), watched in zip(COURSES.items(), seconds) if watched > 0])
    passes = directory / "passes.csv"
    passes.write_text("portal,learner,course\n" + "".join(
        f"{row[0]},{row[1]},{course}\n" for row in LEARNERS for course, p in zip(COURSES, row[3]) if p == "1"))

    def report(form, *argv):
        code, output, errors = run_ledger("hours", "--db", database, "--catalog", CATALOG, "--passes", passes,
                                          "--format", form, *argv)
        assert code == 0 and errors == "", errors
        return output
    return report


@pytest.mark.parametrize("row", LEARNERS, ids=IDS)
def test_hours_and_certificate_are_two_figures(reports, row):
    portal, learner, seconds, passed, certified, certificate, missing = row
    who = ["--portal", portal, "--learner", learner]
    one, = json.loads(reports("json", *who))
    assert one["hours_learned"] == round(sum(seconds) / HOUR, 4)
    assert one["hours_certified"] == certified and one["certificate"] is certificate
    assert one["complete"] is (missing == []) and one["missing_courses"] == missing

    rows = list(csv.DictReader(reports("csv", *who).splitlines()))
    assert [r["course_id"] for r in rows] == list(COURSES)
    for r in rows:
        assert float(r["hours_learned"]) == one["hours_learned"] and float(r["hours_certified"]) == certified
        assert r["certificate"] == ("yes" if certificate else "no")
        assert (r["missing_seconds"] != "0" or r["test_missing"] == "1") is (r["course_id"] in missing)
    assert sum(float(r["course_hours"]) for r in rows) == certified

    text = reports("text", *who).splitlines()
    assert text[0].startswith(f"{portal}/{learner}: {sum(seconds) * 100 // HOUR / 100:.2f} hours learned, "
                              f"{certified} of 6 hours certified, {'' if certificate else 'no '}certificate")
    for course, line in zip(COURSES, text[1:6]):
        assert line.split()[0] == course
        assert ("missing" in line or "test not passed" in line) is (course in missing)


def test_hours_of_a_portal(reports):
    for portal in ("basic", "higher", "vocational"):
        expected = [row for row in LEARNERS if row[0] == portal]
        report = json.loads(reports("json", "--portal", portal))
        assert {one["learner_id"] for one in report} == {row[1] for row in expected}
        last = reports("text", "--portal", portal).splitlines()[-1]
        assert last == (f"{len(expected)} learners, {sum(row[4] > 0 for row in expected)} with certified hours, "
                        f"{sum(row[5] for row in expected)} with a certificate (winter-2023)")


# --- totals ---------------------------------------------------------------------------------------

MINUTE = 1674187200


def test_totals_put_total_and_evidence_together(tmp_path):
    database = write_ledger(
        tmp_path / "ledger.db",
        [("p", "both", "l-1", "c", 90), ("p", "both", "l-2", "c", 5), ("q", "total-only", "l-1", "c", 7)],
        [("p", "both", "l-1", "c", MINUTE, 60), ("p", "both", "l-1", "c", MINUTE + 60, 30),
         ("p", "both", "l-2", "c", MINUTE, 5), ("p", "evidence-only", "l-1", "d", MINUTE, 9)])
    code, output, errors = run_ledger("totals", "--db", database, "--format", "json")
    assert code == 1 and not errors
    assert [(r["learner_id"], r["lesson_id"], r["course_id"], r["watched_seconds"], r["evidence_seconds"], r["agrees"])
            for r in json.loads(output)] == [
        ("both", "l-1", "c", 90, 90, True), ("both", "l-2", "c", 5, 5, True),
        ("evidence-only", "l-1", "d", 0, 9, False), ("total-only", "l-1", "c", 7, 0, False)]
    for argv, code in ((["--learner", "both"], 0), (["--portal", "q"], 1), (["--portal", "p", "--learner", "both"], 0)):
        assert run_ledger("totals", "--db", database, *argv)[0] == code


def test_totals_of_many_rows(tmp_path):
    """Time in proportion to the rows: when it grew with their square, these took five minutes and more."""
    n = 40_000
    database = write_ledger(
        tmp_path / "ledger.db",
        [("p", f"t-{i // 2}", f"l-{i % 2}", "c", 90) for i in range(n)],
        [("p", f"t-{i // 2}", f"l-{i % 2}", "c", MINUTE + 60 * (2 * (i % 2) + k), 60 - 30 * k)
         for i in range(n) for k in range(2)])
    code, output, errors = run_ledger("totals", "--db", database)
    assert code == 0, errors
    assert output.splitlines()[-1] == f"{n} rows, all agree: last record = greatest = evidence"
    assert output.startswith("winter-2023  p/t-0  l-0  watched 90 s, covered 90 s\n")


# --- programs -------------------------------------------------------------------------------------

@pytest.fixture
def two_programs(tmp_path):
    """The same learner, lesson and minute in two programs, and somebody who is in one of them alone."""
    database = tmp_path / "ledger.db"
    write_ledger(database, [("higher", "both", "lts-1-1", "live-teaching-safety", HOUR),
                            ("higher", "both", "of-no-course", "live-teaching-safety", 5)],
                 [("higher", "both", "lts-1-1", "live-teaching-safety", MINUTE, 60)])
    write_ledger(database, [("higher", "both", "lts-1-1", "live-teaching-safety", 7), ("basic", "late", "lts-1-1", "c", 9)],
                 [("higher", "both", "lts-1-1", "live-teaching-safety", MINUTE, 7)], program="summer-2024")
    with sqlite3.connect(database) as db:
        db.execute("INSERT INTO watermarks VALUES ('summer-2024', 'd', -1, ?1, ?1, 0, 0, ?1, ?1, 0, 0, 0, 0, 0)",
                   (MINUTE + 60,))
        db.execute("INSERT INTO watermarks VALUES ('summer-2024', 'd', 3, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0)")
    return database


def test_hours_are_those_of_the_catalogs_program(two_programs):
    argv = ["--db", two_programs, "--catalog", CATALOG, "--format", "json"]
    code, output, errors = run_ledger("hours", *argv)
    assert code == 0, errors
    assert [(r["learner_id"], r["courses"][0]["watched_seconds"]) for r in json.loads(output)] == [("both", HOUR)]
    assert len(errors.splitlines()) == 2 and "1 totals belong to lessons that are not in catalog" in errors, errors
    assert "2 totals belong to other programs than 'winter-2023'" in errors, errors
    code, _, errors = run_ledger("hours", *argv, "--portal", "higher")
    assert code == 0 and "1 totals belong to other programs" in errors, errors
    code, _, errors = run_ledger("hours", *argv, "--learner", "late")
    assert code == 1 and "no learner 'late' in program winter-2023" in errors, errors


def test_totals_say_their_program(two_programs):
    code, output, _ = run_ledger("totals", "--db", two_programs, "--format", "json")
    assert [(r["program"], r["learner_id"], r["lesson_id"], r["watched_seconds"], r["evidence_seconds"])
            for r in json.loads(output)] == [
        ("summer-2024", "late", "lts-1-1", 9, 0), ("summer-2024", "both", "lts-1-1", 7, 7),
        ("winter-2023", "both", "lts-1-1", HOUR, 60), ("winter-2023", "both", "of-no-course", 5, 0)]
    code, output, _ = run_ledger("totals", "--db", two_programs, "--program", "summer-2024", "--learner", "both")
    assert code == 0 and output.splitlines()[0] == "summer-2024  higher/both  lts-1-1  watched 7 s, covered 7 s"
    assert output.splitlines()[1].startswith("1 row, all agree")
    assert run_ledger("totals", "--db", two_programs, "--program", "")[0] == 2


def test_why_wants_a_program_if_there_are_more_than_one(two_programs, tmp_path):
    argv = ["why", "--db", two_programs, "--portal", "higher", "--learner", "both", "--minute", MINUTE]
    code, output, errors = run_ledger(*argv)
    assert code == 1 and not output and "--program must name one of summer-2024, winter-2023" in errors, errors
    for more, program, seconds, final in ((["--program", "winter-2023"], "winter-2023", 60, "is not final yet"),
                                          (["--program", "summer-2024"], "summer-2024", 7, "is final"),
                                          (["--catalog", CATALOG], "winter-2023", 60, "is not final yet")):
        code, output, errors = run_ledger(*argv, *more)
        lines = output.splitlines()
        assert code == 0 and lines[0].startswith(f"higher/both, program {program}, minute {MINUTE} (2023-01-20T"), errors
        assert f" {seconds} s  minuted.learner-minutes partition" in lines[3] and f"The minute {final}" in lines[-1], output
    code, output, errors = run_ledger(*argv, "--catalog", CATALOG, "--program", "summer-2024")
    assert code == 1 and not output and "'winter-2023', not 'summer-2024'" in errors, errors

    one = write_ledger(tmp_path / "one.db", minutes=[("higher", "both", "l", "c", MINUTE, 9)], program="only-one")
    code, output, errors = run_ledger(*argv[:2], one, *argv[3:])
    assert code == 0 and "program only-one" in output, errors
