"""The figures of the human debates: how well judges did in debate and consultancy, with people and with a model.
Rule: it reads records and counts; how that platform's records become transcripts is in `transcripts/formats`.

Michael, Mahdi, Rein, Petty, Dirani, Padmakumar and Bowman 2023, Debate helps supervise unreliable experts (arXiv
2311.08702), from their own records."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from moot.experiments.statistics import metrics
from moot.experiments.statistics.intervals import BOOTSTRAP, Bootstrap, Estimate
from moot.experiments.statistics.records import Judged, Kind, of
from moot.experiments.statistics.report import Report, Row
from moot.protocols.engine.errors import MootError, UsageError
from moot.transcripts.formats.importing import Paths, paths_of
from moot.transcripts.transcript import Transcript, load

Setting = tuple[bool, bool]
"""Whether the debaters were people, and whether it was a debate (otherwise a consultancy)."""

SETTINGS: dict[Setting, str] = {
    (True, True): "human debate", (True, False): "human consultancy", (False, True): "AI debate", (False, False): "AI consultancy",
}  # fmt: skip
PLAYS: dict[Setting, int] = {(True, True): 154, (True, False): 96, (False, True): 87, (False, False): 76}
"""How many plays of each setting the paper has."""

# Computed from the whole of the published records; the paper states the first two accuracies, as 84 % and 74 %.
PUBLISHED: dict[str, dict[Setting, float]] = {
    "accuracy": {(True, True): 130 / 154, (True, False): 71 / 96, (False, True): 68 / 87, (False, False): 61 / 76},
    "mean (1 - p)^2": {(True, True): 0.1360, (True, False): 0.2067, (False, True): 0.1831, (False, False): 0.1685},
    "mean p of the truth": {(True, True): 0.794091, (True, False): 0.697292, (False, True): 0.753908, (False, False): 0.765000},
    "mean reward": {(True, True): -0.890685, (True, False): -1.235311, (False, True): -1.197003, (False, False): -1.162088},
    "mean continues": {(True, True): 2.7468, (True, False): 4.0208, (False, True): 3.8161, (False, False): 4.1842},
    "calibration error": {(True, True): 0.108, (True, False): 0.179, (False, True): 0.161, (False, False): 0.167},
}  # fmt: skip
DIGITS = dict(zip(PUBLISHED, (9, 4, 6, 6, 4, 3), strict=True))
OFFLINE, OFFLINE_ACCURACY = 247, 0.858
_TRANSCRIPTS = (".jsonl", ".jsonl.zst")
TIES: metrics.Ties = "wrong"  # as they were counted there


@dataclass
class Corpus:
    """What was found in a folder. plays: those that are in the paper, by setting. offline: the last judgment of everybody
    who judged a play after its end. read: how many records there were; skipped: and how many more that could not be read; outside: how many
    are not in the paper, as far as they say; problems: what could not be read, each with its place."""

    plays: dict[Setting, list[Judged]] = field(default_factory=lambda: {setting: [] for setting in SETTINGS})
    offline: list[Judged] = field(default_factory=list)
    read: int = 0
    skipped: int = 0
    outside: int = 0
    problems: list[str] = field(default_factory=list)


def reproduce(paths: Paths, by: Bootstrap = BOOTSTRAP) -> Report:
    """The figures of the paper's four settings from the records in `paths`, beside those of the whole corpus.

    paths: what `moot import nyu` takes, or transcripts that it made, files or folders, one or several. Any part
    of the corpus will do; a figure is held against the published one only where all plays of its setting are there.
    Nothing is written. Raises UsageError when there is nothing to read."""
    corpus = read(paths)
    rows: list[Row] = []
    for setting, name in SETTINGS.items():
        records = corpus.plays[setting]
        whole = len(records) == PLAYS[setting]
        for figure, estimate in _figures(records, by).items():
            published = PUBLISHED[figure][setting]
            holds = _same(estimate.value, published, DIGITS[figure]) if whole else None
            rows.append(estimate.row(f"{name}: {figure}", published, holds))
    offline = metrics.accuracy(corpus.offline, by, TIES)
    agrees = _same(offline.value, OFFLINE_ACCURACY, 3) if len(corpus.offline) == OFFLINE else None
    rows.append(offline.row("offline judgments: accuracy", OFFLINE_ACCURACY, agrees))
    settings = {
        "records": corpus.read,
        "skipped": corpus.skipped,
        "resamples": by.resamples,
        "seed": by.seed,
        "confidence": by.confidence,
    }
    return Report(
        title="Judges of debate and consultancy", source="Michael et al. 2023, arXiv 2311.08702", rows=tuple(rows),
        settings=settings, notes=tuple(_notes(corpus)),
    )  # fmt: skip


def _figures(records: list[Judged], by: Bootstrap) -> dict[str, Estimate]:
    scores = (metrics.squared_error, metrics.p_correct, metrics.reward, metrics.continues)
    means = (metrics.mean(records, score, by) for score in scores)
    calibration = metrics.expected_calibration_error(records, by=by, ties=TIES)
    found = (metrics.accuracy(records, by, TIES), *means, calibration)
    return dict(zip(PUBLISHED, found, strict=True))


def _same(measured: float | None, published: float, digits: int) -> bool:
    """Whether a figure rounds to the published one."""
    return measured is not None and abs(measured - published) <= 0.5000001 * 10**-digits


def _notes(corpus: Corpus) -> Iterator[str]:
    yield (
        "p is what the judge gave the true answer at the end; the reward is log2 p - 0.05 for each time the judge went on. "
        "The calibration error is of the chosen answer, in 10 bins of equal width. A play is counted where its metadata "
        "says that it is in the paper."
    )
    yield (
        "The paper states the accuracies of human debate and consultancy, as 84 % and 74 %; the other published figures "
        "were computed from the whole of the published records."
    )
    found = {setting: len(plays) for setting, plays in corpus.plays.items()}
    missing = [f"{found[s]} of {PLAYS[s]} {name}" for s, name in SETTINGS.items() if found[s] != PLAYS[s]]
    if missing:
        yield f"Only a part of the corpus is here, so these are shown beside what was published: {', '.join(missing)}."
    if len(corpus.offline) != OFFLINE:
        yield f"{len(corpus.offline)} of {OFFLINE} offline judgments are here."
    ties = sum(r.outcome == "decided" and r.choice is None for r in corpus.offline)
    if ties:
        yield f"{ties} offline judgments gave both answers 0.5, and count as not correct, as they did there."
    if corpus.outside:
        yield f"{corpus.outside} of {corpus.read} records are not in the paper; only their offline judgments are used."
    if corpus.problems:
        shown = "; ".join(corpus.problems[:5]) + ("; …" if len(corpus.problems) > 5 else "")
        yield f"{len(corpus.problems)} problems: {shown}"


def read(paths: Paths) -> Corpus:
    """Every record in the files and folders, as far as it can be read. Raises UsageError when there is none, or no metadata."""
    corpus, given = Corpus(), paths_of(paths)
    for name, found in _transcripts(given):
        if isinstance(found, Transcript):
            corpus.read += 1
            _take(name, found, corpus)
        else:
            corpus.problems.append(found)
            corpus.skipped += 1
    if not corpus.read:
        why = f" ({corpus.problems[0]})" if corpus.problems else ""
        do = "give a folder with debates/*.json and debates-metadata.jsonl, or one of transcripts imported from them"
        raise UsageError(f"{', '.join(map(str, given))} holds no debate that can be read{why}: {do}")
    return corpus


def _transcripts(paths: list[Path]) -> Iterator[tuple[str, Transcript | str]]:
    """Every debate that the paths hold, with its name, or why one cannot be read, with its file."""
    from moot.transcripts.formats.nyu import METADATA, NyuDebates, metadata_of

    form, records = NyuDebates(), list[Path]()
    for path in paths:
        if path.is_dir() and form.files(path) or path.is_file() and not path.name.endswith(_TRANSCRIPTS):
            records.append(path)
            continue
        files = (file for file in path.rglob("*") if file.name.endswith(_TRANSCRIPTS) and file.name != METADATA)
        for file in sorted(files) if path.is_dir() else [path]:
            try:
                yield file.stem, load(file)
            except (OSError, MootError) as error:
                yield file.stem, f"{file}: {error}"
    if records and all(metadata_of(file) is None for _, file in form.found(records)):
        raise UsageError(f"{records[0]} has records and no {METADATA}, which says what setting each is of")
    yield from ((file.stem, found) for file, found in form.debates(records))


def _take(name: str, transcript: Transcript, corpus: Corpus) -> None:
    from moot.transcripts.formats.nyu import export_metadata, offline_judgments

    record, metadata = of(transcript), export_metadata(transcript)
    try:
        for judgment in offline_judgments(transcript):
            last = judgment.verdicts[-1].probabilities if judgment.verdicts else None
            kind: Kind = "decided" if last else "unfinished"
            corpus.offline.append(Judged(record.question, last, transcript.sample.unseal(), kind))
    except (MootError, ValueError) as error:
        corpus.problems.append(f"{name}: offline judgments: {error}")
    setting = (metadata or {}).get("setting")
    if metadata is None or not metadata.get("includedInPaper") or not isinstance(setting, Mapping):
        corpus.outside += 1
        return
    key = (setting.get("isHuman"), setting.get("isDebate"))
    if (known := next((each for each in SETTINGS if each == key), None)) is None:
        corpus.problems.append(f"{name}: its setting is {dict(setting)}")
    else:
        corpus.plays[known].append(record)
