"""Situations that threaten without a word for it, each above a harmless one of the same scene; all authored.

`fit_heads.py` fits the head for threats to them and to the fearful sentences of GoEmotions. Both sides share place,
people and as many words as they can, so that what the head learns is the threat and not the scene.
"""

from __future__ import annotations

__all__ = ["HARMLESS", "PAIRS"]

_PAIRS = """
Someone is following us along the towpath, and he does not fall back
    Someone is walking ahead of us along the towpath with a dog
Footsteps stop whenever I stop
    Children's footsteps patter down the hall to breakfast
The door handle turns slowly, although nobody else has a key
    The door handle turns and grandfather comes in with the shopping
A stranger has been sleeping in our barn, and now the dog is missing
    A swallow has been nesting in our barn, and the dog sleeps below it
The guards are searching the carts, and she is lying under the straw
    The farmers are loading the carts, and she is resting in the straw
He counts the bullets again; there are two left
    He counts the apples again; there are two left
They have found our boat and cut it loose
    They have found our boat and brought it back to us
The water in the cellar has reached the third step and keeps rising
    The water in the fountain runs over the third step and sparkles
Something large moves beneath the raft
    Something small and silver swims beneath the raft
The radio has gone dead, and the patrol should have been back at noon
    The radio plays an old waltz, and the patrol came back at noon
Whatever it is, it has learned to open doors
    Our cat has learned to open doors
I wake with a hand over my mouth
    I wake with the sun on my face
The tracks in the snow circle our tent and lead nowhere else
    The tracks in the snow lead past our tent to the village
The lights go out one after the other, coming closer
    The lights go on one after the other along the promenade
He smiled and told her that nobody would hear her out here
    He smiled and told her that you could hear the sea out here
The bridge groans, and a cable snaps somewhere above us
    The bridge is wide, and a cyclist waves as he passes us
She drank from the cup before she saw the white powder at the bottom
    She drank from the cup and saw the blue flower at the bottom
The mountain shook, and the whole slope began to slide towards the huts
    The mountain glowed, and the whole slope lay in the evening sun above the huts
Two men in grey coats have been sitting in that car since morning
    Two men in grey coats have been playing chess in the park since morning
The letter said that they knew which school my daughter goes to
    The letter said that my daughter did well at school
The smoke is already under the ceiling and the window is barred
    The kitchen smells of bread and the window is open
The shark fin turned and came straight at the swimmers
    The sailing boat turned and came straight into the harbour
We have air for another forty minutes
    We have another forty minutes until the train leaves
The lift stops between two floors, and somebody is standing on its roof
    The lift stops at the top floor, and you can see the whole city
Her torch dies, and the breathing is right beside her
    Her torch is bright, and her brother is right beside her
The crowd has closed the street at both ends, and they carry clubs
    The crowd has filled the street at both ends, and they carry flags and balloons
The thing in the crib is not my child
    The child in the crib is fast asleep
They are marching us to the edge of the quarry
    They are taking us on a walk to the edge of the lake
Do exactly what I tell you and your brother will live
    Do exactly what the recipe says and the cake will rise
The horses refuse to pass the old mill and roll their eyes
    The horses graze beside the old mill in the shade
Shells are falling on the next street now
    Shells are lying on the beach after the tide
The wire ran from the door to a box that ticked
    The path ran from the door to a garden that hummed with bees
He had been buried under the rubble for two days when the rain began to seep in
    He had been on the road for two days when the rain began to ease
Nobody on the ship remembers boarding her, and the boats are gone
    Everybody on the ship is on deck, and the boats are freshly painted
The scratching inside the wall follows her from room to room
    The music from the radio follows her from room to room
The ice has drifted out to sea with the children still on it
    The ice is thick this year and the children skate on it
You should not have opened that door, said the voice from the speaker
    You should try the soup, said the man behind the counter
Every mirror in the house shows someone standing behind him
    Every mirror in the house has a gilded frame
The pilot slumps over the controls, and the nose drops
    The pilot dims the lights, and the city appears below
There is a snake in the sleeping bag
    There is a book in the sleeping bag
The hunter raises his rifle, and the fawn does not see him
    The hiker raises his camera, and the fawn does not mind him
Her captor comes down the stairs, and she pulls at the rope
    Her mother comes down the stairs, and she ties her shoes
The fever has reached our street; they are nailing boards across the doors
    The circus has reached our town; they are putting up posters on the doors
He pressed himself against the rock as the searchlight swept over the ledge
    He leaned against the rock as the evening light spread over the ledge
The creature had their scent by dusk
    The garden had a sweet scent by dusk
If the rope gives way, all three of them go down
    If the weather holds, all three of them will go up
The tide has covered the way back, and the cliff is too steep
    The tide has gone out, and the way along the cliff is dry
The engine stalls on the crossing, and the barrier comes down behind them
    The engine hums along the avenue, and the barrier opens for them
Somebody has drawn a cross on our door in the night
    Somebody has put flowers at our door in the night
Behind the wallpaper she found her own name, scratched with fingernails
    Behind the bookshelf she found her own drawing from school
The jungle has gone silent, every bird at once
    The jungle is full of colour, and every bird sings
The bandits wait at the ford with drawn swords
    The washerwomen wait at the ford with their baskets
They gave him until midnight to pay, and it is eleven
    They gave him until Monday to reply, and it is only Friday
A drop of red falls onto the page; the ceiling is wet
    A drop of ink falls onto the page; the table is covered with paper
The reactor alarm has stopped, which it should never do
    The kettle has stopped whistling, so the tea is ready
The masked man tests the edge of his blade with a thumb
    The cook tests the edge of his knife and slices a tomato
We are being boarded, and the captain has locked himself in
    We are being served, and the captain has joined our table
The current has him; only a hand is still above the water
    The current carries him; he floats on his back and looks at the sky
The hounds are across the river
    The hounds are asleep by the fire
The undead drag themselves over the wall faster than we can push them back
    The guests help themselves to cake faster than we can cut it
I know you are in there, he says, and the axe hits the door again
    I know you are in there, he says, and holds up the picnic basket
She realises that the call comes from inside the house
    She realises that the call comes from her sister
The spider lowers itself onto the sleeping man's face
    The mother lays a blanket over the sleeping man
There were six of us at supper, and now there are seven chairs taken
    There were six of us at supper, and we laughed until late
The pressure gauge is in the red, and the valve will not turn
    The gauge shows a fine day, and the valve of the balloon is open
The gunman walks along the row of kneeling passengers
    The conductor walks along the row of sleeping passengers
The avalanche dog has stopped barking
    The neighbour's dog has stopped barking and wags its tail
No one who goes down to the old well comes back
    Everyone who goes down to the old well fills a jug
The general has ordered that the village be burned at first light
    The baker has ordered that the ovens be lit at first light
Our guide is gone, with the water and the map
    Our guide is here, with the water and a melon
The eyes in the undergrowth do not blink
    The lamps in the garden glow softly
They took the neighbours last night, and a list is said to exist
    They invited the neighbours last night, and a lovely evening it was
The hull is cracking, one rivet after the other
    The hull is being painted, one plank after the other
He backs away from the bear, step by step, and his heel finds the edge
    He backs away from the easel, step by step, and looks at his picture
The doctor comes out and does not look at us
    The doctor comes out and shakes our hands, smiling
The man from the ferry is standing under her window again
    The man from the bakery is whistling under her window again
All of the phones in the building ring at once, and a child is laughing on the line
    All of the bells in the village ring at once, and a child is laughing on the swing
The fog closes around them, and the mooring line comes up cut
    The fog lifts around them, and the mooring line hangs slack
It has been in the vents since the second day, and it is learning our names
    It has been in the family since the old days, and it carries our names
Walk faster, don't look back
    Walk slowly, there is no hurry
The coffin shook, and the nails began to rise
    The cradle rocked, and the baby began to smile
The brakes do nothing, and the bend is coming
    The bus slows down, and the stop is coming
The poison takes about an hour, he explained pleasantly
    The train takes about an hour, he explained pleasantly
The searchers' voices grow faint above her, and she cannot move her legs
    The singers' voices grow faint behind her, and she swings her legs
The dragon's shadow passes over the market for the second time
    A cloud's shadow passes over the market for a moment
They have chained the doors from outside
    They have hung garlands over the doors
The colony stopped answering three weeks ago
    The colony held its harvest feast three weeks ago
Someone else's breath fogs the glass from the other side
    The warm breath of the horse fogs the glass of the stable
The mob is dragging the clerk out of the courthouse
    The family is leading the bride out of the courthouse
The floor gives way beneath the last man on the stairs
    The carpet is soft beneath the last man on the stairs
"""

_lines = [line.strip() for line in _PAIRS.strip().splitlines()]
PAIRS: tuple[tuple[str, str], ...] = tuple(zip(_lines[::2], _lines[1::2], strict=True))
"""A threat, and the same scene without it."""

_HARMLESS = """
It was only the wind in the chimney
The noise on the stairs turned out to be the cat
There was nobody behind the curtain, just a draught
When the lamp was lit, the monster was a coat on a chair
The wolves had moved on, and we slept soundly
She woke up, and it had all been a dream
The fire was out, everyone was accounted for, and the kettle went round
The shooting stopped at dawn, and people came out of the cellars and embraced
He put the knife down and began to laugh
The bomb had been defused years ago and now stands in the museum
The children played pirates and took each other prisoner
The haunted house at the fair made everybody giggle
Wolves live in packs and feed on deer and smaller animals
The volcano last erupted in 1783 and is now a popular destination
A pistol is a handgun with a chamber that is part of the barrel
The museum shows swords and armour of the sixteenth century
The storm had passed, and the fields steamed in the sun
We are safe here, nobody is coming after us any more
She was alone at last, with a book and a pot of tea
He locked up the shop and strolled home
Alone on the summit, he ate his sandwich and looked at the valleys
The night watchman does his rounds and hums to himself
In the dark of the cinema they held hands
The old house creaks when it rains, and we love it for that
The hunter came home with mushrooms
The ship's siren says good night to the harbour
The detective novel lay open on the sofa, and she dozed
The prisoner was released and met his sister at the gate
The river has gone down, and the cows are back on the meadow
The spider in the bathroom is called Frederick
The train leaves at nine and arrives before noon
The committee will meet on Tuesday to discuss the budget
Click on the button to save your changes
The population of the town grew by four per cent
Heat the oven and butter the tin
The company reported higher sales in the second quarter
"""

HARMLESS: tuple[str, ...] = tuple(line.strip() for line in _HARMLESS.strip().splitlines())
"""What a threat was taken back in, what only sounds like one, and what is neither."""
