"""Webhooks of the project: added, tried, changed, deleted; what each was sent, and sending it anew."""

from typing import Any

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from labeling.access import RESEARCHES, ProjectRequest, project_page
from labeling.errors import Refusal
from labeling.models import Delivery, Webhook
from labeling.webhooks import EVENTS, OFFERED, change_secret, change_webhook, make_webhook, ping, replay

A_PAGE = 50
CHOICES = [(event, EVENTS[event]) for event in OFFERED]


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(RESEARCHES)
@reauthentication_required(allow_get=True)
def webhooks(request: ProjectRequest) -> HttpResponse:
    """The list, and a form that adds one; the answer to it is the only page that shows its secret."""
    problem, made = "", None
    typed: dict[str, Any] = {"url": "", "events": list(OFFERED)}
    if request.method == "POST":
        typed = {"url": request.POST.get("url", "").strip(), "events": request.POST.getlist("event")}
        try:
            made = make_webhook(request.project, by=request.user, **typed)
        except Refusal as refusal:
            problem = refusal.message
    state = Delivery.State
    counted = Webhook.objects.filter(project=request.project).annotate(
        waiting=Count("deliveries", filter=Q(deliveries__state=state.WAITING)),
        given_up=Count("deliveries", filter=Q(deliveries__state=state.GIVEN_UP)),
    )
    context = {"found": counted.order_by("pk"), "made": made, "problem": problem, "typed": typed, "choices": CHOICES}
    return render(request, "webhooks/list.html", context, status=422 if problem else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(RESEARCHES)
@reauthentication_required(allow_get=True)
def webhook(request: ProjectRequest, webhook_id: int) -> HttpResponse:
    """Its settings, and its deliveries, the newest first. POST: act=save, secret, ping or delete."""
    found = _webhook(request, webhook_id)
    problem, secret = "", ""
    if request.method == "POST":
        act = request.POST.get("act", "save")
        if act == "delete":
            found.delete()
            messages.success(request, f"{found.url} is told of nothing any more.")
            return redirect("webhooks", request.project.slug)
        if act == "ping":
            ping(found)
            messages.success(request, "A trial message is on its way; reload to see how it went.")
            return redirect("webhook", request.project.slug, found.pk)
        if act == "secret":
            secret = change_secret(found).secret
        else:
            try:
                url, events = request.POST.get("url", "").strip(), request.POST.getlist("event")
                change_webhook(found, url=url, events=events, active=request.POST.get("active") == "yes")
            except Refusal as refusal:
                problem = refusal.message
            else:
                messages.success(request, "Saved.")
                return redirect("webhook", request.project.slug, found.pk)
    page = Paginator(found.deliveries.order_by("-pk"), A_PAGE).get_page(request.GET.get("page"))
    context = {"webhook": found, "page": page, "problem": problem, "secret": secret, "choices": CHOICES}
    return render(request, "webhooks/webhook.html", context, status=422 if problem else 200)


@require_POST
@project_page(RESEARCHES)
def replay_delivery(request: ProjectRequest, webhook_id: int, delivery_id: int) -> HttpResponse:
    replay(get_object_or_404(Delivery, webhook=_webhook(request, webhook_id), pk=delivery_id))
    messages.success(request, "It is sent anew, under the same message id; reload to see how it went.")
    return redirect("webhook", request.project.slug, webhook_id)


def _webhook(request: ProjectRequest, webhook_id: int) -> Webhook:
    return get_object_or_404(Webhook.objects.select_related("project"), project=request.project, pk=webhook_id)
