"""A learner in front of a browser, the platform's web server, and the real daemon and its Redis behind."""

import os
import time
from functools import cached_property

from account import Account
from front import Front
from lesson_page import LessonPage

from harness.browser import Browser
from harness.catalog import CATALOG
from harness.daemon import Minuted
from harness.redis_server import RedisServer
from harness.webkit import WebKit

BROWSERS = {"chromium": Browser, "webkit": WebKit}
BROWSER = os.environ.get("MINUTED_BROWSER", "chromium")    # tests/field/webkit plays the same scenarios in another one


class House:
    """Servers and a browser, each started when first wanted. Tests that only play share one: their learners and their
    origins are their own. Whoever stops, kills or winds something has a house of his own.
    """

    def __init__(self, directory, services, preferences=None):
        self.directory, self.services, self.preferences = directory, services, preferences
        self.daemons, self.last_browser = {}, None

    @cached_property
    def catalog(self):
        path = self.directory / "catalog.yaml"
        path.write_text(CATALOG)
        return path

    @cached_property
    def redis(self):
        return self.keep(RedisServer(self.directory / "redis")).start()

    def keep(self, service):
        self.services.append(service)
        return service

    def minuted(self, interval, http):
        """The daemon that asks for heartbeats so often; one with HTTP settings is nobody else's."""
        if http is None and interval in self.daemons:
            return self.daemons[interval]
        directory = self.directory / f"minuted-{interval}-{len(self.services)}"
        changes = {"heartbeats": {"interval": interval}, "http": http or {}}
        daemon = self.keep(Minuted(directory, self.catalog, self.redis.address, changes=changes)).start()
        if http is None:
            self.daemons[interval] = daemon
        return daemon

    @property
    def browser(self):
        """One that has died is followed by another, so that a test does not spoil the next."""
        if self.last_browser is None or not self.last_browser.running():
            self.last_browser = self.keep(BROWSERS[BROWSER](self.directory / BROWSER, preferences=self.preferences)).start()
        return self.last_browser

    def close(self):
        """The rest is ended by who keeps the services."""
        if self.last_browser is not None:
            self.last_browser.quit()


class Stage:
    def __init__(self, house, folders, learner, scenario):
        self.house, self.folders = house, folders
        self.learner, self.scenario = learner, scenario
        self.fronts, self.rows = [], []
        self.minuted = self.account = None

    def set_up(self, interval="1s", http=None, allow_front=False):
        """Gives back the page of lesson open-1, not yet opened, in a tab of its own."""
        front = self.new_front()
        if allow_front:
            http = {"allowed_origins": [front.origin]}
        self.minuted = front.daemon = self.house.minuted(interval, http)
        self.account = Account(self.house.redis, self.minuted, self.learner)
        self.browser.fresh_tab()
        return self.page()

    @property
    def browser(self):
        return self.house.browser

    @property
    def front(self):
        return self.fronts[0]

    def new_front(self, host="127.0.0.1"):
        """Another origin; its port is new, so its pages find nothing that others have stored."""
        front = Front(self.folders, self.minuted, host)
        self.fronts.append(front)
        return front

    def page(self, lesson_id="open-1"):
        return LessonPage(self.browser, self.front, self.learner, lesson_id)

    def settle(self, *pages, stretches=1, refused=0, lost=0.0):
        """Nothing is in the way any more: what PAGES played must come to be credited, and does not grow after that."""
        return self.account_for(sum(page.played() for page in pages), stretches, refused, lost)

    def account_for(self, played, stretches=1, refused=0, lost=0.0):
        """States PLAYED, of which so many seconds must be LOST, against what is credited, once that no longer changes, and
        judges it."""
        self.account.await_credited(played - lost - stretches)
        time.sleep(0.5)  # sleeps: what is too much would still be on its way from a page that may be gone
        row = self.account.row(self.scenario, played)
        self.rows.append(row)
        self.account.check(row, stretches, refused, lost)
        return row

    def clear(self):
        for front in self.fronts:
            front.stop()
