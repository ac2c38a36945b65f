"""A small corpus for bulk work."""

CORPUS = [
    "Turn the heating off, wait half an hour, and open the valve of the radiator a quarter turn until water drips.",
    "The riders broke through the gate, swords raised, and the yard became a storm of screams and steel.",
    "My father died on Tuesday. The house is full of his coats, and I cannot bring myself to open the wardrobe.",
    "Three silly ducklings chased a balloon down the hill and giggled when it landed on the farmer's nose.",
]
SHORT = {"quality": "preview", "duration_s": 2.0}
