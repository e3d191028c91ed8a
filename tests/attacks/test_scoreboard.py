"""The scoreboard that the documents show: every attack, no other, in order; and that a stale figure is found."""

import importlib
import re
from pathlib import Path

import pytest

import board
from contest import ATTACKS, CHAPTERS

ROW = board.Row("a trick", "1 h", "16.0", "1.00", "`ahead_of_clock`: not yet")


def all_attacks():
    for chapter in CHAPTERS:
        importlib.import_module(f"test_{chapter}")
    return [spec.name for spec in sorted(ATTACKS, key=lambda spec: spec.order)]


@pytest.fixture
def page(tmp_path, monkeypatch):
    path = tmp_path / "page.md"
    path.write_text(f"before\n{board.BEGIN}\nold\n{board.END}\nafter\n")
    monkeypatch.setenv("MINUTED_SCOREBOARD_PAGE", str(path))
    return path


@pytest.mark.skipif(not board.page_path(), reason="no page is compared")
def test_the_page_shows_every_attack():
    assert list(map(board.attack_of, board.rows_of(board.page_path()))) == all_attacks()


@pytest.mark.skipif(not board.page_path(), reason="no page is compared")
def test_the_readme_shows_ten_of_them():
    shown, whole = (board.rows_of(board.ROOT / name) for name in (board.TELLING, board.WHOLE))
    assert len(shown) == 10
    assert shown == [row for row in whole if row in shown]


def test_every_file_of_attacks_is_a_chapter():
    files = (path for path in Path(__file__).parent.glob("test_*.py") if path.name != Path(__file__).name)
    assert {path.stem for path in files if re.search(r"^(@attack\(|ATTACKS\.append)", path.read_text(), re.M)} == {
        f"test_{chapter}" for chapter in CHAPTERS}


def test_an_updated_page_is_right(page):
    board.update_page(page, board.table([ROW]))
    board.check_page(ROW)
    assert page.read_text().startswith("before\n") and page.read_text().endswith("\nafter\n")


def test_the_telling_rows_are_picked_by_their_attack():
    other = board.Row(**{**vars(ROW), "attack": "another trick"})
    assert board.telling(board.table([other, ROW]), {"a trick"}) == board.table([ROW])


@pytest.mark.parametrize("field", ["real_time", "naive", "minuted", "stopped"])
def test_a_stale_figure_is_found(page, field):
    board.update_page(page, board.table([board.Row(**{**vars(ROW), field: "1.01"})]))
    with pytest.raises(AssertionError, match="another result"):
        board.check_page(ROW)


@pytest.mark.parametrize("credited, seconds, shown", [
    (3600, 3600, "1.00"), (3595, 3600, "1.00"), (3564, 3600, "0.99"), (0, 3600, "0.00"), (36_000, 3600, "10.0"),
    (35_999_999_999, 3600, "> 1,000,000"), (1_980_720, 3600, "550.2")])
def test_figures(credited, seconds, shown):
    assert board.per_hour(credited, seconds) == shown
