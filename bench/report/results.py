"""Answers what the pages ask of the results: by scenario and run, as medians over rounds, as ratios within rounds.

A void run counts as not measured, and so does a missing one. None stands for "not measured" everywhere.
"""

import json
import re
from statistics import median

ROUND = re.compile(r"(.+)-(\d+)$")


def median_of(values):
    """The median of the values that were measured."""
    known = [value for value in values if value is not None]
    return median(known) if known else None


def ratio(part, whole):
    return None if part is None or not whole else part / whole


def figure(metrics, name):
    """One of METRICS, or computed from them: credited_a_run, or share.PROCESS, how much of one processor that process used."""
    if name == "credited_a_run":
        return ratio(metrics.get("credited_s"), metrics.get("accepted"))
    if name.startswith("share."):
        cpu_us, rate = metrics.get(f"cpu.{name[6:]}"), metrics.get("runs_per_s") or metrics.get("achieved")
        return None if cpu_us is None or rate is None else cpu_us * rate / 1e6
    return metrics.get(name)


class Results:
    def __init__(self, scenarios):
        """SCENARIOS: name -> the content of its scenario.json, with "results" added: name of the run -> its JSON."""
        self.scenarios = scenarios

    def scenario(self, name):
        return self.scenarios.get(name)

    def fact(self, scenario, *path):
        value = self.scenarios.get(scenario, {}).get("facts", {})
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def run(self, scenario, name):
        """The result of a run; None if it is missing or void."""
        found = self.scenarios.get(scenario, {})
        if any(run["name"] == name and run["void"] for run in found.get("runs", [])):
            return None
        return found.get("results", {}).get(name)

    def verification(self, scenario, name):
        """What a run found in Redis and Kafka. It counts even if the run is void, because an uneven load does not change it."""
        return self.scenarios.get(scenario, {}).get("results", {}).get(name, {}).get("verification")

    def metric(self, scenario, name, metric):
        run = self.run(scenario, name)
        return figure(run["metrics"], metric) if run else None

    def rounds(self, scenario):
        """The numbers of the rounds that were run."""
        names = [ROUND.fullmatch(run["name"]) for run in self.scenarios.get(scenario, {}).get("runs", [])]
        return sorted({int(match[2]) for match in names if match})

    def in_rounds(self, scenario, name, metric):
        """The figure in each round."""
        return [self.metric(scenario, f"{name}-{n}", metric) for n in self.rounds(scenario)]

    def median(self, scenario, name, metric):
        """The median over the rounds, or the figure of the only run if there are no rounds."""
        single = self.metric(scenario, name, metric)
        return single if single is not None else median_of(self.in_rounds(scenario, name, metric))

    def scheduled(self, scenario, name):
        """The highest rate that was asked for in any round; 0 in a closed loop."""
        runs = [self.run(scenario, name), *(self.run(scenario, f"{name}-{n}") for n in self.rounds(scenario))]
        return max((second["offered_rate"] for run in runs if run for second in run["seconds"]), default=0)

    def ratios(self, scenario, part, whole, metric):
        """PART's figure divided by WHOLE's, round by round."""
        return [ratio(a, b) for a, b in
                zip(self.in_rounds(scenario, part, metric), self.in_rounds(scenario, whole, metric))]


def read_results(folder):
    """All scenarios that have results in FOLDER."""
    found = {}
    for file in sorted(folder.glob("*/scenario.json")):
        scenario = json.loads(file.read_text())
        files = {run["name"]: file.parent / f"{run['name']}.json" for run in scenario["runs"]}
        scenario["results"] = {name: json.loads(path.read_text()) for name, path in files.items() if path.exists()}
        found[scenario["scenario"]] = scenario
    return Results(found)
