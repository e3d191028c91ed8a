"""Where things are in the repository."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "bench"
RESULTS = BENCH / "results"
CAPACITY = BENCH / "capacity.md"
BUILD = ROOT / "build/release"
