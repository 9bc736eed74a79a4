"""What is measured: sizes, connections and round trips."""

from dataclasses import dataclass

SMALL = 2048
LARGE = 20_000_000


@dataclass(frozen=True)
class Cell:
    """One set of conditions, in which every client is measured."""

    size: int
    connections: int
    rtt_ms: int
    dots: bool = False

    @property
    def pinned(self) -> bool:
        """Small messages: client and sink share one core, since waking another one costs more than the work."""
        return self.size == SMALL

    @property
    def title(self) -> str:
        size = "2 KB" if self.size == SMALL else "20 MB"
        connections = "1 connection" if self.connections == 1 else f"{self.connections} connections"
        where = "client and sink on one core" if self.pinned else "on all cores"
        dots = ", lines with dots" if self.dots else ""
        return f"{size}{dots}, {connections}, {self.rtt_ms} ms ({where})"


ALL = [
    Cell(SMALL, 1, 0),
    Cell(SMALL, 1, 0, dots=True),
    Cell(SMALL, 16, 0),
    Cell(SMALL, 1, 20),
    Cell(SMALL, 16, 20),
    Cell(LARGE, 1, 0),
    Cell(LARGE, 1, 0, dots=True),
    Cell(LARGE, 16, 0),
    Cell(LARGE, 1, 20),
    Cell(LARGE, 16, 20),
]

QUICK = [Cell(SMALL, 1, 0), Cell(SMALL, 16, 20), Cell(LARGE, 1, 0, dots=True)]
