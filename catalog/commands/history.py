"""Commands about the past: the requests, how well reuse did, and the certificate that reuse rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..errors import NotFound
from .home import open_service, open_store
from .inputs import present
from .options import (
    MOST_DAYS,
    complete_names,
    config_option,
    days_option,
    home_option,
    json_option,
    list_output,
)
from .terminal import Command, print_json, print_rows, progress_bar

if TYPE_CHECKING:
    from ..history.over_time import By

__all__ = ["calibrate", "history", "stats"]


@click.command(cls=Command, examples=['catalog history "resting by a fire" --days 7'])
@click.argument("text", required=False)
@click.option(
    "--by",
    type=click.Choice(["meaning", "words"]),
    default="meaning",
    show_default=True,
    help="How to search.",
)
@click.option("--style", shell_complete=complete_names("styles"), help="Only requests of this style.")
@click.option("--role", shell_complete=complete_names("roles"), help="Only requests of this role.")
@click.option(
    "--action",
    type=click.Choice(["reused", "generated", "none"]),
    help="Only what was reused, generated or neither.",
)
@click.option("--listener", help="Only this listener's.")
@click.option("--theme", help="Only those under this theme.")
@click.option("--track", "track_id", help="Only those that this track answered.")
@click.option(
    "--days",
    type=click.FloatRange(0, MOST_DAYS),
    callback=days_option,
    help="Only those of the last so many days.",
)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@list_output
@home_option
@config_option
def history(
    text: str | None,
    by: str,
    days: float | None,
    limit: int,
    as_json: bool,
    as_jsonl: bool,
    home: str,
    config: str | None,
    **facts: Any,
) -> None:
    """List requests and what came of them, newest first.

    With TEXT these are the requests most like it.
    """
    from datetime import datetime, timedelta, timezone

    from ..report import past_json, past_line

    since = None if days is None else datetime.now(timezone.utc) - timedelta(days=days)
    with open_service(home, config, create=False) as service:
        requests = service.history(text, by=by, limit=limit, since=since, **present(facts))  # type: ignore[arg-type]
    rows, lines = [past_json(one) for one in requests], [past_line(one) for one in requests]
    print_rows("requests", rows, as_json, as_jsonl, lines)
    if not requests:
        raise NotFound("no request matches; loosen the filters")


@click.command(cls=Command, examples=["catalog stats --by week"])
@click.option(
    "--by",
    type=click.Choice(["day", "week", "month"]),
    help="How long the periods are over which hits are shown [default: by the length of the log].",
)
@json_option
@home_option
def stats(by: By | None, as_json: bool, home: str) -> None:
    """Print how many requests reuse served, and how well.

    It counts requests, hits and seconds saved, also over time, the rate of wrong reuses among those judged, and
    sizes.
    """
    from ..history.statistics import statistics
    from ..report import figures

    with open_store(home) as store:
        counted = statistics(store, by)
    if as_json:
        print_json(counted.model_dump(mode="json"))
        return
    for line in figures(counted):
        click.echo(line)


@click.command(cls=Command, examples=["catalog calibrate", "catalog calibrate --labels mine.jsonl"])
@click.option(
    "--labels",
    type=click.Path(dir_okay=False),
    help="Certify on this file of scenes or judged pairs, JSON Lines [default: the shipped scenes].",
)
@click.option(
    "--from-ratings", is_flag=True, help="Certify on how people judged reused tracks in this catalog."
)
@click.option(
    "--music",
    is_flag=True,
    help="With --from-ratings: of tracks that were reused for their music, not their scene.",
)
@click.option("--max-false-reuse", type=float, help="A rate to certify beside those every certificate has.")
@click.option("--out", type=click.Path(dir_okay=False), help="Write the certificate here, not into the home.")
@json_option
@home_option
@config_option
def calibrate(
    labels: str | None,
    from_ratings: bool,
    music: bool,
    max_false_reuse: float | None,
    out: str | None,
    as_json: bool,
    home: str,
    config: str | None,
) -> None:
    """Certify which threshold holds which rate of false reuse.

    The certificate is for the encoder in use.
    """
    from ..report import certificate_lines

    with open_service(home, config) as service, progress_bar("reading labels") as on_progress:
        certificate = service.calibrate(
            labels=labels,
            from_ratings=from_ratings,
            music=music,
            max_false_reuse=max_false_reuse,
            out=out,
            on_progress=on_progress,
        )
    if as_json:
        print_json(certificate.model_dump(mode="json"))
        return
    for line in certificate_lines(certificate):
        click.echo(line)
