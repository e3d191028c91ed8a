"""The page of --dev, as a visitor sees it: its cells are Redis's own seconds, and what it says of a cheat is what was answered."""

import re
import uuid
from urllib.parse import urlencode

import pytest
import yaml

from harness.browser import Browser
from harness.daemon import ROOT
from harness.player import bearer
from harness.redis_truth import Truth
from harness.service import wait_until

PORTAL = "demo"
LESSONS = ("demo-1", "demo-2")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
CHANGES = {"catalog": str(ROOT / "config/demo.yaml"), "heartbeats": {"interval": "1s"}, "http": {"base_path": "/learn"}}

# Keeps each heartbeat of the page and its answer as they went over the wire.
WIRE = """
window.wire = [];
const fetched = window.fetch;
window.fetch = async (url, options) => {
  const answer = await fetched(url, options);
  if (answer.ok && String(url).endsWith("/v1/heartbeats")) {
    const {results} = await answer.clone().json(), body = JSON.parse(options.body);
    const runs = (body.heartbeats || [body]).flatMap(heartbeat => heartbeat.runs);
    results.forEach((result, i) => wire.push({result, run: runs[i]}));
  }
  return answer;
};
"""


class Page:
    """The page of one learner, in the browser's current tab."""

    def __init__(self, browser, minuted, redis, sub):
        self.browser, self.minuted, self.redis, self.sub = browser, minuted, redis, sub
        self.origin = f"http://127.0.0.1:{minuted.port}"
        self.tab = None

    def open(self, **query):
        self.tab = self.browser.tab
        self.browser.goto(f"{self.origin}{self.minuted.base}/dev/?{urlencode({'sub': self.sub, 'portal': PORTAL, **query})}")
        return self.wait_ready()

    def wait_ready(self):
        wait_until(lambda: self.run("return video.readyState > 2 && !!state.clock"), "the page is ready")
        return self

    def run(self, script, *arguments):
        return self.browser.run(script, *arguments)

    def text(self, name):
        return self.run("return document.getElementById(arguments[0]).textContent", name)

    def number(self, name):
        return int(self.text(name))

    def click(self, name):
        self.run("document.getElementById(arguments[0]).click()", name)

    def click_on(self, group, value):
        self.run("document.querySelector(`#${arguments[0]} [value='${arguments[1]}']`).click()", group, value)

    # --- playing ----------------------------------------------------------------------------------

    def played_to(self):
        return self.run("return video.currentTime")

    def play(self, seconds, meanwhile=lambda: None):
        wanted = self.played_to() + seconds
        self.run("video.play()")
        wait_until(lambda: (meanwhile(), self.played_to() >= wanted)[1], f"{seconds} s are played", seconds * 3 + 20)

    def pause(self):
        """Until all is answered and drawn."""
        self.run("video.pause()")
        wait_until(lambda: self.run("return state.tracker.flush()"), "everything is answered")
        wait_until(lambda: self.lit_seconds() == self.held() and self.progress_drawn(), "the page shows what Redis holds")

    def progress_drawn(self):
        return self.run("return state.minutes === state.progressOf")

    # --- what is seen and what is held ------------------------------------------------------------

    def cells(self, name):
        """The seconds of this minute whose cells look like NAME."""
        return self.run("""
            drawMinute();
            const start = Math.floor(serverNow() / 60000) * 60, cells = [...document.querySelectorAll("#cells i")];
            return cells.flatMap((cell, i) => cell.classList.contains(arguments[0]) ? [start + i] : []);""", name)

    def lit_seconds(self):
        """lesson -> the seconds lit in this minute's cells."""
        return {lesson: set(seconds) for lesson in LESSONS if (seconds := self.cells(lesson))}

    def held(self, everything=False):
        """lesson -> the seconds that Redis holds, of the page's minute alone or of all."""
        start = self.run("return Math.floor(serverNow() / 60000) * 60")
        held = {}
        for (learner, lesson, minute), seconds in Truth(self.redis.client).minutes.items():
            if learner == f"{PORTAL}/{self.sub}" and (everything or minute == start):
                held.setdefault(lesson, set()).update(minute + second for second in seconds)
        return held

    def held_in_all(self):
        return {lesson: len(seconds) for lesson, seconds in self.held(everything=True).items()}

    def shown_minutes(self):
        """What the page says of each of the ten minutes, added up."""
        self.run("drawMinute(); drawPast()")
        counts = self.run("return [...document.querySelectorAll('#past li')].map(li => li.lastChild.textContent)")
        return self.number("minute-count") + sum(int(n) for n in counts if n != "–")

    def progress(self):
        client, base = self.minuted.client, self.minuted.base
        token = client.get(f"{base}/dev/token?{urlencode({'sub': self.sub, 'portal': PORTAL})}").json()["token"]
        return client.get(f"{base}/v1/progress", headers=bearer(token)).json()

    def rows(self, name):
        return self.run("return [...document.getElementById(arguments[0]).rows].map(r => [...r.cells].map(c => c.textContent))", name)

    def wire(self):
        return self.run("return wire")


def clock(seconds):
    return f"{seconds // 60}:{seconds % 60:02d}"


@pytest.fixture(scope="module")
def demo(new_shared, shared_redis):
    return new_shared(shared_redis, name="demo", changes=CHANGES).start()


@pytest.fixture(scope="module")
def new_browser(tmp_path_factory, shared_services):
    made = []

    def new(language, **preferences):
        browser = Browser(tmp_path_factory.mktemp("chromium"),
                          preferences={"intl.accept_languages": language, **preferences})
        made.append(browser)
        shared_services.append(browser)
        browser.start().cdp("Page.addScriptToEvaluateOnNewDocument", source=WIRE)
        return browser

    yield new
    for browser in made:
        browser.quit()


@pytest.fixture(scope="module")
def chinese(new_browser):
    return new_browser("zh-CN,zh,en")


@pytest.fixture
def page(chinese, demo, shared_redis):
    """In Chinese; no error in the console, and nothing loaded from elsewhere."""
    page = Page(chinese, demo, shared_redis, f"teacher-{uuid.uuid4()}").open()
    chinese.driver.get_log("browser")
    yield page
    check_quiet(page)


def check_quiet(page):
    page.run("video.pause()")
    loaded = page.run("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert any(name.endswith("/learn/v1/minuted.js") for name in loaded)
    assert [name for name in loaded if not name.startswith(f"{page.origin}/learn/")] == []
    assert [entry["message"] for entry in page.browser.driver.get_log("browser") if entry["level"] == "SEVERE"] == []
    page.browser.goto("about:blank")


def check_lit(page):
    """Nothing looks credited that Redis does not hold."""
    lit = page.lit_seconds()
    held = page.held(everything=True)
    assert all(seconds <= held.get(lesson, set()) for lesson, seconds in lit.items()), (lit, held)


def test_cells_are_what_redis_holds(page):
    pending = []
    page.play(7, lambda: (check_lit(page), pending.extend(page.cells("pending"))))
    page.pause()
    check_lit(page)
    held = page.held_in_all()
    assert held.keys() == {"demo-1"} and held["demo-1"] >= 5
    assert pending, "what is not sent yet was shown"
    assert page.cells("pending") == []
    assert page.shown_minutes() == page.number("sum-credited") == held["demo-1"]
    progress = page.progress()
    assert progress["lessons"][0]["watched_seconds"] == held["demo-1"]
    assert page.rows("watched")[0][:2] == ["第一课", clock(held["demo-1"])]
    assert page.rows("watched")[0][2].startswith(clock(progress["lessons"][0]["covered_seconds"]))
    assert page.text("learned") == f"{progress['total']['hours_learned']:.2f}"
    assert page.text("certified") == str(progress["total"]["hours_max"])


def lengths():
    """lesson -> its length in seconds, as the demonstration's catalog says."""
    catalog = yaml.safe_load((ROOT / "config/demo.yaml").read_text())
    return {lesson["id"]: lesson.get("length") for course in catalog["courses"] for lesson in course["lessons"]}


def test_film_is_a_medium_like_others(page):
    """It is as long as the catalog says, shows its time, plays from where it is put, at the rate that is chosen, and ends."""
    length = lengths()["demo-1"]
    assert page.run("return video.duration") == length
    assert page.text("picture-clock") == "00:00"
    page.run("video.currentTime = 123.4")
    wait_until(lambda: page.text("picture-clock") == "02:03", "the picture shows the time")
    page.click_on("rates", "2")
    page.play(4)
    assert page.run("return video.playbackRate") == 2 and page.played_to() >= 127.4
    page.run("video.currentTime = arguments[0]", length - 2)
    wait_until(lambda: page.run("return video.ended && video.paused"), "the film ends")
    assert page.played_to() == length
    page.pause()
    media = [(run["run"]["media_from_ms"], run["run"]["media_to_ms"]) for run in page.wire()]
    assert media and all(123_000 <= start < end <= length * 1000 for start, end in media)
    assert not any(start < 200_000 < end for start, end in media), "what was skipped is not claimed"
    assert page.held_in_all().keys() == {"demo-1"}


def test_lesson_is_changed(page):
    page.play(2)
    page.click_on("lessons", "demo-2")
    wait_until(lambda: page.run("return video.duration") == lengths()["demo-2"], "the other film is there")
    page.play(2)
    page.pause()
    held = page.held(everything=True)
    assert held.keys() == set(LESSONS)
    assert not held["demo-1"] & held["demo-2"]
    assert [row[:2] for row in sorted(page.rows("watched"))] == sorted(
        [name, clock(len(held[lesson]))] for name, lesson in (("第一课", "demo-1"), ("第二课", "demo-2")))


REFUSED = "被拒绝: "
CHEATS = {
    "again": {"status": "accepted", "credited_seconds": 0, "contested_seconds": 0},
    "future": {"status": "retry", "reason": "ahead_of_clock"},
    "seek": {"status": "rejected", "reason": "media_mismatch"},
    "token": {"status": "rejected", "reason": "token_invalid"},
    "speed": {"status": "rejected", "reason": "rate_too_high"},
}


def stated(result):
    """How the page says a result, in Chinese."""
    if result["status"] == "accepted":
        words = {"计入": result["credited_seconds"], "重复": result["duplicate_seconds"], "冲突": result["contested_seconds"]}
        return "，".join(f"{word} {n} 秒" for word, n in words.items() if n or word == "计入")
    return ("稍后重试: " if result["status"] == "retry" else REFUSED) + result["reason"]


def cheat(page, name):
    """Clicks, and gives back what the page says and what went over the wire for it."""
    before = len(page.wire())
    page.click(f"cheat-{name}")
    wait_until(lambda: page.run("return state.outcomes.get(arguments[0]) || null", name), f"{name} is answered")
    said = page.run("return [...document.querySelectorAll(`#outcome-${arguments[0]} b`)].map(b => b.textContent)", name)
    return said, page.wire()[before:]


def test_cheats_get_what_the_page_says(page):
    page.play(2)
    page.pause()
    for name, expected in CHEATS.items():
        held = sum(page.held_in_all().values())
        said, wire = cheat(page, name)
        forged = [w["result"] for w in wire if name != "speed" or w["run"]["rate"] == 16]
        assert forged and all(expected.items() <= result.items() for result in forged), (name, forged)
        assert set(said) == {stated(result) for result in forged}, name
        gained = sum(w["result"].get("credited_seconds", 0) for w in wire)
        assert sum(page.held_in_all().values()) == held + gained, name
        assert gained == 0 or name == "speed"    # whose player goes on at 1x for a moment
    assert page.number("sum-duplicate") > 0
    assert page.run("return document.querySelectorAll('#reasons dt').length") == 4


def other_tab(page):
    handles = page.browser.driver.window_handles
    return next((handle for handle in handles if handle != page.tab), None)


def test_second_tab_is_contested(page):
    page.run("video.play()")
    page.click("cheat-tab")
    other = Page(page.browser, page.minuted, page.redis, page.sub)
    other.tab = wait_until(lambda: other_tab(page), "the second tab is there")
    page.browser.show(other.tab)
    other.wait_ready()
    assert other.run("return [state.lesson, who.sub, who.portal]") == ["demo-2", page.sub, PORTAL]
    other.run("video.play()")
    wait_until(lambda: contested(page) + contested(other) > 0, "a second is contested", every=0.5)
    for tab, lesson in ((page, "demo-1"), (other, "demo-2")):
        page.browser.show(tab.tab)
        tab.pause()
        assert tab.number("sum-credited") == len(tab.held(everything=True).get(lesson, ()))
    page.browser.driver.close()
    page.browser.show(page.tab)
    held = page.held(everything=True)
    assert sum(map(len, held.values())) == len(set().union(*held.values())), "a second is credited to two lessons"


def contested(page):
    page.browser.show(page.tab)
    assert page.text("outcome-tab") == f"本页至今冲突 {page.number('sum-contested')} 秒。"
    return page.number("sum-contested")


def visible_text(page):
    return page.run("return document.body.innerText + document.title")


def test_language_is_chosen_and_remembered(page):
    assert page.run("return document.documentElement.lang") == "zh-CN"
    assert "作弊试验" in visible_text(page) and "What a forged player gets" not in visible_text(page)
    page.click("en")
    assert page.run("return document.documentElement.lang") == "en"
    page.open()
    assert page.run("return document.documentElement.lang") == "en", "the choice is remembered"
    assert "What a forged player gets" in visible_text(page)
    assert CHINESE.findall(visible_text(page)) == list("中文"), "only the switch itself is left"
    page.click("zh")


def test_page_works_without_storage(new_browser, demo, shared_redis):
    browser = new_browser("en-GB,en", **{"profile.default_content_setting_values.cookies": 2})
    page = Page(browser, demo, shared_redis, f"teacher-{uuid.uuid4()}").open()
    with pytest.raises(Exception, match="localStorage"):
        page.run("return localStorage.length")
    assert page.run("return document.documentElement.lang") == "en"
    page.click("zh")
    assert "作弊试验" in visible_text(page)
    check_quiet(page)


def test_page_says_that_the_server_is_away_and_recovers(chinese, demo, shared_redis):
    page = Page(chinese, demo, shared_redis, f"teacher-{uuid.uuid4()}").open()
    assert page.run("return trouble.hidden")
    page.play(1)
    demo.kill()
    wait_until(lambda: page.text("trouble").startswith("服务器没有应答"), "the page says so")
    assert not page.run("return trouble.hidden")
    page.play(1, lambda: check_lit(page))
    demo.start()
    wait_until(lambda: page.run("return trouble.hidden"), "the page is well again")
    wait_until(lambda: page.number("sum-credited") > 0, "what was played meanwhile is credited")
    page.pause()
    assert page.number("sum-credited") == page.held_in_all()["demo-1"]


# Everything a page may try: with a preflight, without one, with an answer it cannot read, and by a form in a frame.
MOVES = """
const done = arguments[arguments.length - 1], url = arguments[0], body = '{"advance_ms": -3600000}';
const attempt = options => fetch(url, {method: "POST", body, ...options}).catch(() => null);
const frame = document.createElement("iframe"), form = document.createElement("form");
const sent = new Promise(resolve => { frame.onload = resolve; });
Object.assign(frame, {name: "into"});
Object.assign(form, {method: "POST", action: url, target: "into", enctype: "text/plain"});
form.append(Object.assign(document.createElement("input"), {name: '{"advance_ms": -3600000, "x": "', value: '"}'}));
document.documentElement.append(form, frame);
Promise.all([attempt({headers: {"Content-Type": "application/json"}}), attempt({}), attempt({mode: "no-cors"}),
             navigator.sendBeacon(url, body)])
  .then(() => { form.submit(); return Promise.race([sent, new Promise(resolve => setTimeout(resolve, 3000))]); })
  .then(() => fetch(arguments[1]).then(answer => answer.text()).catch(() => "unreadable")).then(done);
"""


@pytest.mark.parametrize("host, token", [("127.0.0.1", "token"), ("localhost", "unreadable"), ("rebound.example", "localhost")])
def test_no_page_moves_the_clock(tmp_path, services, demo, host, token):
    """Of our own origin, of another one, and of a name that was made to mean this machine."""
    browser = Browser(tmp_path / "chromium", flags=["--host-resolver-rules=MAP rebound.example 127.0.0.1"])
    services.append(browser)
    browser.start()
    before = demo.now_ms()
    browser.goto(f"http://{host}:{demo.port}{demo.base}/v1/minuted.d.ts")
    target = "127.0.0.1" if host != "rebound.example" else host
    under = f"http://{target}:{demo.port}{demo.base}/dev"
    answer = browser.driver.execute_async_script(MOVES, f"{under}/clock", f"{under}/token?sub=a&portal=demo")
    assert token in answer, answer
    assert before <= demo.now_ms() < before + 60_000
    browser.quit()
