"""The documentation's site in a real browser, as ``make docs`` builds it. ``make site`` runs these tests."""  # noqa: A005
