from collections import Counter
from itertools import combinations

import pytest

from training.rehearsal.world import FACT_KINDS, field_guide, make_world


def test_it_is_the_same_village_for_the_same_seed_and_another_for_another():
    assert make_world(7) == make_world(7)
    assert make_world(7).creatures != make_world(8).creatures


def test_it_gives_no_two_creatures_more_than_one_fact_in_common():
    for seed in range(5):
        for one, other in combinations(make_world(seed).creatures, 2):
            assert sum(one.fact(kind) == other.fact(kind) for kind in FACT_KINDS) <= 1


def test_it_keeps_a_third_of_the_creatures_and_two_feelings_for_the_evaluation():
    world = make_world(7)
    assert Counter(creature.split for creature in world.creatures) == {"train": 17, "valid": 3, "test": 10}
    assert Counter(neighbour.split for neighbour in world.neighbours) == {"train": 5, "valid": 1, "test": 2}


def test_it_draws_the_splits_anew_for_each_seed():
    kept = [{c.name for c in make_world(seed).creatures if c.split == "test"} for seed in (1, 2)]
    assert kept[0] != kept[1]


def test_it_knows_nobody_who_does_not_live_there():
    with pytest.raises(KeyError):
        make_world(7).creature("unicorn")


def test_its_guide_gives_every_fact_to_people_who_judge_by_hand():
    world = make_world(7)
    lines = field_guide(world).splitlines()
    for creature in world.creatures:
        assert f"| {creature.name} | {creature.eats} | {creature.sleeps} | {creature.coat} |" in lines
    for neighbour in world.neighbours:
        assert any(
            line.startswith(f"| {neighbour.feeling} | {neighbour.remedy} | {neighbour.name} |") for line in lines
        )
