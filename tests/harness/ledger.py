"""Runs minuted-ledger, the worked consumer, and reads what it says."""

import json
import sqlite3
import subprocess

from .daemon import BUILD, ROOT, SANITIZERS
from .records import read_topics
from .service import PATIENCE_S, environment

LEDGER = BUILD / "minuted-ledger"


def run_ledger(*argv, seconds=PATIENCE_S):
    """Runs it to its end; gives back exit code, standard output and standard error."""
    done = subprocess.run([LEDGER, *map(str, argv)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=seconds, env=environment(SANITIZERS))
    return done.returncode, done.stdout, done.stderr


def write_ledger(path, totals=(), minutes=(), program="winter-2023"):
    """A database as `follow` leaves it, or more in one that is there: TOTALS are (portal, learner, lesson, course, seconds),
    MINUTES the same with the minute's start before its seconds, which are the first ones of the minute."""
    made = path.exists()
    with sqlite3.connect(path) as db:
        if not made:
            db.executescript((ROOT / "daemon" / "ledger" / "schema.sql").read_text())
            db.execute(f"PRAGMA application_id = {int.from_bytes(b'mntL', 'big')}")
            db.execute("PRAGMA user_version = 4")
            db.execute("INSERT INTO kafka VALUES ('minuted', '')")
        db.executemany("INSERT INTO learner_lessons VALUES (?6, ?1, ?2, ?3, ?4, 1, ?5, ?5, 1674187200, 1, ?5, ?5, 0, 0, 0)",
                       [(*row, program) for row in totals])
        db.executemany("INSERT INTO learner_minutes VALUES (?7, ?1, ?2, ?5, ?3, ?4, ?6, ?6, 0, 0, 0)",
                       [(*row[:5], (1 << row[5]) - 1, program) for row in minutes])
    return path


def totals_by_key(report):
    """(learner, lesson) -> watched seconds of a report of totals in JSON."""
    return {(f"{row['portal']}/{row['learner_id']}", row["lesson_id"]): row["watched_seconds"]
            for row in json.loads(report)}


class Ledger:
    """One database."""

    def __init__(self, database, brokers, catalog):
        self.database, self.brokers, self.catalog = database, brokers, catalog

    def follow(self, *argv):
        """Reads all that is in the topics now."""
        read_topics(self.brokers)  # all that was committed can be read
        code, _, errors = run_ledger("follow", "--brokers", self.brokers, "--db", self.database,
                                     "--until-idle", "0.3", *argv)
        assert code == 0, errors
        return self

    def report(self, command, *argv):
        """What a command says; it must say that all is well."""
        code, output, errors = run_ledger(command, "--db", self.database, *argv)
        assert code == 0, output + errors
        return output

    def totals(self):
        """(learner, lesson) -> watched seconds; last record, greatest and evidence agree."""
        return totals_by_key(self.report("totals", "--format", "json"))

    def hours(self, *argv):
        """learner -> its part of the report."""
        rows = json.loads(self.report("hours", "--catalog", self.catalog, "--format", "json", *argv))
        return {f"{row['portal']}/{row['learner_id']}": row for row in rows}

    def dump(self):
        """Every row of every table."""
        with sqlite3.connect(self.database) as db:
            tables = [name for name, in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")]
            return {table: sorted(db.execute(f"SELECT * FROM {table}").fetchall()) for table in tables}
