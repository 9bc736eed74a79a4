"""The Markdown that people read."""

from .cells import LARGE, Cell
from .measure import Row

HEAD = ["client", "level", "messages/s", "spread", "of `limit`", "round trips", "CPU µs", "peak MB"]


def render(cell: Cell, rows: list[Row]) -> str:
    """One cell as a heading and a table. A client is compared with the `limit` of its own level."""
    head = HEAD + (["MB/s"] if cell.size == LARGE else [])
    limits = {row.runner.level: row.rate for row in rows if row.runner.name.startswith("limit") and not row.failure}
    # With large messages some levels have no limit of their own, and there it makes no difference.
    fallback = limits.get("session")
    lines = [line(head), line(["---"] + ["---:" if name not in ("client", "level") else "---" for name in head[1:]])]
    for row in rows:
        if row.failure is not None:
            lines.append(line([row.runner.name, row.runner.level, f"failed: {row.failure}"] + [""] * (len(head) - 3)))
            continue
        limit = limits.get(row.runner.level, fallback)
        cells = [
            row.runner.name + (" ¹" if row.runner.adds_empty_line else ""),
            row.runner.level,
            number(row.rate),
            f"{row.spread:.0%}",
            f"{row.rate / limit:.0%}" if limit else "",
            f"{row.round_trips:.2f}",
            "–" if row.cpu_us is None else number(row.cpu_us),
            f"{row.peak_mb:.1f}",
        ]
        lines.append(line(cells + ([number(row.runs[0].content * row.rate / 1e6)] if cell.size == LARGE else [])))
    notes = ["", "¹ It adds an empty line to each message."] if any(row.runner.adds_empty_line for row in rows) else []
    return "\n".join([f"### {cell.title}", "", *lines, *notes, ""])


def line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def number(value: float) -> str:
    """Three digits that count, and thin spaces between thousands."""
    if value >= 100:
        digits = len(str(int(value)))
        return f"{round(value, 3 - digits):,.0f}".replace(",", "\u202f")
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
