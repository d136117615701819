"""What a person did that cannot be done: each failure has a stable code in words and a sentence with the remedy.

Pages show the sentence at its place in the form; the API and the scripts of the pages get both as JSON.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Problem:
    """One thing wrong. place: the form field it belongs to ("rank-C", "text"), or empty for the whole."""

    code: str
    message: str
    place: str = ""


class Refusal(Exception):
    """A request that is refused, and nothing was written. status is the HTTP status that says so."""

    code = "refused"
    status = 400

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @property
    def problems(self) -> Sequence[Problem]:
        return [Problem(self.code, self.message)]

    def as_json(self) -> dict[str, Any]:
        """{"code": …, "message": …, "problems": [{"code", "message", "place"}, …]}"""
        return {"code": self.code, "message": self.message, "problems": [asdict(problem) for problem in self.problems]}


class CampaignNotOpen(Refusal):
    """The campaign hands out no work, or takes none any more."""

    code = "campaign_not_open"
    status = 409


class KeptOut(Refusal):
    """The work is not for this person."""

    code = "kept_out"
    status = 403


class GuidelineUnread(Refusal):
    """A version of the guideline must be read before the next task. guideline: its id."""

    code = "guideline_unread"
    status = 409

    def __init__(self, message: str, guideline: int) -> None:
        super().__init__(message)
        self.guideline = guideline


class TooManyInHand(Refusal):
    """One person holds as many tasks as one may."""

    code = "too_many_in_hand"
    status = 409


class WrongState(Refusal):
    """A campaign cannot go from its state to the one asked for."""

    code = "wrong_state"
    status = 409


class EmptyCampaign(Refusal):
    """A campaign has nothing that could be handed out."""

    code = "empty_campaign"
    status = 409


class NothingFits(Refusal):
    """No task can be made of what was chosen."""

    code = "nothing_fits"


class InvalidSetting(Refusal):
    """A value that a campaign or a guideline cannot have, or not any more."""

    code = "invalid_setting"


class CannotDelete(Refusal):
    """Something that others depend on."""

    code = "cannot_delete"
    status = 409


class StaleLease(Refusal):
    """The page is from an earlier hold; the task was handed to the same person again since."""

    code = "stale_lease"
    status = 409


class NewerDraft(Refusal):
    """Since the draft that this one goes on from, another was kept from elsewhere. draft, saved_at: that one."""

    code = "newer_draft"
    status = 409

    def __init__(self, message: str, *, draft: Mapping[str, str], saved_at: datetime) -> None:
        super().__init__(message)
        self.draft = draft
        self.saved_at = saved_at

    def as_json(self) -> dict[str, Any]:
        return super().as_json() | {"draft": self.draft, "saved_at": self.saved_at}


class AlreadySubmitted(Refusal):
    """The task was submitted already, under another key, and cannot be corrected (any more)."""

    code = "already_submitted"
    status = 409


class NotReviewable(Refusal):
    """What is there to review is the reviewer's own, or not the current version."""

    code = "not_reviewable"
    status = 409


class AlreadyReviewed(Refusal):
    """Somebody else decided between the page and its form."""

    code = "already_reviewed"
    status = 409


class TooLarge(Refusal):
    """More bytes in one request than are taken."""

    code = "too_large"
    status = 413


class InvalidTask(Refusal):
    """A task cannot be made of this prompt and these responses."""

    code = "invalid_task"


class InvalidWork(Refusal):
    """What a labeler sent has no meaning or leaves out something required; every problem is named at its place."""

    code = "invalid_work"
    status = 422

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems[0].message)
        self._problems = problems

    @property
    def problems(self) -> Sequence[Problem]:
        return self._problems


class LastOwner(Refusal):
    """A project always has an owner who can sign in."""

    code = "last_owner"
    status = 409


class NotInvited(Refusal):
    """An invitation that is not sent: the address, or what is there already, does not allow it."""

    code = "not_invited"


class InvitationGone(Refusal):
    """A link that leads to no open invitation."""

    code = "invitation_gone"
    status = 410


class BadName(Refusal):
    """A name that cannot be given."""

    code = "bad_name"


class StillInUse(Refusal):
    """What others depend on is not deleted."""

    code = "still_in_use"
    status = 409
