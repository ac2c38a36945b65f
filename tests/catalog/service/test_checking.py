"""The check after making: what fails is made once more with another seed, and the best of several takes is kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import yaml

from music_catalog.errors import InputError, Unavailable
from music_catalog.generator import GeneratorError, ProceduralGenerator
from music_catalog.generator.listening.expected import Fault
from music_catalog.history.statistics import statistics
from music_catalog.history.takes import takes_of
from music_catalog.service.checking.budget import Budget, follows_seed
from music_catalog.service.checking.takes import Findings
from music_catalog.service.service import MusicService
from tests.fakes import WordHashEncoder

TEXT = "Slow waves on an empty beach at dusk."
ARGUMENTS = {"duration_s": 6.0, "backend": "procedural", "preset": "summer_pop"}


class Broken:
    """The synthesizer, whose takes with the given numbers, from 0, come out silent at their end."""

    def __init__(self, *broken, refuses=()):
        self.broken, self.refuses = broken, refuses
        self.seeds = []
        self._generator = ProceduralGenerator()

    def __call__(self, backend, size):
        return self

    def generate_music(self, prompt, config, **rest):
        number = len(self.seeds)
        self.seeds.append(config["seed"])
        if number in self.refuses:
            raise GeneratorError("out of order")
        audio = self._generator.generate_music(prompt, config, **rest)
        if number not in self.broken and "all" not in self.broken:
            return audio
        samples = audio.samples.copy()
        samples[len(samples) // 3 :] = 0.0
        return replace(audio, samples=samples)


def opened(home, generator, **check):
    if check:
        home.mkdir(exist_ok=True)
        (home / "catalog.yaml").write_text(yaml.safe_dump({"musicgen": {"check": check}}), "utf-8")
    return MusicService.open(home, encoder=WordHashEncoder(), generators=generator)


def test_what_passes_is_made_once(tmp_path):
    generator = Broken()
    with opened(tmp_path / "home", generator) as service:
        result = service.find_or_make(TEXT, **ARGUMENTS)
        assert (result.track.checked.faults, result.track.checked.takes) == ((), 1)
        assert not result.warnings
    assert len(generator.seeds) == 1


def test_a_tempo_that_was_fitted_to_the_length_is_made_once(tmp_path):
    generator = Broken()
    with opened(tmp_path / "home", generator) as service:
        result = service.find_or_make(
            "Soft rain taps on the library windows.",
            preset="ambient_lofi", backend="procedural", duration_s=15.0, valence=-0.8, energy=0.8,
        )  # fmt: skip
    style = result.track.config["synthesis"]["tempo_bpm"]
    assert abs(result.track.tempo_bpm / style - 1) > 0.04, "whole bars fill 15 s at another tempo only"
    assert (result.track.checked.faults, len(generator.seeds), result.warnings) == ((), 1, ())


def test_what_fails_is_made_once_more_and_the_stored_seed_makes_the_stored_track(tmp_path):
    generator = Broken(0)
    with opened(tmp_path / "home", generator) as service:
        result = service.find_or_make(TEXT, **ARGUMENTS)
        track = result.track
        first, second = generator.seeds
        assert first != second == track.seed == track.config["seed"]
        assert (track.checked.faults, track.checked.takes, track.checked.failed) == ((), 2, 1)
        assert "take 2 of 2 was kept" in result.reason
        assert "take 1: silence: the last" in result.reason
        assert not any("check" in warning for warning in result.warnings)
        again = service.find_or_make(TEXT, **ARGUMENTS)
        assert (again.action, again.track.id, again.track.key) == ("reused", track.id, track.key)
        anew = service.again(track.id)
        assert anew.track.audio_sha256 != ""
        assert anew.track.seed == track.seed
        same = [service.store.audio.verified_path(one).read_bytes()[-4000:] for one in (track, anew.track)]
        assert same[0] == same[1]


def test_what_fails_each_time_is_kept_with_a_warning_and_told_again_when_it_is_reused(tmp_path):
    generator = Broken("all")
    with opened(tmp_path / "home", generator) as service:
        result = service.find_or_make(TEXT, **ARGUMENTS)
        assert (result.track.checked.takes, result.track.checked.failed) == (2, 2)
        (warning,) = [one for one in result.warnings if "check" in one]
        assert "silence: the last" in warning
        assert "it is the best of 2 takes" in warning
        again = service.find_or_make(TEXT, **ARGUMENTS)
        assert again.action == "reused"
        assert warning in again.warnings
    assert len(generator.seeds) == 2


@pytest.mark.parametrize(
    ("check", "arguments", "made"),
    [
        ({"retakes": 0}, {}, 1),
        ({"retakes": 3, "time_share": 9.0}, {}, 4),
        ({"retakes": 3, "time_share": 0.0}, {}, 1),
        ({}, {"retakes": 0}, 1),
        ({"retakes": 0, "time_share": 9.0}, {"retakes": 2}, 3),
        ({}, {"seed": 7}, 1),
        ({}, {"generation": {"seed": 7}}, 1),
    ],
    ids=str,
)
def test_making_again_keeps_within_its_budget_and_never_changes_a_named_seed(
    tmp_path, check, arguments, made
):
    generator = Broken("all")
    with opened(tmp_path / "home", generator, **check) as service:
        track = service.find_or_make(TEXT, **ARGUMENTS, **arguments).track
    assert track.checked.takes == len(generator.seeds) == made
    if "seed" in arguments:
        assert track.seed == 7


def test_a_retake_that_cannot_be_made_leaves_the_first(tmp_path):
    generator = Broken("all", refuses={1})
    with opened(tmp_path / "home", generator) as service:
        result = service.find_or_make(TEXT, **ARGUMENTS)
        assert (result.track.checked.takes, result.track.seed) == (1, generator.seeds[0])
    with opened(tmp_path / "other", Broken(refuses={0})) as service, pytest.raises(Unavailable):
        service.find_or_make(TEXT, **ARGUMENTS)


def test_the_settings_of_the_check_are_no_part_of_a_request(tmp_path):
    with opened(tmp_path / "a", Broken()) as one, opened(tmp_path / "b", Broken(), retakes=4) as other:
        assert one.key_of(TEXT) == other.key_of(TEXT) == one.key_of(TEXT, takes=3, retakes=2)


def test_of_several_takes_the_best_is_kept_and_the_others_are_dropped(tmp_path):
    generator = Broken(0, 2)
    with opened(tmp_path / "home", generator) as service:
        result = service.generate(TEXT, takes=3, **ARGUMENTS)
        assert len(set(generator.seeds)) == 3
        assert result.track.seed == generator.seeds[1]
        assert result.track.checked.failed == 2
        assert result.reason.count("silence") == 2
        assert "nothing is wrong with it" in result.reason
        assert "tempo" in result.reason or "loudness" in result.reason
        assert [track.id for track in service.store.tracks.list()] == [result.track.id]


def test_the_other_takes_are_kept_as_variants_where_that_is_asked_for(tmp_path):
    generator = Broken(0)
    with opened(tmp_path / "home", generator) as service:
        result = service.find_or_make(TEXT, takes=3, keep_takes=True, **ARGUMENTS)
        best = result.track
        made = {track.id: track for track in service.store.tracks.list()}
        other = next(track for track in made.values() if track.id != best.id)
        assert len(made) == 2, "a take that failed the check is not kept"
        assert {best.seed, other.seed} == {*generator.seeds[1:]}
        assert (best.variant_of, other.variant_of) == (None, best.id)
        assert "1 other take kept as variants" in result.reason
        assert service.find_or_make(TEXT, **ARGUMENTS).track.id == best.id, "a repeat gets the best"
        assert len(generator.seeds) == 3
        assert {track.id for track in takes_of(service.store, best.id)} == {best.id, other.id}


def test_of_sound_takes_the_one_nearest_to_what_was_asked_for_is_kept(tmp_path):
    def ear(take, request):
        nearness = {0: 0.1, 1: 0.2, 2: 1.0}[len(heard)]
        heard.append(nearness)
        return Findings(agreement=nearness, words=f"ear {nearness}")

    heard: list[float] = []
    generator = Broken()
    with opened(tmp_path / "home", generator) as service:
        service._stages.take_checks = (ear,)
        result = service.generate(TEXT, takes=3, **ARGUMENTS)
        assert result.track.seed == generator.seeds[2]
        assert "take 3 of 3 was kept" in result.reason
        assert "ear 0.1" in result.reason


def test_what_a_further_ear_hears_counts_as_a_fault(tmp_path):
    def ear(take, request):
        return Findings(faults=(Fault("voice", "somebody sings", 0.5),))

    generator = Broken()
    with opened(tmp_path / "home", generator) as service:
        service._stages.take_checks = (ear,)
        result = service.find_or_make(TEXT, **ARGUMENTS)
        assert "voice: somebody sings" in result.warnings[-1]
    assert len(generator.seeds) == 2


def test_a_batch_makes_again_only_what_failed(tmp_path):
    generator = Broken(1)
    texts = ["Waves on a beach.", "A battle at the gate.", "Children laugh in a garden."]
    with opened(tmp_path / "home", generator) as service:
        results = service.find_or_make_all(texts, reach="scene", **ARGUMENTS)
        takes = [result.track.checked.takes for result in results if result.action == "generated"]
    assert sorted(takes) == [1] * (len(takes) - 1) + [2]
    assert len(generator.seeds) == len(takes) + 1


def test_takes_and_a_seed_contradict_each_other(tmp_path):
    with opened(tmp_path / "home", Broken()) as service:
        for arguments in ({"seed": 1}, {"generation": {"seed": 1}}):
            with pytest.raises(InputError, match="takes=3 and seed=1 contradict"):
                service.generate(TEXT, takes=3, **arguments)
        with pytest.raises(InputError, match="takes"):
            service.generate(TEXT, takes=0)


def test_a_generator_that_draws_nothing_is_not_asked_again():
    drawn = {"seed": None, "backend": "mlx", "use_sampling": True, "temperature": 1.0}
    assert follows_seed(drawn)
    assert not follows_seed({**drawn, "use_sampling": False})
    assert not follows_seed({**drawn, "temperature": 0.0})
    assert not follows_seed({**drawn, "seed": 3})
    assert follows_seed({**drawn, "backend": "procedural", "use_sampling": False})


def test_a_budget_counts_what_was_made_again():
    assert Budget(1, 1.0).affords(8.0, 0.0, 8.0)
    assert not Budget(3, 1.0).affords(8.0, 8.0, 8.0)
    assert Budget(3, 0.5).affords(16.0, 6.0, 2.0)
    assert not Budget(3, np.nextafter(0.0, 1.0)).affords(8.0, 0.0, 1.0)


def test_the_statistics_have_the_share_that_failed_by_generator(tmp_path):
    with opened(tmp_path / "home", Broken(0, "all")) as service:
        assert statistics(service.store).checks == {}
        service.find_or_make(TEXT, **ARGUMENTS)
        service.generate("A battle at the gate.", retakes=0, **ARGUMENTS)
        (check,) = statistics(service.store).checks.values()
        assert (check.takes, check.failed, check.kept, check.share) == (3, 3, 2, 1.0)
        assert list(statistics(service.store).checks) == ["procedural"]
