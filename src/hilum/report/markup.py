"""HTML written so that text from outside cannot become markup: whatever is not `Html` is escaped."""

import base64
import html
from collections.abc import Sequence

VOID = ("br", "circle", "image", "img", "line", "meta", "path", "rect")
"""Elements written without content."""


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def tag(name: str, /, *inside: str, **attributes: str) -> Html:
    """An element around its content, in which plain text is escaped.

    Args:
        name: Of the element.
        inside: Markup as `Html`, text as plain `str`.
        attributes: Their values are escaped; a trailing underscore is dropped and others become hyphens.

    Example:
        >>> tag("p", "1 < 2 ", tag("b", "so"), class_="small")
        '<p class="small">1 &lt; 2 <b>so</b></p>'
    """
    words = [name]
    for key, value in attributes.items():
        words.append(f'{key.rstrip("_").replace("_", "-")}="{html.escape(value)}"')
    if name in VOID:
        return Html(f"<{' '.join(words)}/>")
    return Html(f"<{' '.join(words)}>{joined(*inside)}</{name}>")


def joined(*parts: str) -> Html:
    """Parts after one another; plain text among them is escaped."""
    return Html("".join(part if isinstance(part, Html) else html.escape(part) for part in parts))


def table(
    caption: str, header: Sequence[str], rows: Sequence[Sequence[str]], class_: str = "", foot: int = 0
) -> Html:
    """A table whose first column names its rows, in a box that scrolls sideways where it must.

    Args:
        caption: What the table shows.
        header: One cell a column.
        rows: The first cell of each is the row's head.
        class_: For the style sheet.
        foot: How many of the last rows are set off as the foot: means.
    """
    head = tag("thead", tag("tr", *(tag("th", cell, scope="col") for cell in header)))
    lines = [
        tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:])) for row in rows
    ]
    parts = [tag("caption", tag("span", caption)), head, tag("tbody", *lines[: len(lines) - foot])]
    if foot:
        parts.append(tag("tfoot", *lines[len(lines) - foot :]))
    inner = tag("table", *parts, class_=class_) if class_ else tag("table", *parts)
    return tag("div", inner, class_="scroll", role="region", aria_label=caption, tabindex="0")


def facts(caption: str, header: tuple[str, str], rows: Sequence[tuple[str, str]]) -> Html:
    """A table of two columns."""
    return table(caption, header, rows, "facts")


def data_uri(content: bytes, kind: str) -> str:
    """Bytes inside an address, so that the page asks nobody for them.

    Example:
        >>> data_uri(b"hi", "text/plain")
        'data:text/plain;base64,aGk='
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
