"""People: those who sign in, and those who judged (a member, a name in imported data, or simulated)."""

import hashlib
import secrets
from datetime import timedelta

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils import timezone

from labeling.models.project import Membership, Project


class User(AbstractUser):
    """Someone who can sign in. What they may do is said by their memberships."""

    @classmethod
    def called(cls, name: str) -> models.QuerySet["User"]:
        """Users of this user name, or of this e-mail address in any case; addresses may be shared."""
        return cls.objects.filter(models.Q(username=name) | models.Q(email__iexact=name))


class Labeler(models.Model):
    """Whoever judged, under a pseudonym that is stable within the project and leaves Accord in exports.

    user stays when the membership ends: who comes back is the same labeler, and is never counted twice in one task.
    avoids: what they would rather not read and are not handed, kinds of Content as bits.
    """

    class Source(models.TextChoices):
        MEMBER = "member"
        IMPORTED = "imported"
        SIMULATED = "simulated"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="labelers")
    membership = models.OneToOneField(
        Membership, on_delete=models.SET_NULL, null=True, blank=True, related_name="labeler"
    )
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="labelers")
    pseudonym = models.CharField(max_length=120)
    source = models.CharField(max_length=20, choices=Source)
    avoids = models.PositiveSmallIntegerField(default=0, db_default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "pseudonym"], name="labeler_pseudonym_once"),
            models.CheckConstraint(
                condition=models.Q(source="member") | models.Q(membership__isnull=True),
                name="labeler_membership_only_for_members",
            ),
            models.UniqueConstraint(
                fields=["project", "user"], condition=models.Q(user__isnull=False), name="labeler_user_once"
            ),
            models.CheckConstraint(
                condition=models.Q(source="member") | models.Q(user__isnull=True),
                name="labeler_user_only_for_members",
            ),
        ]

    def __str__(self) -> str:
        return self.pseudonym


class SignInLink(models.Model):
    """A link that signs its user in once. Only the digest of its token is kept."""

    VALID_FOR = timedelta(days=1)

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sign_in_links")
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"link for {self.user}"

    @staticmethod
    def digest_of(token: str) -> str:
        return hashlib.sha256(token.encode()).hexdigest()

    @classmethod
    def make(cls, user: User) -> str:
        """A new link's token: shown once, never stored."""
        token = secrets.token_urlsafe(24)
        cls.objects.create(user=user, digest=cls.digest_of(token), expires_at=timezone.now() + cls.VALID_FOR)
        return token

    @classmethod
    def redeem(cls, token: str) -> User | None:
        """The user of an unused, unexpired link, which is used up by this call; None for any other token.

        One conditional update decides, so that of two visits at once only one signs in.
        """
        now = timezone.now()
        links = cls.objects.filter(
            digest=cls.digest_of(token), used_at__isnull=True, expires_at__gt=now, user__is_active=True
        )
        if not links.update(used_at=now):
            return None
        return User.objects.get(sign_in_links__digest=cls.digest_of(token))
