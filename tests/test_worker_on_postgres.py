"""The same on PostgreSQL, which takes neither a null character in a text nor a number over 31 bits."""

from tests.on_postgres import stories_on_postgres, story_on_postgres  # noqa: F401
from tests.test_worker import *  # noqa: F403
