"""What was found, as the pages ask for it: results by scenario and run, medians over rounds, ratios within rounds.

A void run says nothing: it counts as not measured. So does what is missing; None stands for it everywhere.
"""

import json
import re
from statistics import median

ROUND = re.compile(r"(.+)-(\d+)$")


def median_of(values):
    """Of those that were measured."""
    known = [value for value in values if value is not None]
    return median(known) if known else None


def ratio(part, whole):
    return None if part is None or not whole else part / whole


def figure(metrics, name):
    """One of METRICS; or made of them, credited_a_run and share.PROCESS: how much of one processor that took."""
    if name == "credited_a_run":
        return ratio(metrics.get("credited_s"), metrics.get("accepted"))
    if name.startswith("share."):
        cpu_us, rate = metrics.get(f"cpu.{name[6:]}"), metrics.get("runs_per_s") or metrics.get("achieved")
        return None if cpu_us is None or rate is None else cpu_us * rate / 1e6
    return metrics.get(name)


class Results:
    def __init__(self, scenarios):
        """SCENARIOS: name -> what its scenario.json says, with "results": name of the run -> its JSON."""
        self.scenarios = scenarios

    def scenario(self, name):
        return self.scenarios.get(name)

    def fact(self, scenario, *path):
        value = self.scenarios.get(scenario, {}).get("facts", {})
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def run(self, scenario, name):
        """The result of a run, unless it is missing or void."""
        found = self.scenarios.get(scenario, {})
        if any(run["name"] == name and run["void"] for run in found.get("runs", [])):
            return None
        return found.get("results", {}).get(name)

    def verification(self, scenario, name):
        """What was looked up in Redis and Kafka: as true where the load was uneven."""
        return self.scenarios.get(scenario, {}).get("results", {}).get(name, {}).get("verification")

    def metric(self, scenario, name, metric):
        run = self.run(scenario, name)
        return figure(run["metrics"], metric) if run else None

    def rounds(self, scenario):
        """The numbers of the rounds there were."""
        names = [ROUND.fullmatch(run["name"]) for run in self.scenarios.get(scenario, {}).get("runs", [])]
        return sorted({int(match[2]) for match in names if match})

    def in_rounds(self, scenario, name, metric):
        """The figure in each round."""
        return [self.metric(scenario, f"{name}-{n}", metric) for n in self.rounds(scenario)]

    def median(self, scenario, name, metric):
        """Over the rounds; of the only run where there are no rounds."""
        single = self.metric(scenario, name, metric)
        return single if single is not None else median_of(self.in_rounds(scenario, name, metric))

    def scheduled(self, scenario, name):
        """The greatest rate that was asked for, in any round; 0 in a closed loop."""
        runs = [self.run(scenario, name), *(self.run(scenario, f"{name}-{n}") for n in self.rounds(scenario))]
        return max((second["offered_rate"] for run in runs if run for second in run["seconds"]), default=0)

    def ratios(self, scenario, part, whole, metric):
        """PART's figure over WHOLE's, round by round."""
        return [ratio(a, b) for a, b in
                zip(self.in_rounds(scenario, part, metric), self.in_rounds(scenario, whole, metric))]


def read_results(folder):
    """All scenarios that have left something in FOLDER."""
    found = {}
    for file in sorted(folder.glob("*/scenario.json")):
        scenario = json.loads(file.read_text())
        files = {run["name"]: file.parent / f"{run['name']}.json" for run in scenario["runs"]}
        scenario["results"] = {name: json.loads(path.read_text()) for name, path in files.items() if path.exists()}
        found[scenario["scenario"]] = scenario
    return Results(found)
