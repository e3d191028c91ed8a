"""Real players from npm, each playing a stream of its kind; their object is what the page hands to track()."""

import pytest
from media import players

PLAYERS = [
    ("hls", "hls.js", "/media/hls-ts/index.m3u8"),
    ("hls", "hls.js, fragmented MP4", "/media/hls-fmp4/index.m3u8"),
    ("dash", "dash.js", "/media/dash/index.mpd"),
    ("videojs", "video.js", "/media/hls-ts/index.m3u8"),
    ("xgplayer", "xgplayer", "/media/hls-ts/index.m3u8"),
    ("shaka", "Shaka", "/media/dash/index.mpd"),
    ("artplayer", "ArtPlayer", "/media/lesson.mp4"),
    ("dplayer", "DPlayer", "/media/hls-ts/index.m3u8"),
]


@pytest.fixture(scope="session")
def folders(folders):
    return {**folders, "players": players()}


@pytest.mark.parametrize("player, name, media", PLAYERS, ids=[name for _, name, _ in PLAYERS])
def test_player(stage, player, name, media):
    """{name}: play, pause, seek, play"""
    stage.scenario = stage.scenario.format(name=name)
    lesson = stage.set_up().open(player=player, media=media)
    assert lesson.run("return lesson.player.nodeName") is None, "the object itself, no element"
    lesson.play(3).pause().seek(30).play(3).finish()
    stage.settle(lesson, stretches=2)
    assert lesson.problems() == []
