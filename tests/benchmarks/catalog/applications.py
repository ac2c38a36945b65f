"""What it adds to tell what the application is that shows a text: the choice of a style, with it and without.

    python tests/benchmarks/catalog/applications.py [PART ...]

Texts of applications that language models invented, each with a sentence in which its developer tells what it is;
judges labelled the texts knowing that sentence (see `music_fit/README.md`). Nothing is fitted to these, which are of
other authors than those fitted to: the parts "calibrate" and "fresh", or those that are named. Rivals: the text alone,
the description alone, the one style that is most often right for all, and one style an application, known from the
labels: what no constant can beat. Then pairs of such a text and a track on the shelf that judges graded knowing the
sentence (see `music_fit/PAIRS.md`): how well the decision on reuse tells those that would serve.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from fit_music import auc
from music_labels import read_applications, read_pairs, read_second_applications, read_tracks

from music_catalog import presets
from music_catalog.brief.supervisor import Supervisor
from music_catalog.models import Brief, Choices, Context, Request
from music_catalog.request.builder import build
from music_catalog.reuse import music_certificate, serving
from music_catalog.text import encoder as encoders
from music_catalog.text.features import features_of
from music_catalog.text.parsed import parse

Row = dict[str, Any]
PARTS = ("calibrate", "fresh", "later", "last", "languages", "once", "mixed")
"""Nothing is fitted to these; those of "languages" are in ten other languages than English, and those of "once" and
"mixed" are measured once, after all is chosen."""
CHANCES = (0.5, 0.7, 0.8, 0.9, 0.95, 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; the first two unless named"
    )
    parts = parser.parse_args().parts or PARTS[:2]
    rows, encoder = [row for row in read_applications() if row["part"] in parts], encoders.load()
    if not rows:
        parser.error(f"no texts are of part {', '.join(parts)}; valid: {', '.join(PARTS)}")
    library = presets.load(None)
    supervisor = Supervisor(library.styles, encoder, None, Path())

    def ask(text: str, application: str | None = None) -> Request:
        context = Context(text=text, application=application)
        parsed = parse(context, encoder, None)
        features = features_of(context, parsed)
        brief, _ = supervisor.read(context, parsed, features)
        return build(context, features, Choices(), library, key="", find_weights=lambda _: None, brief=brief)

    asked_told = [ask(row["text"], row["application"]) for row in rows]
    asked_untold = [ask(row["text"]) for row in rows]
    told, untold = ([_brief(one) for one in asked] for asked in (asked_told, asked_untold))
    described = {each: _brief(ask(each)) for each in {row["application"] for row in rows}}
    names = [*untold[0].styles]
    usual = _most_right(rows, names)
    of_app = {
        app: _most_right([row for row in rows if row["app"] == app], names)
        for app in {row["app"] for row in rows}
    }
    choices = {
        "text and application": [_pick(brief) for brief in told],
        "text alone": [_pick(brief) for brief in untold],
        "description alone": [_pick(described[row["application"]]) for row in rows],
        f"always {usual}": [usual] * len(rows),
        "best style of each application": [of_app[row["app"]] for row in rows],
    }
    print(
        f"{len(rows)} texts of {len(of_app)} applications: wrong and fitting; with the description better, worse"
    )
    grades = {
        title: np.array([_grade(row, name) for row, name in zip(rows, picked, strict=True)])
        for title, picked in choices.items()
    }
    for title, one in grades.items():
        print(f"  {title:32} {_shares(one.tolist())}")
    first, alone = grades["text and application"], grades["text alone"]
    for part in parts:
        here = np.array([row["part"] == part for row in rows])
        told_of, untold_of = _shares(first[here].tolist()), _shares(alone[here].tolist())
        print(f"  part {part}, {here.sum()} texts: {told_of}; the text alone {untold_of}", end="; ")
        print(f"{(first[here] > alone[here]).sum()} better, {(first[here] < alone[here]).sum()} worse")
    print(f"  with the description {(first > alone).sum()} choices are better, {(first < alone).sum()} worse")
    _correlate(rows, told, untold)
    for title, briefs in (("with it", told), ("without", untold)):
        _calibrate(title, rows, briefs)
    _agree()
    for title, asked in (("with it", asked_told), ("without", asked_untold)):
        by_id = {row["id"]: request for row, request in zip(rows, asked, strict=True)}
        _decide(title, by_id, library.styles, encoder.identity)


def _brief(request: Request) -> Brief:
    assert request.brief is not None
    return request.brief


def _decide(title: str, asked: dict[str, Request], styles: Any, identity: str) -> None:
    """Print how well the decision on music tells the graded pairs whose texts are in `asked`, by `id`."""
    certificate = music_certificate.standing(Path("nowhere"), identity)
    assert certificate is not None
    tracks = read_tracks()
    pairs = [pair for pair in read_pairs("application_pairs") if pair["text"] in asked]
    if not pairs:
        return
    found = []
    for pair in pairs:
        request, track = asked[pair["text"]], SimpleNamespace(**tracks[pair["track"]])
        numbers = serving.evidence(request, track, styles[track.style])
        assert numbers is not None
        chances = serving.chances(
            numbers,
            certificate.weights,
            certificate.step,
            certificate.leniency.get(track.style, 0.0),
            _brief(request).styles[track.style].fits,
        )
        found.append((*chances, numbers["style"], -numbers["mood"]))
    passes, fits, style, mood = np.array(found).T
    grade = np.array([pair["grade"] for pair in pairs])
    right = grade > 0
    print(
        f"{title}: {len(pairs)} pairs of {len({pair['text'] for pair in pairs})} texts, {_shares(grade.tolist())}; "
        f"AUC, wrong against the rest: the decision {auc(passes, right):.3f}, style's chance {auc(style, right):.3f}, "
        f"mood distance {auc(mood, right):.3f}; fitting against the rest {auc(fits, grade == 2):.3f}"
    )
    for bound in certificate.bounds:
        served = passes >= (2.0 if bound.threshold is None else bound.threshold)
        if served.any():
            print(
                f"  at most {bound.max_false_reuse:.0%} wrong: {bound.threshold:.2f} and above, {served.mean():.0%} of "
                f"the pairs, {_shares(grade[served].tolist())}"
            )


def _correlate(rows: list[Row], told: list[Brief], untold: list[Brief]) -> None:
    wanted = np.array([[row["valence"], row["energy"]] for row in rows])
    for title, briefs in (("with it", told), ("without", untold)):
        read = np.array([[brief.valence, brief.energy] for brief in briefs])
        r = [np.corrcoef(wanted[:, axis], read[:, axis])[0, 1] for axis in (0, 1)]
        print(f"  {title}: r of valence {r[0]:.2f}, of energy {r[1]:.2f}")


def _calibrate(title: str, rows: list[Row], briefs: list[Brief]) -> None:
    pairs = [
        (fit.passes, _grade(row, name) > 0)
        for row, brief in zip(rows, briefs, strict=True)
        for name, fit in brief.styles.items()
    ]
    chance, passes = np.array(pairs, dtype=float).T
    print(f"  {title}: styles by their chance to pass, and the share that passes")
    for low, high in pairwise(CHANCES):
        here = (chance >= low) & ((chance < high) | (high == 1))
        if here.any():
            means = f"mean {chance[here].mean():.3f}, pass {passes[here].mean():.3f}"
            print(f"    {low:.2f} to {high:.2f}: {here.sum():5}, {means}")


def _agree() -> None:
    first = {row["id"]: row for row in read_applications()}
    second = read_second_applications()
    pairs = [(row, first[row["id"]]["fits"][0]) for row in second]
    pairs += [(first[row["id"]], row["fits"][0]) for row in second]
    print(f"two judges, {len(second)} texts: the first choice of one is for the other", end=" ")
    print(_shares([_grade(row, name) for row, name in pairs]))
    graded = {(pair["text"], pair["track"]): pair["grade"] for pair in read_pairs("application_pairs")}
    again = read_pairs("second_application_pairs")
    same = [graded[pair["text"], pair["track"]] == pair["grade"] for pair in again]
    print(f"two judges, {len(same)} pairs: the same grade {np.mean(same):.0%}")


def _pick(brief: Brief) -> str:
    return max(brief.styles, key=lambda name: brief.styles[name].fits + brief.styles[name].passes)


def _most_right(rows: list[Row], names: list[str]) -> str:
    return max(names, key=lambda name: sum(_grade(row, name) for row in rows))


def _grade(row: Row, style: str) -> int:
    """Return 2 where a judge holds that the style fits the text, 1 where it passes, 0 where it is wrong."""
    return 2 if style in row["fits"] else int(style in row["passable"])


def _shares(grades: list[int]) -> str:
    counts = Counter(grades)
    return f"{counts[0] / len(grades):5.1%} wrong, {counts[2] / len(grades):5.1%} fitting"


if __name__ == "__main__":
    main()
