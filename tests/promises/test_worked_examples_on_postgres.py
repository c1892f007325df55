"""The worked examples once more, on the other store."""

from tests.on_postgres import stories_on_postgres, story_on_postgres  # noqa: F401
from tests.promises.test_worked_examples import *  # noqa: F403
