"""Where the content of a message comes from, and what ``send`` takes for one."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import Any, AsyncIterable, AsyncIterator, BinaryIO, Iterable, Iterator, Optional, Union, cast

from okuru._errors import error
from okuru._okuru import Message, Recipient, without_bcc

#: One recipient or several.
Recipients = Union[str, Recipient, Iterable[Union[str, Recipient]]]

#: What can be sent: a whole message or what it consists of.
Content = Union[
    bytes, bytearray, memoryview, str, "os.PathLike[str]", BinaryIO, Iterable[bytes], AsyncIterable[bytes], Any
]

#: So much of a file is read at once.
CHUNK = 256 << 10

#: So far the end of a header is looked for.
LONGEST_HEADER = 1 << 20


class Source(ABC):
    """A content that is asked for piece by piece."""

    size: Optional[int] = None
    rewindable = False

    @abstractmethod
    def read(self, offset: int) -> bytes:
        """What follows from ``offset`` on, some of it; empty at the end."""


class FileSource(Source):
    """A binary file that can be read from anywhere, perhaps with another beginning."""

    rewindable = True

    def __init__(self, file: BinaryIO, *, beginning: bytes = b"", replaced: int = 0, is_ours: bool = False) -> None:
        self._file, self._beginning, self._is_ours = file, beginning, is_ours
        self._base = file.tell() + replaced
        self.size = len(beginning) + file.seek(0, os.SEEK_END) - self._base

    def read(self, offset: int) -> bytes:
        if offset < len(self._beginning):
            return self._beginning[offset:]
        self._file.seek(self._base + offset - len(self._beginning))
        return self._file.read(CHUNK)

    def __del__(self) -> None:
        if self._is_ours:
            self._file.close()


class ChunkSource(Source):
    """Chunks that come once."""

    def __init__(self, chunks: Iterable[bytes], size: Optional[int] = None) -> None:
        self._chunks: Iterator[bytes] = iter(chunks)
        self.size = size
        self._last: tuple[int, bytes] = (0, b"")

    def read(self, offset: int) -> bytes:
        chunk = self._left(offset)
        while not chunk:
            following = next(self._chunks, None)
            if following is None:
                return b""
            chunk = bytes(following)
            self._last = (offset, chunk)
        return chunk

    def _left(self, offset: int) -> bytes:
        begin, chunk = self._last
        return chunk[offset - begin :]


class AsyncSource(Source):
    """Chunks that come once, and have to be awaited."""

    def __init__(self, chunks: AsyncIterable[bytes], size: Optional[int] = None) -> None:
        self._chunks: AsyncIterator[bytes] = chunks.__aiter__()
        self.size = size
        self._last: tuple[int, bytes] = (0, b"")

    def read(self, offset: int) -> bytes:
        raise TypeError("an asynchronous content needs an asynchronous client")

    async def aread(self, offset: int) -> bytes:
        """As ``read``."""
        begin, last = self._last
        chunk = last[offset - begin :]
        while not chunk:
            try:
                chunk = bytes(await self._chunks.__anext__())
            except StopAsyncIteration:
                return b""
            self._last = (offset, chunk)
        return chunk


def message(
    content: Content,
    *,
    sender: Optional[str] = None,
    recipients: Optional[Recipients] = None,
    size: Optional[int] = None,
    **options: Any,
) -> Message:
    """A message that is ready to be sent.

    ``content`` is bytes, a str, an ``email.message.EmailMessage``, a ``pathlib.Path``, a binary file, or an iterable or asynchronous iterable of
    chunks, whose whole ``size`` may be told. Without ``sender`` and ``recipients`` they are what the header says, where it can
    be seen before anything is sent: a header in chunks can't be. Bcc is left out of what goes out.
    """
    if isinstance(content, Message):
        return content
    if isinstance(content, bytes):
        return Message(content, sender=sender, recipients=recipients, **options)
    if isinstance(content, str):
        return Message(content.encode(), sender=sender, recipients=recipients, **options)
    if isinstance(content, (bytearray, memoryview)):
        return Message(bytes(content), sender=sender, recipients=recipients, **options)
    if hasattr(content, "as_bytes") and hasattr(content, "policy"):
        return Message(_flat(content), sender=sender, recipients=recipients, **options)
    source: Source
    header = None
    if isinstance(content, os.PathLike) or hasattr(content, "read"):
        source, header = _file(content, keep_bcc=bool(options.get("keep_bcc")))
    elif hasattr(content, "__aiter__"):
        source = AsyncSource(cast("AsyncIterable[bytes]", content), size)
    else:
        source = ChunkSource(cast("Iterable[bytes]", content), size)
    return Message(
        source,
        sender=sender,
        recipients=recipients,
        size=source.size,
        rewindable=source.rewindable,
        header=header,
        **options,
    )


def _flat(email: Any) -> bytes:
    """An ``email.message`` as it goes out. What is outside ASCII in addresses needs UTF-8 in the header."""
    fields = ("Sender", "From", "To", "Cc", "Bcc")
    addresses = "".join(str(value) for field in fields for value in email.get_all(field, ()))
    policy = email.policy.clone(linesep="\r\n")
    if not addresses.isascii() and hasattr(policy, "utf8"):
        policy = policy.clone(utf8=True)
    flat = email.as_bytes(policy=policy)
    return bytes(flat)


def _file(content: Any, keep_bcc: bool) -> tuple[Source, bytes]:
    is_ours = not hasattr(content, "read")
    try:
        file = open(content, "rb") if is_ours else content
        if not file.seekable():
            return ChunkSource(iter(lambda: file.read(CHUNK), b"")), b""
        base = file.tell()
        beginning = file.read(LONGEST_HEADER)
        file.seek(base)
    except OSError as failed:
        raise error("message.unreadable", f"the message can't be read: {failed.strerror}") from failed
    shown, length = without_bcc(beginning)
    if keep_bcc or len(shown) == length:
        return FileSource(file, is_ours=is_ours), beginning
    return FileSource(file, beginning=shown, replaced=length, is_ours=is_ours), beginning
