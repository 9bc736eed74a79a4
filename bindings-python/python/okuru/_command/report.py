"""What the user is told: a line for each message or a summary on standard output, what went wrong on standard error."""

from __future__ import annotations

import json
import sys
from typing import Any, Optional

from okuru._command import exit
from okuru._errors import Error
from okuru._okuru import Outcome, Reply

_STATES = ("accepted", "partial", "deferred", "rejected", "unknown")


class Report:
    """Tells of each message as it ends, and of all of them at the end."""

    def __init__(self, *, as_json: bool, is_many: bool) -> None:
        self._as_json, self._is_many = as_json, is_many
        self._counts = dict.fromkeys(_STATES, 0)
        self._said: set[str] = set()
        self._last = ""
        self.status = 0

    def finished(self, number: int, file: str, outcome: Outcome) -> None:
        """A message has ended."""
        self._counts[outcome.state] += 1
        self.status = exit.worst(self.status, exit.of(outcome))
        if outcome.state != "accepted":
            self._complain(file, outcome)
        if self._as_json:
            self._print(_line(number, file, outcome))
        self._last = _in_words(outcome)

    def unusable(self, number: int, file: str, error: Error) -> None:
        """A message could not even be begun."""
        self._counts["rejected"] += 1
        self.status = exit.worst(self.status, 65)
        self._say("standard input: " if file == "-" else f"{file}: ", error)
        if self._as_json:
            line = {"message": number, "file": file, "outcome": "rejected", "recipients": [], "reply": None}
            self._print({**line, "queue_id": None, "error": _error(error), "round_trips": 0})

    def end(self) -> int:
        """All messages have ended."""
        if not self._as_json:
            text = self._totals() if self._is_many else self._last
            if text:
                print(text)
        return self.status

    def _totals(self) -> str:
        total = sum(self._counts.values())
        counts = ", ".join(f"{count} {state}" for state, count in self._counts.items() if count)
        return f"{total} message{_plural(total)}" + (f": {counts}" if counts else "")

    def _complain(self, file: str, outcome: Outcome) -> None:
        whose = f"{file}: " if self._is_many else ""
        for recipient in outcome.recipients:
            if recipient.error is not None:
                self._say(f"{whose}<{recipient.address}>: ", recipient.error)

    def _say(self, whose: str, error: Error) -> None:
        sentence = f"okuru: {whose}{error}"
        if sentence not in self._said:
            self._said.add(sentence)
            print(sentence, file=sys.stderr)

    @staticmethod
    def _print(line: dict[str, Any]) -> None:
        print(json.dumps(line, separators=(",", ":"), ensure_ascii=False), flush=True)


def _line(number: int, file: str, outcome: Outcome) -> dict[str, Any]:
    recipients = []
    for recipient in outcome.recipients:
        reply = recipient.reply
        recipients.append(
            {
                "address": recipient.address,
                "outcome": recipient.state,
                "code": reply and reply.code,
                "enhanced": reply and reply.enhanced,
                "text": reply and list(reply.lines),
                "error": _error(recipient.error),
            }
        )
    return {
        "message": number,
        "file": file,
        "outcome": outcome.state,
        "recipients": recipients,
        "reply": _reply(outcome.reply),
        "queue_id": outcome.queue_id,
        "error": None if outcome.state in ("accepted", "partial") else _error(outcome.error),
        "round_trips": outcome.round_trips,
    }


def _reply(reply: Optional[Reply]) -> Optional[dict[str, Any]]:
    return reply and {"code": reply.code, "enhanced": reply.enhanced, "text": list(reply.lines)}


def _error(error: Optional[Error]) -> Optional[dict[str, str]]:
    return None if error is None else {"code": error.code, "message": str(error).rpartition(" [")[0]}


def _in_words(outcome: Outcome) -> str:
    accepted = sum(recipient.state == "accepted" for recipient in outcome.recipients)
    text: str = outcome.state
    if outcome.state == "accepted":
        text = f"accepted for {accepted} recipient{_plural(accepted)}"
    elif outcome.state == "partial":
        text = f"accepted for {accepted} of {len(outcome.recipients)} recipients"
    return text + (f", queued as {outcome.queue_id}" if outcome.queue_id else "")


def _plural(count: int) -> str:
    return "" if count == 1 else "s"
