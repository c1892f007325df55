"""Logs go one way, and no token goes with them."""

from __future__ import annotations

import io
import json
import logging

import pytest
import structlog

from hub import telemetry
from hub.registry.tokens import new_token


def _logged(form: str, level: str = "info") -> io.StringIO:
    out = io.StringIO()
    telemetry.configure(level, form, stream=out)
    return out


def test_json_is_one_object_a_line_with_the_event_and_its_fields() -> None:
    out = _logged("json")
    structlog.get_logger().info("batch.stored", count=3)
    logging.getLogger("some.library").warning("hello %s", "there")
    first, second = map(json.loads, out.getvalue().splitlines())
    assert (first["event"], first["count"], first["level"]) == ("batch.stored", 3, "info")
    assert (second["event"], second["level"]) == ("hello there", "warning")
    assert first["timestamp"].endswith("Z")


@pytest.mark.parametrize("form", ["json", "console"])
def test_tokens_are_cut_out_wherever_they_stand(form: str) -> None:
    out, token = _logged(form), new_token()
    structlog.get_logger().info("x.y", header=f"Bearer {token}", deep={"a": [token]})
    logging.getLogger("library").error("GET /?token=%s", token)
    try:
        raise ValueError(token)
    except ValueError:
        structlog.get_logger().exception("x.failed")
    assert token not in out.getvalue()
    assert out.getvalue().count("ctihub_…") >= 4


def test_no_local_variable_of_a_failure_is_logged() -> None:
    out = _logged("console")
    marked = "198.51.100." + "7"
    try:
        int("x" if marked else "y")
    except ValueError:
        structlog.get_logger().exception("x.failed")
    assert marked not in out.getvalue()


def test_what_is_below_the_level_is_left_out() -> None:
    out = _logged("json", "warning")
    structlog.get_logger().info("x.y")
    logging.getLogger("library").info("z")
    assert out.getvalue() == ""


def test_fields_that_were_bound_at_the_border_come_along() -> None:
    out = _logged("json")
    with structlog.contextvars.bound_contextvars(centre="ro-cert"):
        structlog.get_logger().info("x.y")
    assert json.loads(out.getvalue())["centre"] == "ro-cert"
