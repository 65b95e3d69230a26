"""`tagger keys`: who may ask a service for what."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from tagger.cli.options import Json, State

if TYPE_CHECKING:
    from tagger.keys import Keys

app = App(
    name="keys",
    help="""Create, list and revoke keys to the service; those that run follow within a second.

    Example: tagger keys create newsroom --scopes tag
    """,
)

Scopes = Annotated[
    str, Parameter(help="tag, review and admin, with commas between: what the key is good for; none implies another.")
]
Rate = Annotated[str | None, Parameter(help="How often it may ask: 100/second, or by minute, hour or day.")]


@app.command
def create(name: str, /, *, scopes: Scopes, rate: Rate = None, state: State = Path("state")) -> int:
    """Make a key and print its token, which is shown this once and kept nowhere.

    Example: tagger keys create newsroom --scopes tag,review --rate 100/second
    """
    import sys

    from tagger.cli.output import say

    keys = _keys(state)
    is_first = not keys.all()
    key, token = keys.create(name, [scope.strip() for scope in scopes.split(",") if scope.strip()], rate)
    sys.stdout.write(f"{token}\n")
    sys.stdout.flush()
    say(
        f"This is the token of key {key.id}, {key.name!r}. It is shown this once: keep it where secrets are kept. "
        "Requests carry it in a header: Authorization: Bearer TOKEN"
    )
    if is_first:
        say("It is the first key, so the service now answers nobody without one.")
    return 0


@app.command(name="list")
def list_keys(*, json: Json = None, state: State = Path("state")) -> int:
    """List the keys, revoked ones too; tokens are not known.

    Example: tagger keys list
    """
    from tagger.cli import output

    rows = [key.as_record() for key in _keys(state).all()]
    if output.as_json(json):
        output.write_json_lines(rows)
    elif rows:
        cells = ([" ".join(row["scopes"]) if name == "scopes" else row[name] or "" for name in row] for row in rows)
        output.write_table(list(rows[0]), cells)
    else:
        output.say(f"There is no key in {state} yet. Create one: tagger keys create NAME --scopes tag")
    return 0


@app.command
def revoke(key: str, /, *, state: State = Path("state")) -> int:
    """Let the key of an id in no more.

    Example: tagger keys revoke 5f0c2a91
    """
    from tagger.cli.output import say

    revoked = _keys(state).revoke(key)
    say(f"Key {revoked.id}, {revoked.name!r}, is revoked since {revoked.revoked}.")
    return 0


def _keys(state: Path) -> Keys:
    from tagger.keys import FILE, Keys

    return Keys(state / FILE)
