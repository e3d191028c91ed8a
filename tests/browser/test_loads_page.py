"""bench/results/loads.html as a reader opens it from a disk: it shows each load of the report, and loads nothing."""

from harness.browser import Browser
from harness.daemon import ROOT
from harness.service import wait_until

PAGE = (ROOT / "bench/results/loads.html").as_uri()


def shown(browser):
    """(address, title, how many charts) of the load that the page shows."""
    return tuple(browser.run("""
        return [location.hash.slice(1), document.getElementById("title").textContent, document.querySelectorAll("figure svg g").length];
        """))


def test_every_load_can_be_chosen(tmp_path, services):
    browser = Browser(tmp_path / "chromium")
    services.append(browser)
    browser.start()
    browser.goto(PAGE)
    loads = browser.run("return [...document.getElementById('loads').options].map(o => [o.value, o.textContent])")
    assert len(loads) == len(list((ROOT / "bench/results").glob("*/*.hgrm")))
    assert shown(browser)[1] == loads[0][1], "without a name in the address it is the first"
    for address, title in loads[1:]:
        browser.run("document.getElementById('next').click()")
        wait_until(lambda: shown(browser)[:2] == (address, title) and shown(browser)[2] > 0, f"{address} is shown", every=0.05)
        assert browser.run("return document.getElementById('loads').value") == address
    assert browser.run("return document.getElementById('next').disabled")
    address, title = loads[len(loads) // 2]
    browser.run("const list = document.getElementById('loads'); list.value = arguments[0]; list.dispatchEvent(new Event('change'))",
                address)
    wait_until(lambda: shown(browser)[:2] == (address, title), "the one from the list is shown")
    browser.goto("about:blank")
    browser.goto(f"{PAGE}#{address}")
    assert shown(browser)[:2] == (address, title), "an address names a load"
    files = browser.run("return [...document.querySelectorAll('#choice a')].map(a => a.href)")
    assert all((ROOT / "bench/results" / name).exists() for name in ("index.html", f"{address}.json", f"{address}.hgrm"))
    assert [file.partition("/bench/results/")[2] for file in files] == ["index.html", f"{address}.json", f"{address}.hgrm"]
    assert [entry["message"] for entry in browser.driver.get_log("browser") if entry["level"] == "SEVERE"] == []
    browser.quit()
