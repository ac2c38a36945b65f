"""Short scenes and the moods a reader would accept for each; written by hand, before any reader saw them.

The first word of each group names its kind. `chosen_on` tells which half may be looked at while a reader is made; the
other half is only measured.
"""

from __future__ import annotations

import hashlib

__all__ = ["SCENES", "chosen_on"]

_EVERYDAY = "neutral focused curious calm cozy peaceful happy energetic playful determined"
"""What nothing in particular may sound like; none of them is dark, sad, solemn or frightening."""

_GROUPS = {
    f"everyday: {_EVERYDAY}": """
        The tavern fills up.
        The train leaves at nine.
        She put the keys on the table.
        A man walks into a shop and asks for the time.
        The road turns left behind the mill.
        They unload crates from the wagon.
        He opens the window and sits down.
        The market opens on Saturdays.
        Two guards stand beside the gate.
        The ship is moored at the second pier.
        The bus stops in front of the school.
        She writes a letter to her uncle.
        The kitchen has a long wooden table and six chairs.
        The clerk stamps the form and hands it back.
        The farmer sells eggs and cheese.
        A path leads from the village to the river.
        He counts the coins and closes the drawer.
        The guests take their seats.
        The library is on the second floor.
        A cart rolls past the well.
        The shopkeeper sweeps the floor.
        They cross the bridge and turn north.
        The class begins after lunch.
        The porter carries the bags upstairs.
    """,
    "quiet: calm peaceful dreamy cozy tender nostalgic happy hopeful neutral wondrous romantic": """
        The lake lies still under the morning sun.
        A cat sleeps on the warm windowsill.
        Snow falls softly on the garden.
        The old couple share a blanket by the fire.
        Clouds drift over the green hills.
        She hums a tune while the bread rises.
        The baby dozes in her mother's arms.
        A light breeze moves the wheat.
        They lie in the grass and watch the clouds.
        Candles glow in the windows of the little houses.
    """,
    "sad: sad grieving lonely melancholic solemn dark nostalgic": """
        The old man eats his supper alone again.
        They lowered the small coffin into the ground.
        Nobody came to her birthday.
        The dog waits at the door for a master who died.
        She folds his shirts one last time.
        The letters came back unopened.
        He lost his farm and everything in it.
        The widow sets two plates out of habit.
        Her hands shook as she read that her son had fallen.
        The orphan watched the other children go home.
    """,
    "threat: scary ominous dark tense anxious mysterious angry aggressive chaotic": """
        Something scratches at the other side of the door.
        The wolves circle the camp.
        A scream rings out from the cellar.
        The bridge cracks beneath their feet.
        Footsteps follow her down the empty alley.
        The guards drag the prisoner to the scaffold.
        Smoke pours under the locked door.
        The killer is still in the house.
        Blood drips from the ceiling.
        The soldiers burn the village to the ground.
        He holds a knife to the boy's throat.
        The dead rise from their graves.
    """,
    "joy: happy joyful playful funny exciting energetic triumphant hopeful tender wondrous": """
        The children race each other to the beach.
        Everyone dances at the wedding.
        The team lifts the cup and the crowd roars.
        She opens the letter and jumps for joy.
        The puppy chases its own tail.
        At last the ship comes home and the whole town runs to meet it.
        The jester slips on a pie and the hall bursts out laughing.
        Grandmother bakes a cake for the twins.
        The villagers sing and clap around the maypole.
        He kisses her and she laughs.
    """,
    "grand: epic exciting energetic aggressive chaotic tense triumphant determined wondrous ominous scary": """
        Ten thousand riders thunder down the hill.
        The dragon spreads its wings above the burning city.
        The king raises his sword and the army charges.
        The rocket lifts off in a pillar of fire.
        Waves as tall as towers crash over the deck.
        The gladiators storm into the arena.
    """,
}

SCENES: tuple[tuple[str, str, frozenset[str]], ...] = tuple(
    (line.strip(), group.split(":")[0], frozenset(group.split(":")[1].split()))
    for group, lines in _GROUPS.items()
    for line in lines.strip().splitlines()
)
"""Scene, its kind, and the moods that suit it."""


def chosen_on(text: str) -> bool:
    """Tell whether the scene belongs to the half that may be looked at."""
    return hashlib.sha256(text.encode("utf-8")).digest()[0] % 2 == 0
