"""Members of the project and their roles, and cohorts of labelers."""

from typing import Any

from django.db.models import Q
from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.access import RESEARCHES
from labeling.api.fields import OneOf, Sent, Shown, Text
from labeling.api.paging import Paged, page_of, page_shape
from labeling.api.resource import Allowed, Resource, found_or_404, operation
from labeling.backgrounds import people_told
from labeling.errors import Refusal
from labeling.grouping import NAME_CHARACTERS, delete_cohort, describe_cohort, make_cohort, put_in, take_out
from labeling.inviting import invite
from labeling.leaving import leave
from labeling.members import change_role
from labeling.models import Cohort, Labeler, Membership, Role
from labeling.projects import ABOUT_CHARACTERS
from labeling.scopes import Scope

OWNERS = frozenset({Role.OWNER})
READS = Allowed(RESEARCHES, Scope.READ)
OWNS = Allowed(OWNERS, Scope.MANAGE)


class MemberShown(Shown):
    """A person's role.."""

    id = serializers.IntegerField()
    user = serializers.CharField()
    role = serializers.ChoiceField(Role.choices)
    since = serializers.DateTimeField()


class RoleSent(Sent):
    role = OneOf(Role.choices)


class InvitationSent(Sent):
    email = Text(least=3, most=254)
    role = OneOf(Role.choices)


class InvitationShown(Shown):
    """An invitation that went out by mail; the link is in the mail alone."""

    id = serializers.IntegerField()
    email = serializers.CharField()
    role = serializers.ChoiceField(Role.choices)
    expires_at = serializers.DateTimeField()


class CohortShown(Shown):
    """A group whose preferences are to be told apart."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    about = serializers.CharField()
    by_rule = serializers.BooleanField(help_text="Whether a rule fills it from background answers.")
    people = serializers.IntegerField(
        allow_null=True, help_text="How many are in it now; by a rule in steps of five, null below five."
    )
    labelers = serializers.ListField(
        child=serializers.CharField(), help_text="Pseudonyms of those in it now; none where a rule fills it."
    )
    created_at = serializers.DateTimeField()


class CohortSent(Sent):
    name = Text(least=1, most=NAME_CHARACTERS)
    about = Text(most=ABOUT_CHARACTERS, required=False)


class CohortChanged(Sent):
    name = Text(least=1, most=NAME_CHARACTERS, required=False)
    about = Text(most=ABOUT_CHARACTERS, required=False)


class CohortPeople(Sent):
    """Pseudonyms: who comes in, and who is out from now on."""

    put_in = serializers.ListField(child=Text(least=1, most=120), max_length=1000, required=False)
    take_out = serializers.ListField(child=Text(least=1, most=120), max_length=1000, required=False)


MemberPage = page_shape("Member", MemberShown)
CohortPage = page_shape("Cohort", CohortShown)


def member_shown(member: Membership) -> dict[str, Any]:
    return {"id": member.pk, "user": member.user.get_username(), "role": member.role, "since": member.created_at}


class MembersView(Resource):
    tag = "people"
    allows = {"GET": READS}

    @operation("Who belongs to the project.", query=Paged, gives=MemberPage, name="list_members")
    def get(self, request: Request, slug: str) -> Response:
        found = Membership.objects.filter(project=self.project).select_related("user")
        return Response(page_of(found, self.query, member_shown))


class MemberView(Resource):
    tag = "people"
    allows = {"GET": READS, "PATCH": OWNS, "DELETE": OWNS}

    def _member(self, member_id: int) -> Membership:
        found = Membership.objects.filter(project=self.project).select_related("user", "project")
        return found_or_404(found, pk=member_id)

    @operation("One member.", gives=MemberShown, name="read_member")
    def get(self, request: Request, slug: str, member_id: int) -> Response:
        return Response(member_shown(self._member(member_id)))

    @operation(
        "Gives a member another role, from their next request on.",
        takes=RoleSent,
        gives=MemberShown,
        name="change_member",
    )
    def patch(self, request: Request, slug: str, member_id: int) -> Response:
        return Response(member_shown(change_role(self._member(member_id), self.sent(request)["role"])))

    @operation("Ends a membership: access and tokens end, what they said stays.", status=204, name="remove_member")
    def delete(self, request: Request, slug: str, member_id: int) -> Response:
        leave(self._member(member_id))
        return Response(status=204)


class InvitationsView(Resource):
    tag = "people"
    allows = {"POST": OWNS}

    @operation(
        "Invites somebody by mail.", takes=InvitationSent, gives=InvitationShown, status=201, name="invite_member"
    )
    def post(self, request: Request, slug: str) -> Response:
        said = self.sent(request)

        def address_of(token: str) -> str:
            return request.build_absolute_uri(reverse("invitation", args=[token]))

        by: Any = request.user
        made = invite(self.project, email=said["email"], role=said["role"], by=by, address_of=address_of)
        return Response(InvitationShown(made).data, status=201)


def cohort_shown(cohort: Cohort) -> dict[str, Any]:
    inside = list(
        cohort.members.filter(until=None).order_by("labeler__pseudonym").values_list("labeler__pseudonym", flat=True)
    )
    return {
        "id": cohort.pk,
        "name": cohort.name,
        "about": cohort.about,
        "by_rule": cohort.by_rule,
        "people": people_told(cohort, len(inside)),
        "labelers": [] if cohort.by_rule else inside,
        "created_at": cohort.created_at,
    }


class CohortsView(Resource):
    tag = "people"
    allows = {"GET": READS, "POST": OWNS}

    @operation("The project's cohorts.", query=Paged, gives=CohortPage, name="list_cohorts")
    def get(self, request: Request, slug: str) -> Response:
        return Response(page_of(Cohort.objects.filter(project=self.project), self.query, cohort_shown))

    @operation("Makes a cohort, empty.", takes=CohortSent, gives=CohortShown, status=201, name="create_cohort")
    def post(self, request: Request, slug: str) -> Response:
        said = self.sent(request)
        made = make_cohort(self.project, name=said["name"], about=said.get("about", ""))
        return Response(cohort_shown(made), status=201)


class CohortView(Resource):
    tag = "people"
    allows = {"GET": READS, "PATCH": OWNS, "DELETE": OWNS}

    def _cohort(self, cohort_id: int) -> Cohort:
        return found_or_404(Cohort.objects.filter(project=self.project), pk=cohort_id)

    @operation("One cohort, with who is in it now.", gives=CohortShown, name="read_cohort")
    def get(self, request: Request, slug: str, cohort_id: int) -> Response:
        return Response(cohort_shown(self._cohort(cohort_id)))

    @operation("Gives it another name or description.", takes=CohortChanged, gives=CohortShown, name="change_cohort")
    def patch(self, request: Request, slug: str, cohort_id: int) -> Response:
        cohort, said = self._cohort(cohort_id), self.sent(request)
        describe_cohort(cohort, name=said.get("name", cohort.name), about=said.get("about", cohort.about))
        return Response(cohort_shown(cohort))

    @operation("Deletes a cohort that nobody was in and no work is for.", status=204, name="delete_cohort")
    def delete(self, request: Request, slug: str, cohort_id: int) -> Response:
        delete_cohort(self._cohort(cohort_id))
        return Response(status=204)


class UnknownLabeler(Refusal):
    """A pseudonym that nobody has in the project."""

    code = "unknown_labeler"
    status = 422


class CohortPeopleView(Resource):
    tag = "people"
    allows = {"POST": OWNS}

    @operation(
        "Puts labelers into a cohort, and takes others out. Who was in it before keeps what they said as its member.",
        takes=CohortPeople,
        gives=CohortShown,
        name="change_cohort_people",
    )
    def post(self, request: Request, slug: str, cohort_id: int) -> Response:
        cohort = found_or_404(Cohort.objects.filter(project=self.project), pk=cohort_id)
        said = self.sent(request)
        coming, going = (self._labelers(said.get(name, [])) for name in ("put_in", "take_out"))
        put_in(cohort, coming)
        for labeler in going:
            take_out(cohort, labeler.pk)
        return Response(cohort_shown(cohort))

    def _labelers(self, pseudonyms: list[str]) -> list[Labeler]:
        found = list(Labeler.objects.filter(Q(pseudonym__in=pseudonyms), project=self.project))
        unknown = sorted(set(pseudonyms) - {labeler.pseudonym for labeler in found})
        if unknown:
            raise UnknownLabeler(f"There is no labeler {unknown[0][:60]!r} in the project.")
        return found
