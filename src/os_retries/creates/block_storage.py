"""cinder: CREATES.md §1.2."""

from __future__ import annotations

from os_retries.creates.recipes import Look, Metadata, Recipe

ROWS = (
    Recipe(
        path=r"/volumes",
        body="volume",
        carrier=Metadata(),
        # At 3.0 a filter that the operator has switched off is ignored; from 3.31 on it is an error (T1).
        look=Look(
            path="{base}/volumes/detail",
            list="volumes",
            query={"metadata": "{{'os-retries': '{marker}'}}"},
            microversion="3.0",
        ),
        status=202,
    ),
)
