"""What people do, as tables: one module a noun family."""

from labeling.models.assignment import Assignment
from labeling.models.campaign import Campaign
from labeling.models.guideline import Guideline, WorkKind
from labeling.models.imported import ImportedRecord
from labeling.models.people import Labeler, SignInLink, User
from labeling.models.project import Membership, Project, Role
from labeling.models.prompt import Prompt
from labeling.models.response import Generator, Response
from labeling.models.submission import Judgment, Submission
from labeling.models.task import ClaimCursor, Task, TaskResponse
from labeling.models.token import ProjectToken

__all__ = [
    "Assignment",
    "Campaign",
    "ClaimCursor",
    "Generator",
    "Guideline",
    "ImportedRecord",
    "Judgment",
    "Labeler",
    "Membership",
    "Project",
    "ProjectToken",
    "Prompt",
    "Response",
    "Role",
    "SignInLink",
    "Submission",
    "Task",
    "TaskResponse",
    "User",
    "WorkKind",
]
