"""What people do, as tables: one module a noun family."""

from labeling.models.adjudication import Adjudication
from labeling.models.answered import AnsweredRequest
from labeling.models.assignment import Assignment
from labeling.models.audit import AuditEntry, AuditHead, AuditKind, AuditWaiting
from labeling.models.background import Background, BackgroundForm
from labeling.models.campaign import Campaign
from labeling.models.cohort import Cohort, CohortMember
from labeling.models.content import Content, kinds_in
from labeling.models.gold import GoldAnswer
from labeling.models.guideline import Guideline, GuidelineRead, WorkKind
from labeling.models.imported import ImportedRecord
from labeling.models.invitation import Invitation
from labeling.models.people import Labeler, SignInLink, User
from labeling.models.project import Membership, Project, Role
from labeling.models.prompt import Prompt
from labeling.models.qualification import Grade, Qualification, QualificationTry, Screening
from labeling.models.question import Question
from labeling.models.response import Generator, Response
from labeling.models.review import Review
from labeling.models.session import Session
from labeling.models.submission import Judgment, Submission
from labeling.models.task import ClaimCursor, Task, TaskResponse
from labeling.models.token import ProjectToken
from labeling.models.transfer import Export, Import, Transfer
from labeling.models.webhook import Delivery, Webhook

__all__ = [
    "AnsweredRequest",
    "Adjudication",
    "AuditEntry",
    "AuditHead",
    "AuditKind",
    "AuditWaiting",
    "Background",
    "BackgroundForm",
    "Grade",
    "Qualification",
    "QualificationTry",
    "Screening",
    "Assignment",
    "Campaign",
    "ClaimCursor",
    "Cohort",
    "CohortMember",
    "Content",
    "Delivery",
    "Export",
    "Generator",
    "GoldAnswer",
    "Guideline",
    "GuidelineRead",
    "Import",
    "ImportedRecord",
    "Invitation",
    "Judgment",
    "Labeler",
    "Membership",
    "Project",
    "ProjectToken",
    "Prompt",
    "Question",
    "Response",
    "Review",
    "Role",
    "Session",
    "SignInLink",
    "Submission",
    "Task",
    "TaskResponse",
    "Transfer",
    "User",
    "Webhook",
    "WorkKind",
    "kinds_in",
]
