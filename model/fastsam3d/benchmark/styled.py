"""The HTML page of a benchmark: marks in bold and blue, code as code, a list of what it holds."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import count

from .grids import SIGNS, Mark

_STYLES: dict[Mark, str] = {"better": "font-weight: bold", "worse": "color: #0000ff"}
_HEADING = re.compile(r"<h([23])>(.*?)</h\1>")
_TITLE_END = "</h1>\n"


def styled(page: str) -> str:
    """Set cells with signs as the paper's Table 2 does, and code; list the headings at the top."""
    for mark, style in _STYLES.items():
        page = re.sub(f"<td>([^<]*{SIGNS[mark]}</td>)", rf'<td style="{style}">\1', page)
    return _with_contents(re.sub(r"`([^`<]+)`", r"<code>\1</code>", page))


def _with_contents(page: str) -> str:
    """Name the headings, and link to each below the title."""
    top, title, rest = page.partition(_TITLE_END)
    if not title:
        return page
    numbers = count(1)
    rest = _HEADING.sub(lambda h: f'<h{h[1]} id="s{next(numbers)}">{h[2]}</h{h[1]}>', rest)
    chapters: dict[str, list[str]] = {}
    for number, (level, text) in enumerate(_HEADING.findall(page), 1):
        link = f'<a href="#s{number}">{text}</a>'
        if level == "2":
            chapters[link] = []
        else:
            next(reversed(chapters.values())).append(link)
    return f"{top}{title}<nav>{''.join(_listed(chapters))}</nav>\n{rest}"


def _listed(chapters: Mapping[str, Sequence[str]]) -> Iterator[str]:
    yield "<ul>\n"
    for chapter, links in chapters.items():
        yield f"<li>{chapter}"
        if links:
            yield from _listed(dict.fromkeys(links, ()))
        yield "</li>\n"
    yield "</ul>"
