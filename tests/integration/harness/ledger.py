"""Runs minuted-ledger, the worked consumer, and reads what it wrote."""

import subprocess

from .daemon import BUILD, SANITIZERS
from .service import environment


def ledger_program():
    return next((p for p in (BUILD / "minuted-ledger", BUILD / "bench" / "minuted-ledger") if p.exists()),
                BUILD / "minuted-ledger")


def run_ledger(*argv, seconds=60):
    """Runs it to its end; gives back exit code, standard output and standard error."""
    done = subprocess.run([ledger_program(), *map(str, argv)], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=seconds, env=environment(SANITIZERS))
    return done.returncode, done.stdout, done.stderr


class Ledger:
    def __init__(self, *a): pass
