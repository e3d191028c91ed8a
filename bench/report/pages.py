"""Writes the pages of a report beside its results: README.md, index.html, loads.html, and the capacity page."""

from . import page_capacity, page_html, page_loads, page_markdown
from .paths import CAPACITY, RESULTS
from .results import read_results


def write(folder):
    results = read_results(folder)
    (folder / "README.md").write_text(page_markdown.page(results))
    (folder / "index.html").write_text(page_html.page(results))
    (folder / "loads.html").write_text(page_loads.page(results))
    ours = folder == RESULTS  # results in another folder do not change the published page
    (CAPACITY if ours else folder / "capacity.md").write_text(page_capacity.page(results))
