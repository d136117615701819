"""manage.py start: the whole of Accord on this machine, as `make run` does it."""

import subprocess
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from labeling.models import Project, SignInLink, User
from labeling.newcomers import FIRST_PEOPLE, welcome
from training import founding, local_site
from training.recorded.files import RECORDED


class Command(BaseCommand):
    help = "Migrate, start the web server and a job worker, print sign-in links; Ctrl-C stops all of it."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        try:
            local_site.check_port(host, port)
        except local_site.PortInUse as error:
            raise CommandError(str(error)) from None
        call_command("migrate", verbosity=0, interactive=False)
        first = welcome()
        if first is not None:
            founding.found_rehearsal([(one.user, one.role) for one in first.memberships.select_related("user")])
        children = [
            local_site.start_child(local_site.web_command(host, port), folder=settings.BASE_DIR),
            self.start_worker(),
        ]
        loading: list[subprocess.Popen[bytes]] = []
        if local_site.wait_until_served(host, port, children):
            self.print_links(f"http://{host}:{port}")
            loading = self.load_recorded() if first is not None else []
        elif all(child.poll() is None for child in children):
            local_site.stop(children)
            raise CommandError(f"Nothing answered on port {port} within {local_site.START_SECONDS:.0f} s; stopped.")
        status = local_site.follow(children, revive=self.start_worker)
        local_site.stop(loading)
        if status:
            raise CommandError(
                "The web server ended by itself, or the worker again and again; the last words are above."
            )
        self.stdout.write("\nStopped.")

    def start_worker(self) -> subprocess.Popen[bytes]:
        return local_site.start_child(local_site.worker_command(), folder=settings.BASE_DIR, gives_way=True)

    def load_recorded(self) -> list[subprocess.Popen[bytes]]:
        """On a new site, beside what was asked for: the links work already while it loads."""
        command = [sys.executable, "manage.py", "load_recorded"]
        return [local_site.start_child(command, folder=settings.BASE_DIR)] if RECORDED.exists() else []

    def print_links(self, base: str) -> None:
        """Written at once: the worker speaks, too, and would stand between two lines."""
        lines = ["", f"Accord is up at {base}"]
        for name in FIRST_PEOPLE:
            user = User.objects.filter(username=name, is_active=True).first()
            if user is not None:
                link = reverse("sign_in_link", args=[SignInLink.make(user)])
                lines.append(f"  sign in as {name + ':':12} {base}{link}")
        if Project.objects.filter(slug=founding.SLUG, simulated=True).exists():
            page = reverse("rehearse", args=[founding.SLUG])
            lines.append(f"  then watch tastes turn into a model: {base}{page}")
        lines.append("Each link works once. Another: python manage.py sign_in_link USER. Ctrl-C stops.")
        self.stdout.write("\n".join(lines))
        self.stdout.flush()
