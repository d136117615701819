"""What cannot be done on the machines' side: a stable code in words, and a sentence with the value and the remedy."""

from labeling.errors import Refusal


class RoundRefused(Refusal):
    """A round cannot be opened or changed in this way."""

    code = "round_refused"


class LaunchRefused(Refusal):
    """A stage cannot start: its config, its inputs or its place in the round are wrong."""

    code = "launch_refused"


class SnapshotRefused(Refusal):
    """The data asked for cannot be frozen: an unknown query, too few records, or no space."""

    code = "snapshot_refused"


class JobRefused(Refusal):
    """The job is not in a state in which this can be asked of it."""

    code = "job_refused"
    status = 409


class RecordingRefused(Refusal):
    """Rounds cannot be recorded, or a file of recorded rounds cannot be loaded."""

    code = "recording_refused"


class CheckpointRefused(Refusal):
    """A checkpoint cannot be deleted: others rest on it, or it is not ours."""

    code = "checkpoint_refused"
    status = 409
