"""Pages whose elements have the names of what scripts ask a document and a window for: an <img name="currentScript"> takes
the place of document.currentScript. Learners write such pages where a platform lets them write HTML.
"""

import pytest

SHADOWED = ["currentScript", "visibilityState", "hidden", "baseURI", "addEventListener", "removeEventListener", "dispatchEvent",
            "defaultView", "documentElement", "location", "URL"]
WINDOWS = ["minuted", "localStorage", "navigator", "crypto", "performance", "fetch", "Request", "URL", "AbortController",
           "addEventListener", "setTimeout", "document", "location", "Document", "EventTarget"]

# What takes a member's place: once, several times, with a form's own members, with another page's window.
ELEMENTS = {
    "img": '<img name="{name}" src="{other}/v1/minuted.png">',
    "two": '<img name="{name}" src="{other}/v1/minuted.js"><img name="{name}" src="{other}/v1/minuted.mjs">',
    "embed": '<embed name="{name}" src="{other}/v1/minuted.js" type="text/plain">',
    "form": '<form name="{name}"><input name="src" value="{other}/v1/minuted.js"><input name="localName" value="script"></form>',
    "iframe": '<iframe name="{name}" src="{other}/pages/blank.html"></iframe>',
    "object": '<object name="{name}" data="{other}/pages/blank.html"></object>',
}


@pytest.mark.parametrize("kind", ELEMENTS)
def test_document(lesson, stage, kind):
    """Elements ({kind}) named as the document's members"""
    stage.scenario = stage.scenario.format(kind=kind)
    other = stage.new_front("localhost")
    beside = "".join(ELEMENTS[kind].format(name=name, other=other.origin) for name in SHADOWED)
    beside += "".join(f'<a id="{name}" href="{other.origin}/v1/minuted.js"></a>' for name in WINDOWS)
    lesson.open(beside=beside)
    assert lesson.run("return !(document.currentScript instanceof HTMLScriptElement || document.currentScript === null)")
    lesson.play(4).finish()
    stage.settle(lesson)
    assert lesson.problems() == []
    assert not other.sessions() and not other.heartbeats(), "the learner's token went elsewhere"


def test_script_in_svg(lesson, stage):
    """A page whose script stands in an SVG says where the daemon is"""
    lesson.open(track="later", endpoint=stage.front.origin)
    lesson.run("""
        const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
        const script = document.createElementNS('http://www.w3.org/2000/svg', 'script');
        delete window.minuted;
        script.setAttribute('href', '/v1/minuted.js');
        script.addEventListener('load', () => lesson.track());
        document.body.append(svg);
        svg.append(script);""")
    lesson.play(4).finish()
    stage.settle(lesson)


def test_xhtml(lesson, stage):
    """A page in XHTML, whose names are in lower case"""
    lesson.name = "lesson.xhtml"
    lesson.open().play(4).finish()
    assert lesson.run("return lesson.video.nodeName") == "video"
    stage.settle(lesson)
    assert lesson.problems() == []


def test_xhtml_container(lesson, stage):
    """The same, where the page hands over what is around the video"""
    lesson.name = "lesson.xhtml"
    lesson.open(track="later")
    lesson.run("lesson.track(document.querySelector('#box'))")
    lesson.play(4).finish()
    stage.settle(lesson)
