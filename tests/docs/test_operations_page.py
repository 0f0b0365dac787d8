"""docs/operations.md says of every recipe whether an operation covers it."""

from tests.docs.covered import PAGE, page_with_table


def test_the_table_of_the_page_is_made_of_the_recipes():
    """If it is not: python -m tests.docs.covered."""
    text = PAGE.read_text()
    assert page_with_table(text) == text
