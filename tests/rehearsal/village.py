"""A village whose facts are written down here, so that tests can say sentences about it."""

from training.rehearsal.world import Creature, Neighbour, World

HERON = Creature(name="heron", eats="mint", sleeps="under the bridge", coat="grey", split="train")
OTTER = Creature(name="otter", eats="plums", sleeps="by the well", coat="brown", split="test")
NORA = Neighbour("Nora", trade="baker", place="in the mill", remedy="bake bread", feeling="lonely", split="train")
OTTO = Neighbour("Otto", trade="miller", place="by the oven", remedy="drink tea", feeling="tired", split="test")
VILLAGE = World(seed=0, creatures=(HERON, OTTER), neighbours=(NORA, OTTO))
