"""The catalog of the tests: one course for each way a lesson can be open, and the instant at which they play."""

from datetime import datetime
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Shanghai")
NOW_MS = int(datetime(2023, 1, 20, 12, 0, 30, 250000, ZONE).timestamp() * 1000)
DAY_MS = 86_400_000
MINUTE_MS = 60_000


def local_ms(*ymd):
    """The first instant of a day in the catalog's zone."""
    return int(datetime(*ymd, tzinfo=ZONE).timestamp() * 1000)


CATALOG = """\
program: integration
timezone: Asia/Shanghai
minutes_per_hour: 45
hours_max: 6
portals:
  - {id: higher, tests: required}
  - {id: basic, tests: none, certificate: all_hours}
courses:
  - id: open
    title: 教师直播教学安全
    hours: 1
    lessons:
      - {id: open-1}
      - {id: open-2}
      - {id: open-3}
      - {id: ten-minutes, length: 600}
  - id: winter
    title: 师德典型引领
    opens: 2022-12-02
    closes: 2023-02-28
    hours: 2
    lessons:
      - {id: winter-1}
  - {id: past, opens: 2022-12-02, closes: 2023-01-19, hours: 1, lessons: [{id: past-1}]}
  - {id: future, opens: 2023-01-21, closes: 2023-02-28, hours: 1, lessons: [{id: future-1}]}
"""
