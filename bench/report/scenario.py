"""Runs one scenario. Its folder gets scenario.json beside the results of its loads."""

import json
import shutil
import time
from datetime import datetime, timezone

from .bench import Bench
from .load import Load, ScenarioProblem
from .scenarios import ALL
from .servers import Servers

PROBLEMS = (ScenarioProblem, AssertionError, OSError, RuntimeError)


def run_scenario(name, options, about, say):
    """Returns whether it ran to its end and no result is void."""
    module = ALL[name]
    folder = options.results / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    say(f"{name}: {module.TITLE}")
    began, problem = time.monotonic(), None
    load = Load(options.build, folder, lambda text: say(f"  {text}"))
    with Servers(options.build) as servers:
        bench = Bench(servers, load, options.quick)
        try:
            module.run(bench)
        except PROBLEMS as e:
            problem = f"{type(e).__name__}: {e}"
            say(f"  {name} could not run: {problem}")
    (folder / "scenario.json").write_text(json.dumps({
        "format": 1, "scenario": name, "title": module.TITLE, "what": module.WHAT, **about,
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"), "took_s": time.monotonic() - began,
        "problem": problem, "runs": load.runs, "facts": bench.facts, "servers": servers.commands,
        "configurations": servers.configurations,
    }, indent=1, ensure_ascii=False) + "\n")
    return problem is None and not any(run["void"] for run in load.runs)
