"""How a run ended: counts that balance, the exit code, and the words for both."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from batchgen.errors import ExitCode
from batchgen.ledger.entry import State, Totals
from batchgen.ledger.store import Ledger
from batchgen.run.pace.stop import PRECEDENCE, Stop
from batchgen.text import counted


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Where the variants that the job asks for stand; the last five add up to the first."""

    planned: int
    saved: int
    failed: int
    uncertain: int
    expired: int
    pending: int
    """Everything else: still to do, in flight, or paid and not downloaded yet."""
    short: int
    """Of the saved ones, those with fewer images than asked for."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run hands back, and what ``summary.json`` says."""

    job: str
    dataset: Path
    service: str
    exit_code: ExitCode
    why: str
    """Why the run ended before its work did; empty when it did not."""
    counts: Counts
    images: int
    """In the dataset as a whole, as the money."""
    images_planned: int
    nsfw: int
    bytes: int
    spent_usd: float | None
    """Spent or possibly spent; None when the price of the model is unknown, as the next two."""
    reserved_usd: float | None
    """Of that, for submits of which nobody knows whether they were accepted."""
    refund_expected_usd: float | None
    """Of that, for failed predictions: the service gives it back within three hours."""
    bucket: str = ""
    """``s3://bucket/prefix`` when the images are there, and not in the folder."""
    only: tuple[str, ...] = ()
    """The ``--only`` that limits what is planned; empty for all that the job asks for."""
    shard: str = ""
    """``0/3`` for a run of one of three shards: all that this outcome tells is of its part."""
    run: str = ""
    """The id of this run, of which all that follows tells."""
    images_made: int = 0
    submits: int | None = 0
    """None when shards were merged, as the next two: each of them has its own."""
    polls: int | None = 0
    retries: int | None = 0
    polls_per_image: float | None = None
    """None without images, as the next one."""
    detection_lag_s: float | None = None
    """From the end of a prediction to the poll that told of it: mean, estimated."""
    started_at: str = ""
    ended_at: str = ""
    wall_s: float = field(default=0.0)
    nsfw_by_prompt: Mapping[str, int] | None = None
    """Images that are flagged NSFW, by the ids of the prompts that have any; None when there was
    no time to look, as the next one."""
    flags: Mapping[str, int] | None = None
    """How many images are ``identical`` to another, ``blank``, or of a ``size`` that contradicts
    the ratio."""

    def summary(self) -> dict[str, object]:
        """The content of ``summary.json``."""
        return {
            **asdict(self.counts),
            **{name: value for name, value in asdict(self).items() if name != "counts"},
            "dataset": str(self.dataset),
            "exit_code": int(self.exit_code),
            "class": self.exit_code.word,
        }

    def sentence(self) -> str:
        """The class in words, and what to do next: the last line of a run."""
        c = self.counts
        variant = "chosen variant" if self.only else "variant"
        again = "none is left to be made"
        if c.pending:
            are = "is" if c.pending == 1 else "are"
            again = f"{counted(c.pending, 'variant')} {are} left, run again to go on"
        match self.exit_code:
            case ExitCode.OK:
                words = f"every one of {counted(c.planned, variant)} has its images"
            case ExitCode.PARTIAL:
                lost = c.failed + c.expired + c.short
                words = f"{lost:,} of {c.planned:,} {variant}s have not all their images"
                words += "; failures.jsonl says why"
            case ExitCode.UNCERTAIN:
                were, are, them = ("were", "they are", "them")
                if c.uncertain == 1:
                    were, are, them = ("was", "it is", "it")
                words = (
                    f"{counted(c.uncertain, 'submit')} {were} not answered and may have been paid; "
                    f"{are} held, not sent again, and listed in failures.jsonl; "
                    f"batchgen reconcile {self.dataset} settles {them}"
                )
            case ExitCode.ACCOUNT:
                words = f"{self.why}; check the key and the balance, then run again"
            case ExitCode.STORAGE:
                mend = "make room or mend the disk, then run again"
                if self.bucket:
                    mend = "what is not in the bucket is kept here; run again to go on"
                words = f"{self.why}; {mend}"
            case _:
                words = f"{self.why or 'not everything could be finished'}; {again}"
        return f"{self.exit_code.word}: {words}"


def count(ledger: Ledger, planned: int, totals: Totals) -> Counts:
    """The counts of a dataset whose job asks for *planned* variants."""
    states = ledger.counts()
    ended = {s: states[s] for s in (State.SAVED, State.FAILED, State.UNCERTAIN, State.EXPIRED)}
    return Counts(
        planned=planned,
        saved=ended[State.SAVED],
        failed=ended[State.FAILED],
        uncertain=ended[State.UNCERTAIN],
        expired=ended[State.EXPIRED],
        pending=planned - sum(ended.values()),
        short=totals.short,
    )


def exit_code(counts: Counts, stop: Stop) -> ExitCode:
    """The first class that holds, in the order of the contract."""
    holds = {ExitCode.OK}
    if not _met_with_the_last(counts, stop):
        holds.add(stop.code)
    if counts.uncertain:
        holds.add(ExitCode.UNCERTAIN)
    if counts.pending:
        holds.add(ExitCode.INCOMPLETE)
    if counts.failed or counts.expired or counts.short:
        holds.add(ExitCode.PARTIAL)
    return min(holds, key=PRECEDENCE.index)


def why(counts: Counts, stop: Stop) -> str:
    """Why the run ended before its work did; empty when it did not."""
    return "" if _met_with_the_last(counts, stop) else stop.why


def _met_with_the_last(counts: Counts, stop: Stop) -> bool:
    """Whether a limit was met, or an account ran dry, with the last variant: that stopped none."""
    unfinished = stop.limited or stop.code in {ExitCode.INCOMPLETE, ExitCode.ACCOUNT}
    return unfinished and not counts.pending
