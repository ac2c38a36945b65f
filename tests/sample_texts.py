"""Texts with known relations to each other, and short settings to make tracks for them with."""

CALM = "Soft rain taps on the library windows while students read in calm, peaceful silence."
CALM_AGAIN = "In calm, peaceful silence students read while soft rain taps on the windows of the library."
PANIC = "Hard rain hammers on the library windows while students scream in terrifying, angry chaos."
ELSEWHERE = (
    "The quarterly report shows that container shipping volumes through Rotterdam grew by four percent."
)
BATTLE = "The riders broke through the gate, swords raised, and the courtyard became a storm of screams."
SHORT = {"duration_s": 2.0, "quality": "preview"}
