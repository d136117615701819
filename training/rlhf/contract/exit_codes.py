"""How a stage ends: its exit codes, and the failures that lead to them.

The supervisor reads status.json and error.json first (a launcher of several processes answers 1 for all of them);
the exit code says the same to a person at a terminal.
"""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What became of an attempt, and what the supervisor does about it."""

    DONE = 0
    """model/ (or output/) and report.json exist: finish."""
    WRONG_COMMAND = 64
    """The command line makes no sense: fail."""
    DATA_REFUSED = 65
    """Empty, all tied, too long, or a malformed row (file and line named): fail and show the sentence."""
    INPUT_MISSING = 66
    """A model or data file is missing, or its hash is not the recorded one: fail."""
    BUG = 70
    """An unhandled exception; the traceback is in the log: retry once, then fail."""
    OUT_OF_MEMORY = 71
    """Of the device or of the host: fail, or requeue with a smaller micro_batch_tokens in control.json."""
    CANNOT_WRITE = 73
    """Disk full, quota, read-only: fail; the last good checkpoint is kept."""
    NOT_FINITE = 74
    """A loss or gradient is not finite: fail; step and prompts are named, the last good checkpoint is kept."""
    PAUSED = 75
    """Resumable: requeue at once if the worker was told to stop, wait if a person asked."""
    FENCED = 76
    """Another attempt owns the run: do nothing."""
    STOPPED_EARLY = 77
    """A rule (such as a ceiling on KL) ended it and model/ is written: finish, shown as stopped early."""
    CONFIG_REFUSED = 78
    """config.json is refused, or is not the one the run began with: fail."""
    CANCELLED = 79
    """A person cancelled it: finish as cancelled."""


class StageEnd(Exception):
    """A stage ends here, for a reason that has an exit code and a sentence. Not a bug: no traceback is needed.

    A stage may raise any of them wherever it stands; StoppedEarly only after it released its model.
    """

    exit_code: ClassVar[ExitCode]

    @property
    def code(self) -> str:
        """The stable word that stands in status.json and error.json ("not_finite")."""
        return self.exit_code.name.lower()


class DataRefused(StageEnd):
    exit_code = ExitCode.DATA_REFUSED


class InputMissing(StageEnd):
    exit_code = ExitCode.INPUT_MISSING


class OutOfMemory(StageEnd):
    exit_code = ExitCode.OUT_OF_MEMORY


class CannotWrite(StageEnd):
    exit_code = ExitCode.CANNOT_WRITE


class NotFinite(StageEnd):
    exit_code = ExitCode.NOT_FINITE


class Paused(StageEnd):
    exit_code = ExitCode.PAUSED


class Fenced(StageEnd):
    exit_code = ExitCode.FENCED


class StoppedEarly(StageEnd):
    exit_code = ExitCode.STOPPED_EARLY


class ConfigRefused(StageEnd):
    exit_code = ExitCode.CONFIG_REFUSED


class Cancelled(StageEnd):
    exit_code = ExitCode.CANCELLED
