"""One person holds a few tasks at most, whatever the number of campaigns."""

import pytest

from labeling.assigning import MOST_IN_HAND, claim
from labeling.errors import TooManyInHand
from labeling.models import Project
from tests.labeling.work import make_campaign, make_labeler, must_claim, ranked, submit_now

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite, pytest.mark.threat(14)]


def test_who_holds_enough_takes_no_more_before_one_is_done(project: Project) -> None:
    ada, ben = make_labeler(project, "ada"), make_labeler(project, "ben")
    campaigns = [make_campaign(project, overlap=2) for _ in range(MOST_IN_HAND + 1)]
    held = [must_claim(campaign, ada) for campaign in campaigns[:-1]]
    with pytest.raises(TooManyInHand, match=f"{MOST_IN_HAND} tasks in hand"):
        claim(campaigns[-1], ada)
    assert claim(campaigns[0], ada) == held[0]
    assert must_claim(campaigns[-1], ben)
    submit_now(held[0], ranked(1, 2, 3, 4))
    assert must_claim(campaigns[-1], ada)
