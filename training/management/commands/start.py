"""manage.py start: the whole of Accord on this machine, as `make run` does it."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from labeling.models import SignInLink, User
from labeling.newcomers import FIRST_PEOPLE, welcome
from training import local_site


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
        welcome()
        children = [
            local_site.start_child(command, folder=settings.BASE_DIR)
            for command in (local_site.web_command(host, port), local_site.worker_command())
        ]
        if local_site.wait_until_served(host, port, children):
            self.print_links(f"http://{host}:{port}")
        elif all(child.poll() is None for child in children):
            local_site.stop(children)
            raise CommandError(f"Nothing answered on port {port} within {local_site.START_SECONDS:.0f} s; stopped.")
        status = local_site.follow(children)
        if status:
            raise CommandError("The web server or the worker ended by itself; its last words are above.")
        self.stdout.write("\nStopped.")

    def print_links(self, base: str) -> None:
        self.stdout.write(f"\nAccord is up at {base}\n")
        for name in FIRST_PEOPLE:
            user = User.objects.filter(username=name, is_active=True).first()
            if user is not None:
                link = reverse("sign_in_link", args=[SignInLink.make(user)])
                self.stdout.write(f"  sign in as {name + ':':12} {base}{link}")
        self.stdout.write("Each link works once. Another: python manage.py sign_in_link USER. Ctrl-C stops.\n")
        self.stdout.flush()
