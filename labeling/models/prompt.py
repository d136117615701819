"""Prompts: the texts given."""

from django.db import models
from django.utils.translation import gettext_lazy

from labeling.models.project import Project


class Prompt(models.Model):
    """A chat that waits for a response.

    messages: [{"role": "system" | "user" | "assistant", "content": text}, …], the last one by the user. fingerprint:
    sha256 of the messages; two prompts of one project never have the same. group_key: author, customer, conversation
    tree or document it came from. The split is decided by it, never by row, so that no author stands on both sides.
    personal_data: what the text seems to hold, of labeling.intake.PERSONAL_DATA ("email", …). content: what it holds
    that is announced to labelers before they see it, kinds of Content as bits.
    """

    class UseCase(models.TextChoices):
        """The ten of Ouyang et al. 2022, table 1."""

        GENERATION = "generation", gettext_lazy("Generation")
        OPEN_QA = "open_qa", gettext_lazy("open QA")
        BRAINSTORMING = "brainstorming", gettext_lazy("Brainstorming")
        CHAT = "chat", gettext_lazy("Chat")
        REWRITE = "rewrite", gettext_lazy("Rewrite")
        SUMMARIZATION = "summarization", gettext_lazy("Summarization")
        CLASSIFICATION = "classification", gettext_lazy("Classification")
        OTHER = "other", gettext_lazy("Other")
        CLOSED_QA = "closed_qa", gettext_lazy("closed QA")
        EXTRACT = "extract", gettext_lazy("Extract")

    class Style(models.TextChoices):
        PLAIN = "plain"
        FEW_SHOT = "few_shot", "few-shot"
        USER_BASED = "user_based", "user-based"

    class Origin(models.TextChoices):
        LABELER = "labeler"
        CUSTOMER = "customer"
        IMPORT = "import"
        SIMULATED = "simulated"

    class Split(models.TextChoices):
        TRAIN = "train"
        VALID = "valid"
        TEST = "test"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="prompts")
    messages = models.JSONField()
    use_case = models.CharField(max_length=20, choices=UseCase, default=UseCase.OTHER)
    style = models.CharField(max_length=20, choices=Style, default=Style.PLAIN)
    origin = models.CharField(max_length=20, choices=Origin)
    group_key = models.CharField(max_length=200)
    consent = models.CharField(max_length=200, blank=True, help_text="the words a customer agreed to, or empty")
    language = models.CharField(max_length=20, default="en")
    split = models.CharField(max_length=10, choices=Split)
    fingerprint = models.CharField(max_length=64)
    external_id = models.CharField(max_length=200, blank=True)
    personal_data = models.JSONField(default=list, blank=True)
    content = models.PositiveSmallIntegerField(default=0, db_default=0)
    submission = models.ForeignKey(
        "labeling.Submission", on_delete=models.SET_NULL, null=True, blank=True, related_name="prompts"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "fingerprint"], name="prompt_fingerprint_once"),
            models.CheckConstraint(condition=models.Q(split__in=["train", "valid", "test"]), name="prompt_split_known"),
            models.CheckConstraint(condition=~models.Q(group_key=""), name="prompt_has_a_group"),
        ]
        indexes = [
            models.Index(fields=["project", "split"]),
            models.Index(fields=["project", "external_id"]),
            models.Index(fields=["project", "group_key"]),
        ]

    def __str__(self) -> str:
        return f"prompt {self.pk}"

    @property
    def last_turn(self) -> str:
        """What the user said last."""
        return str(self.messages[-1]["content"])
