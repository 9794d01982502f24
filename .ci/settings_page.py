"""The tables of docs/configuration.md, from the settings' own descriptions."""

import re
from itertools import groupby

_TABLE = re.compile(
    r"(?<=<!-- settings: )(?P<section>[^>]+?)( -->\n).*?(?=<!-- end -->)", re.DOTALL
)


def settings_page(page: str) -> str:
    """Return the page with its tables written anew.

    Raises `ValueError` if a section of the settings has no place on the page, or a place none.
    """
    from quantcloud.settings import Settings  # noqa: PLC0415  # needs the server's packages
    from quantcloud.settings.loading import (  # noqa: PLC0415
        default_text,
        meaning,
        section,
        variable,
    )

    tables: dict[str, str] = {}
    for name, group in groupby(Settings.model_fields, section):
        rows = [
            f"| `{variable(each)}` | {meaning(each)} | {default_text(each)} |" for each in group
        ]
        tables[name] = "\n".join(["| variable | meaning | default |", "| --- | --- | --- |", *rows])
    places = [match["section"] for match in _TABLE.finditer(page)]
    if sorted(places) != sorted(tables):
        raise ValueError(f"docs/configuration.md has the sections {places}, not {list(tables)}")
    return _TABLE.sub(lambda m: f"{m['section']}{m[2]}{tables[m['section']]}\n", page)
