"""What is written out is written whole, however little a stream takes at once."""

from __future__ import annotations

import contextlib
import io
import os
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sdk.output import write_lines, write_out


class Short(io.RawIOBase):
    """A raw stream that takes so many bytes at once, in turn."""

    def __init__(self, takes: Iterator[int]) -> None:
        self.written = bytearray()
        self._takes = takes

    def write(self, data: object) -> int:
        count = next(self._takes, 1 << 20)
        part = bytes(data)[:count]  # type: ignore[call-overload]
        self.written += part
        return len(part)


@given(data=st.binary(max_size=2_000), takes=st.lists(st.integers(1, 300)))
def test_short_writes_lose_nothing(data: bytes, takes: list[int]) -> None:
    stream = Short(iter(takes))
    write_out(stream, data)  # type: ignore[arg-type]
    assert bytes(stream.written) == data


@given(lines=st.lists(st.binary(max_size=100)), takes=st.lists(st.integers(1, 300)))
def test_lines_are_all_written_and_counted(lines: list[bytes], takes: list[int]) -> None:
    stream = Short(iter(takes))
    assert write_lines(stream, iter(lines)) == len(lines)  # type: ignore[arg-type]
    assert bytes(stream.written) == b"".join(line + b"\n" for line in lines)


@pytest.mark.parametrize("buffering", [0, 4096])
@pytest.mark.parametrize("blocking", [True, False])
def test_a_pipe_that_is_full_is_waited_for(buffering: int, blocking: bool) -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, blocking)
    data = os.urandom(1 << 20)
    taken = bytearray()

    def read() -> None:
        while part := os.read(read_end, 10_000):
            taken.extend(part)

    reader = threading.Thread(target=read)
    reader.start()
    with open(write_end, "wb", buffering=buffering) as out:  # noqa: PTH123
        write_out(out, data)
    reader.join()
    os.close(read_end)
    assert bytes(taken) == data


@pytest.mark.parametrize("buffering", [0, 4096])
def test_a_reader_that_goes_before_the_end_is_an_error(buffering: int) -> None:
    read_end, write_end = os.pipe()

    def read_a_little_and_go() -> None:
        os.read(read_end, 10)
        os.close(read_end)

    reader = threading.Thread(target=read_a_little_and_go)
    reader.start()
    out = open(write_end, "wb", buffering=buffering)  # noqa: PTH123, SIM115
    with pytest.raises(BrokenPipeError):
        write_out(out, bytes(1 << 20))
    reader.join()
    with contextlib.suppress(BrokenPipeError):
        out.close()
