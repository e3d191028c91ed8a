"""The report as one self-contained HTML page. Pure except that it reads its template."""

from html import escape
from string import Template

from . import story, telling
from .page_loads import name_of
from .page_markdown import commands
from .paths import BENCH
from .targets import rows


def page(results):
    machine = telling.machine_of(results)
    parts = [paragraph(telling.INTRODUCTION)]
    parts += [paragraph(text, "warn") for text in telling.warnings(results)]
    parts += [contents(results), f"<h2>The targets: {escape(telling.count(results))}</h2>", targets(results),
              "<h2>How to read this</h2>", paragraph(telling.HOW_TO_READ),
              paragraph(telling.not_in_it(results))]
    if machine:
        parts += [paragraph(telling.sharing(machine)), table(["", ""], [[k, str(v)] for k, v in machine.items()])]
    parts += [scenario(results, name) for name in story.SECTIONS if results.scenario(name)]
    parts.append(f"<h2>Again</h2><pre>{telling.REPEAT}</pre>")
    return Template((BENCH / "report/page.html.in").read_text()).substitute(body="\n".join(parts))


def paragraph(text, kind=""):
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def contents(results):
    links = [f'<a href="#{name}">{escape(results.scenario(name)["title"])}</a>'
             for name in story.SECTIONS if results.scenario(name)]
    return f"<nav>{' · '.join(links)}</nav>"


def table(head, lines, last=""):
    """LAST: the class of the last column."""
    def cell(text, at, n):
        kind = f' class="{last}"' if last and at == n - 1 else ' class="n"' if at else ""
        return f"<td{kind}>{escape(text)}</td>"
    top = "".join(f"<th>{escape(text)}</th>" for text in head) if any(head) else ""
    body = "".join(f"<tr>{''.join(cell(text, i, len(line)) for i, text in enumerate(line))}</tr>" for line in lines)
    return f'<div class="scroll"><table>{f"<tr>{top}</tr>" if top else ""}{body}</table></div>'


def targets(results):
    body = "".join(
        f'<tr><td>{escape(row.target).replace("`", "")}</td><td class="n">{row.wanted}</td>'
        f'<td class="n">{escape(row.measured)}</td>'
        f'<td class="verdict {row.verdict.split()[0]}">{row.verdict}</td><td class="why">{escape(row.of_which)}</td></tr>'
        for row in rows(results))
    return ('<div class="scroll"><table><tr><th>target</th><th>wanted</th><th>measured</th><th></th><th>of which</th></tr>'
            f"{body}</table></div>")


def scenario(results, name):
    found, section = results.scenario(name), story.SECTIONS[name](results)
    parts = [f'<h2 id="{name}">{escape(found["title"])}</h2>', paragraph(found["what"])]
    parts += [paragraph(text, "warn") for text in telling.troubles(found)]
    parts.append(section.chart)
    if section.lines:
        parts.append(table(section.head, section.lines))
    parts += [paragraph(text) for text in section.text]
    if found["runs"]:
        links = " · ".join(f'<a href="loads.html#{name_of(found, run)}">{escape(run["title"])}</a>' for run in found["runs"])
        parts.append(f"<details><summary>Each run</summary><p>{links}</p></details>")
        parts.append(f"<details><summary>Commands</summary><pre>{escape(commands(found))}</pre></details>")
    return "\n".join(parts)
