"""The pure parts of bench/run: what its pages say follows from the results alone, also where there are few or none."""

import json
import re
import shutil
import sys

import pytest

from harness.daemon import ROOT

sys.path.append(str(ROOT / "bench"))

from report import capacity, charts, page_capacity, page_html, page_loads, page_markdown, pages  # noqa: E402
from report import story, targets, telling  # noqa: E402
from report.bench import Bench  # noqa: E402
from report.cores import shares  # noqa: E402
from report.form import NOT_MEASURED  # noqa: E402
from report.load import void_reason  # noqa: E402
from report.main import NAMES  # noqa: E402
from report.paths import CAPACITY, RESULTS  # noqa: E402
from report.results import Results, read_results  # noqa: E402
from report.story import SECTIONS  # noqa: E402
from report.storm_recovery import recovery  # noqa: E402

MACHINE = {"usable processors": 2, "model": "a model"}
EVERY_METRIC = {
    "runs_per_s": 20_000.0, "achieved": 20_000.0, "cpu_per_heartbeat": 10.0, "p50": 500.0, "p99": 1000.0,
    "p99.9": 2000.0, "refused": 0, "failed": 0, "accepted": 1000, "credited_s": 15_000, "memory_per_idle_connection": 500.0,
}


def result(**metrics):
    """A run's JSON; p999 stands for p99.9, cpu_minuted for cpu.minuted."""
    named = {name.replace("p999", "p99.9").replace("cpu_minuted", "cpu.minuted").replace("cpu_redis", "cpu.redis"): value
             for name, value in metrics.items()}
    return {"metrics": {**EVERY_METRIC, **named}, "verification": None, "seconds": [], "warmup_s": 0,
            "load": {"idle_connections": 10_000}, "processes": [{"memory": 6e6, "memory_before": 1e6}]}


def scenario(name, runs=None, facts=None, void=()):
    runs = runs or {}
    listed = [{"name": run, "title": run, "command": "c", "void": "too late" if run in void else None} for run in runs]
    return {"scenario": name, "title": f"Title of {name}", "what": "What.", "quick": False, "machine": MACHINE,
            "started": "2026", "problem": None, "servers": [], "configurations": [], "facts": facts or {},
            "results": runs, "runs": listed}


def results(*scenarios):
    return Results({found["scenario"]: found for found in scenarios})


def row(found, beginning):
    return next(r for r in targets.rows(found) if r.target.startswith(beginning))


# --- targets ------------------------------------------------------------------------------------

def floor_rounds(*pairs, void=()):
    """A round for each pair of what minuted and nginx take at saturation."""
    runs = {}
    for n, (mine, nginx) in enumerate(pairs, 1):
        runs[f"minuted-max-{n}"] = result(cpu_per_heartbeat=mine)
        runs[f"floor-max-{n}"] = result(cpu_per_heartbeat=nginx)
    return scenario("floor", runs, void=void)


AT_SATURATION = "CPU per credited heartbeat, daemon + Redis, over nginx `return 204`, at saturation"


@pytest.mark.parametrize("pairs, value, verdict", [
    ([(20, 10)], 2.0, "met"),
    ([(22, 10)], 2.2, "met"),
    ([(23, 10)], 2.3, "MISSED"),
    ([(20, 10), (60, 20), (42, 20)], 2.1, "met"),  # of the ratios 2.0, 3.0, 2.1, not of the medians
])
def test_ratios_are_taken_within_rounds(pairs, value, verdict):
    found = row(results(floor_rounds(*pairs)), AT_SATURATION)
    assert found.value == pytest.approx(value)
    assert found.verdict == verdict


def test_a_void_round_does_not_count():
    found = row(results(floor_rounds((20, 10), (90, 10), void=("minuted-max-2",))), AT_SATURATION)
    assert found.value == 2.0


def test_nothing_measured():
    rows = list(targets.rows(Results({})))
    assert len(rows) >= 15
    assert {r.verdict for r in rows} == {NOT_MEASURED}
    assert {r.measured for r in rows} == {NOT_MEASURED}
    assert telling.count(Results({})) == f"0 met, 0 missed, {len(rows)} not measured"


def test_the_best_peer_of_each_round():
    runs = {"minuted-1": result(cpu_per_heartbeat=10, achieved=30_000.0),
            "nginx-lua-1": result(cpu_per_heartbeat=40, achieved=14_000.0),
            "fastify-1": result(cpu_per_heartbeat=25, achieved=12_000.0),
            "evhttp-1": result(cpu_per_heartbeat=5, achieved=90_000.0)}  # borrows minuted's parts: shown, not counted
    found = results(scenario("saturation", runs))
    assert row(found, "CPU per credited heartbeat over the best peer").value == pytest.approx(0.4)
    assert row(found, "Saturation over the best peer").verdict == "met"


def test_without_one_of_the_peers_a_round_has_no_best():
    runs = {f"{name}-{n}": result(cpu_per_heartbeat=cpu, achieved=rate) for n in (1, 2) for name, cpu, rate in (
        ("minuted", 10, 30_000.0), ("nginx-lua", 40, 10_000.0), ("fastify", 80, 6_000.0))}
    runs["nginx-lua-1"]["metrics"].update(cpu_per_heartbeat=None, achieved=None)
    found = results(scenario("saturation", runs, void=["fastify-2"]))
    for beginning in ("CPU per credited heartbeat over the best peer", "Saturation over the best peer"):
        assert row(found, beginning).verdict == NOT_MEASURED


@pytest.mark.parametrize("refused, failed, verdict", [(0, 0, "met"), (1, 0, "MISSED"), (0, 2, "MISSED")])
def test_latency_is_missed_where_not_all_were_answered(refused, failed, verdict):
    runs = {"minuted-20k-1": result(), "minuted-20k-2": result(refused=refused, failed=failed), "floor-20k-1": result()}
    found = row(results(scenario("floor", runs)), "p99.9 at 20,000/s, memory")
    assert found.verdict == verdict
    assert (f"{refused} refused, {failed} failed" in found.of_which) == (verdict == "MISSED")


def looked_up(lost=0, extra=0, problem=None, expected=5000):
    return {**result(), "verification": {"problem": problem, "expected_s": expected, "lost_s": lost, "extra_s": extra}}


@pytest.mark.parametrize("steady, storm, verdict", [
    (looked_up(), looked_up(), "met"), (looked_up(lost=1), looked_up(), "MISSED"),
    (looked_up(), looked_up(extra=1), "MISSED"), (looked_up(), looked_up(problem="no Kafka"), NOT_MEASURED),
    (looked_up(), result(), NOT_MEASURED), (looked_up(expected=0), looked_up(), NOT_MEASURED)])
def test_no_second_is_lost_or_added(steady, storm, verdict):
    found = results(scenario("steady", {"verified": steady}), scenario("storm", {"storm": storm}, void=["storm"]))
    assert row(found, "No second lost or added").verdict == verdict


@pytest.mark.parametrize("floor_p99, mine, limit, verdict", [
    (1_000, 2_900, 3_000, "met"), (1_000, 3_100, 3_000, "MISSED"),
    (5_000, 5_900, 6_000, "met"), (5_000, 6_100, 6_000, "MISSED")])
def test_latency_is_judged_beside_the_floors_own(floor_p99, mine, limit, verdict):
    runs = {"minuted-20k-1": result(p99=mine), "floor-20k-1": result(p99=floor_p99)}
    found = row(results(scenario("floor", runs)), "p99 at 20,000/s, memory")
    assert (found.limit, found.verdict) == (limit, verdict)


@pytest.mark.parametrize("name, facts, beginning, value, verdict", [
    ("memory", {"bytes_per_minute": 29.0, "bytes_per_learner": 300.0}, "Redis memory", 29.0, "met"),
    ("memory", {"bytes_per_minute": 31.0, "bytes_per_learner": 300.0}, "Redis memory", 31.0, "MISSED"),
    ("catch-up", {"learner_minutes": 500_000, "settled_s": 7.0, "records": 1e6}, "A million", 14.0, "met"),
    ("catch-up", {"learner_minutes": 500_000, "settled_s": 8.0, "records": 1e6}, "A million", 16.0, "MISSED"),
    ("workers", {"skipped": "too few processors"}, "Two workers", None, NOT_MEASURED),
])
def test_targets_of_facts(name, facts, beginning, value, verdict):
    found = row(results(scenario(name, facts=facts)), beginning)
    assert found.value == (None if value is None else pytest.approx(value))
    assert found.verdict == verdict


def test_a_target_at_a_rate_is_missed_where_the_rate_was_not_reached():
    runs = {f"{name}-1": result(cpu_per_heartbeat=10, p99=100, achieved=achieved)
            for name, achieved in (("minuted-20k", 15_000.0), ("floor-20k", 20_000.0))}
    for run in runs.values():
        run["seconds"] = [{"offered_rate": 20_000.0}]
    found = results(scenario("floor", runs))
    for beginning in ("CPU per credited heartbeat, daemon + Redis, over nginx `return 204`, at 20,000/s", "p99 at 20,000/s"):
        missed = row(found, beginning)
        assert missed.value <= missed.limit and missed.verdict == "MISSED"
        assert "only 15,000/s of 20,000/s were answered" in missed.of_which


def test_other_targets():
    found = results(
        scenario("idle", {"idle": result(memory_per_idle_connection=1001.0)}),
        scenario("batches", {"single-1": result(cpu_per_heartbeat=12.0), "batch-1": result(cpu_per_heartbeat=2.0)}),
        scenario("durability", {"fsync-1": result(achieved=9000.0), "memory-1": result(achieved=10_000.0)}),
        scenario("scale", {"few": result(cpu_per_heartbeat=10.0), "many": result(cpu_per_heartbeat=12.0)},
                 {"few": 1000, "many": 1_000_000}))
    assert row(found, "User memory").verdict == "MISSED"
    assert row(found, "Gateway batches").value == 6.0
    assert row(found, "Durable saturation").verdict == "met"
    assert row(found, "CPU per heartbeat with 1,000,000 learners").verdict == "MISSED"


# --- loads --------------------------------------------------------------------------------------

@pytest.mark.parametrize("accepted, credited, words, reason", [
    (1000, 15_000, (), None), (1000, 1000, (), None), (1000, 999, (), "1,000 runs credited only 999 s"),
    (0, 0, (), "nothing was accepted"), (0, 0, ("--any-answer",), None)])
def test_a_run_credits_a_second_at_least(accepted, credited, words, reason):
    counts = {"accepted": accepted, "credited_s": credited}
    assert void_reason({"void_reason": None, "counts": counts}, words) == reason
    assert void_reason({"void_reason": "sent late", "counts": counts}, words) == "sent late"


@pytest.mark.parametrize("quick", [False, True])
def test_a_closed_loop_claims_the_same_at_any_speed(quick):
    words = Bench(None, None, quick).closed(players=123)
    for option, value in (("--backdate", "1h"), ("--claim", "15s"), ("--players", 123)):
        assert words[words.index(option) + 1] == value


def test_load_tables_tell_what_was_credited_and_of_which_processor():
    runs = {"minuted-max-1": result(runs_per_s=20_000.0, cpu_minuted=30.0, cpu_redis=10.0),
            "floor-max-1": result(achieved=40_000.0, runs_per_s=0.0)}
    runs["floor-max-1"]["metrics"]["cpu.nginx"] = 20.0
    section = story.SECTIONS["floor"](results(scenario("floor", runs)))
    nginx, mine = section.lines[:2]
    at = section.head.index("of one CPU: daemon or peer")
    assert (mine[section.head.index("credited a run")], mine[at:at + 2]) == ("15.0 s", ["60 %", "20 %"])
    assert nginx[at:at + 2] == ["80 %", story.NONE]
    assert all(len(line) == len(section.head) for line in section.lines)


def test_idle_memory_is_that_after_opening():
    lines = dict(story.SECTIONS["idle"](results(scenario("idle", {"idle": result()}))).lines)
    assert lines["daemon when all were open, before the load"] == "6.00 MB"  # 1 MB, and 500 B for each of 10,000


# --- a storm ------------------------------------------------------------------------------------

def second(p99_us, refused=0, offered=5000):
    return {"offered": offered, "refused": refused, "failed": 0,
            "latency_us": None if p99_us is None else [100, 200, p99_us, p99_us, p99_us]}


def test_recovery_from_a_storm():
    seconds = [second(1000)] * 5 + [second(None, 4000)] * 3
    seconds += [second(90_000, 500), second(30_000), second(1500), second(1900), second(1000), second(1000)]
    found = recovery(seconds, killed_s=5.2, back_s=8.0)
    assert (found.normal_us, found.unrefused_s, found.recovered_s) == (1000, 1.0, 2.0)


def test_a_storm_that_does_not_end():
    found = recovery([second(1000)] * 5 + [second(9000)] * 10, killed_s=5, back_s=8)
    assert found.unrefused_s == 0
    assert found.recovered_s is None


@pytest.mark.parametrize("value, text", [
    (None, "not within the load"), (0.0, "within 1 s after Redis was back"), (1.4, "within 2 s after Redis was back")])
def test_recovery_is_known_to_the_second(value, text):
    assert story.after(value) == text


# --- capacity -----------------------------------------------------------------------------------

def measured():
    return results(
        scenario("floor", {"fsync-20k-1": result(cpu_minuted=6.0, cpu_redis=9.0)}),
        scenario("idle", {"idle": result()}),
        scenario("memory", facts={"bytes_per_minute": 20.0, "bytes_per_learner": 400.0, "bytes_per_lesson": 50.0}),
        scenario("catch-up", facts={
            "learner_minutes": 1_000_000, "settled_s": 10.0, "daemon_cpu_s": 6.0, "redis_cpu_s": 3.0, "records": 2e6,
            "topics": {topic: {"bytes": 1e8, "records": 1e6}
                       for topic in (capacity.MINUTES_TOPIC, capacity.LESSONS_TOPIC)}}))


def test_what_a_million_players_need():
    need = capacity.Need(1_000_000, capacity.Measured(measured()))
    assert need.heartbeats == pytest.approx(66_667, rel=1e-4)
    assert need.daemon == pytest.approx(66_667 * 6e-6 + 16_667 * 6e-6, rel=1e-3)
    assert need.redis_cores == pytest.approx((66_667 * 9e-6 + 16_667 * 3e-6) / 0.6, rel=1e-3)
    assert need.window_bytes == 1_000_000 * 480 * 20
    assert need.kafka_rate == pytest.approx(1_000_000 / 60 * 200)
    assert capacity.redis_servers(need) == 2
    assert capacity.totals_bytes(capacity.Measured(measured())) == 13_000_000 * (400 + 14 * 50)


def test_what_breaks_first_comes_first():
    found = capacity.limits(capacity.Measured(measured()))
    players = [limit for _, limit in found]
    assert players == sorted(players) and len(found) == 4


@pytest.mark.parametrize("found", [Results({}), measured()], ids=["nothing", "all"])
def test_capacity_page(found):
    text = page_capacity.page(found)
    assert "$" not in text and "None" not in text
    assert (NOT_MEASURED in text) == (not found.scenarios)
    assert not re.search(rf"/s,? (of which|learner)|{NOT_MEASURED} [a-z]", text)


def test_what_publishing_adds_to_a_heartbeat():
    assert "it adds 2.2 µs of daemon and Redis" in telling.not_in_it(measured())  # 9 s for a million minutes of four
    assert "adds" not in telling.not_in_it(Results({}))


# --- pages --------------------------------------------------------------------------------------

def test_every_scenario_is_told():
    assert set(NAMES) == set(SECTIONS)


@pytest.mark.parametrize("name", SECTIONS)
def test_pages_of_a_scenario_that_found_nothing(name):
    found = results({**scenario(name), "problem": "no <room>"})
    assert "could not run to its end: no <room>" in page_markdown.page(found)
    page = page_html.page(found)
    assert "could not run to its end: no &lt;room&gt;" in page and "None" not in page


def test_pages_of_what_was_measured():
    found = results(floor_rounds((20, 10)), *measured().scenarios.values())
    for page in (page_markdown.page(found), page_html.page(found)):
        assert "2 processors" in page and "None" not in page
    assert not re.search(r'(src|href)="?https?:', page_html.page(found))


def test_void_runs_are_named():
    page = page_markdown.page(results(floor_rounds((20, 10), void=("floor-max-1",))))
    assert "floor-max-1 is void: too late" in page


@pytest.mark.parametrize("changed, told", [
    ({}, None), ({"commit": "b"}, "commit a / b"), ({"model": "another model"}, "model a model / another model")])
def test_results_that_were_not_made_together_are_told(changed, told):
    made = {**MACHINE, "commit": "a"}
    found = results({**scenario("floor"), "machine": made}, {**scenario("idle"), "machine": {**made, **changed}})
    for page in (page_markdown.page(found), page_html.page(found), page_capacity.page(found)):
        assert ("were not measured together" in page) == (told is not None)
        assert told is None or told in page


def loads_in(page):
    return json.loads(page.partition('id="result">')[2].partition("</script>")[0])["loads"]


def test_page_of_loads_holds_every_result():
    found = results(scenario("steady", {"memory": result()}), floor_rounds((20, 10), (30, 10)))
    del found.scenarios["floor"]["results"]["floor-max-2"]
    loads = loads_in(page_loads.page(found))
    assert [load["name"] for load in loads] == ["floor/minuted-max-1", "floor/floor-max-1", "floor/minuted-max-2", "steady/memory"]
    assert loads[2] == {"name": "floor/minuted-max-2", "scenario": "Title of floor", "result": result(cpu_per_heartbeat=30)}
    for page in (page_markdown.page(found), page_html.page(found)):
        assert set(re.findall(r"loads\.html#([\w/-]+)", page)) == {load["name"] for load in loads} | {"floor/floor-max-2"}


def test_page_of_loads_takes_text_as_text():
    titled = {**result(), "title": "</script><!--<b>&\u2028\u2029{{text}}{{json}}"}
    plain, page = (page_loads.page(results(scenario("idle", {"idle": run}))) for run in (result(), titled))
    assert loads_in(page)[0]["result"] == titled
    for part in ("<script", "</script", "<!--", "<b>", "\u2028"):
        assert page.count(part) == plain.count(part)


def test_published_pages_say_what_the_results_say(tmp_path):
    """`bench/run --pages` would write the same."""
    shutil.copytree(RESULTS, tmp_path / "results", ignore=shutil.ignore_patterns("*.html", "*.md", "*.hgrm"))
    pages.write(tmp_path / "results")
    for name in ("README.md", "index.html", "loads.html"):
        assert (tmp_path / "results" / name).read_text() == (RESULTS / name).read_text(), name
    assert (tmp_path / "results/capacity.md").read_text() == CAPACITY.read_text()
    assert sorted(path.name for path in RESULTS.rglob("*.html")) == ["index.html", "loads.html"]


def test_results_are_read_from_their_folders(tmp_path):
    kept = floor_rounds((20, 10))
    runs = kept.pop("results")
    (tmp_path / "floor").mkdir()
    (tmp_path / "floor/scenario.json").write_text(json.dumps(kept))
    for name, run in runs.items():
        (tmp_path / f"floor/{name}.json").write_text(json.dumps(run))
    assert row(read_results(tmp_path), AT_SATURATION).value == 2.0


@pytest.mark.parametrize("cpus, daemon, redis, load", [
    ([0], [0], [0], [0]), ([0, 1], [0], [1], [0, 1]), ([0, 1, 2, 3], [0], [1], [2, 3])])
def test_processors(cpus, daemon, redis, load):
    found = shares(cpus)
    assert (found["daemon"], found["redis"], found["load"]) == (daemon, redis, load)


@pytest.mark.parametrize("value, top", [(0.04, 0.1), (3, 5), (5, 5), (7, 10), (12, 20), (4999, 5000), (20_001, 50_000)])
def test_scale_of_a_chart(value, top):
    assert charts.nice(value) == pytest.approx(top)
