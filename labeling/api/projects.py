"""The project that a token opens, and what the token may do there."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.api.fields import Sent, Shown, Text
from labeling.api.resource import Allowed, Resource, operation
from labeling.models import Project, ProjectToken, Role
from labeling.projects import ABOUT_CHARACTERS, NAME_CHARACTERS, describe
from labeling.scopes import Scope

EVERYBODY = frozenset(Role.values)


class ProjectShown(Shown):
    """A project: everything else belongs to one."""

    slug = serializers.CharField()
    name = serializers.CharField()
    about = serializers.CharField(help_text="Markdown.")
    simulated = serializers.BooleanField(help_text="A rehearsal: most of its labelers are programs.")
    created_at = serializers.DateTimeField()


class ProjectChanged(Sent):
    name = Text(least=1, most=NAME_CHARACTERS, required=False)
    about = Text(most=ABOUT_CHARACTERS, required=False)


class ProjectList(Shown):
    items = ProjectShown(many=True)
    next = serializers.CharField(allow_null=True)


class Me(Shown):
    """Whose token it is, and what it opens."""

    user = serializers.CharField()
    project = serializers.CharField(help_text="The slug of the project that the token opens.")
    role = serializers.ChoiceField(Role.choices)
    scopes = serializers.ListField(child=serializers.CharField())
    expires_at = serializers.DateTimeField(allow_null=True)


def project_shown(project: Project) -> Any:
    return ProjectShown(project).data


class ProjectsView(Resource):
    tag = "projects"
    allows = {"GET": Allowed(EVERYBODY, None)}

    @operation("The projects that the token opens: one.", gives=ProjectList, name="list_projects")
    def get(self, request: Request) -> Response:
        return Response({"items": [project_shown(self.project)], "next": None})


class MeView(Resource):
    tag = "projects"
    allows = {"GET": Allowed(EVERYBODY, None)}

    @operation("Whose token it is, with its role, scopes and end.", gives=Me, name="read_token")
    def get(self, request: Request) -> Response:
        token = request.auth
        assert isinstance(token, ProjectToken)
        return Response(
            {
                "user": token.user.get_username(),
                "project": self.project.slug,
                "role": self.membership.role,
                "scopes": token.scopes,
                "expires_at": token.expiry,
            }
        )


class ProjectView(Resource):
    tag = "projects"
    allows = {"GET": Allowed(EVERYBODY, None), "PATCH": Allowed(frozenset({Role.OWNER}), Scope.MANAGE)}

    @operation("One project.", gives=ProjectShown, name="read_project")
    def get(self, request: Request, slug: str) -> Response:
        return Response(project_shown(self.project))

    @operation(
        "Gives the project another name or description.",
        takes=ProjectChanged,
        gives=ProjectShown,
        name="change_project",
    )
    def patch(self, request: Request, slug: str) -> Response:
        said = self.sent(request)
        project = self.project
        describe(project, name=said.get("name", project.name), about=said.get("about", project.about))
        return Response(project_shown(project))
