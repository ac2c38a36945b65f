"""Words that name or suggest a mood, a pace, a place or a time; authored for this project.

English words are compared by stem (`stem`), so "calm" also covers calmly, calming and calmness. A word that ends in
"=" is compared whole, since its stem means something else (longing, long). Words of other languages are compared
whole; words of scripts without spaces are looked for anywhere in the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from ..presets.vocabulary import MOODS

__all__ = [
    "CONCESSIONS",
    "CONTRASTS",
    "FOREIGN_NEGATORS",
    "NEGATORS",
    "OPPOSITES",
    "PLACES",
    "SOFTENERS",
    "STRENGTHENERS",
    "TIMES",
    "UNSPACED_PLACES",
    "UNSPACED_TIMES",
    "Entry",
    "english",
    "foreign",
    "stem",
    "unspaced",
]


Entry = tuple[str, float, float, float]
"""Mood tag ("" for a word of pace only), valence, energy, weight."""


def _set(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_NAMED: Mapping[str, str] = {
    "calm": """calm tranquil serene soothing relaxing relaxed relax mellow gentle quiet soft smooth unhurried chill
        laidback easygoing restful sedate subdued meditative hushed stillness= leisurely soft-spoken placid mild
        unwind lulling lullaby""",
    "peaceful": "peaceful peace harmonious blissful idyllic untroubled contentment contented= pastoral zen",
    "dreamy": "dreamy ethereal hazy floating= hypnotic surreal drifting= daydream dreamlike trance celestial reverie",
    "cozy": "cozy cosy homely= snug comfy comforting comfortable homey hygge",
    "tender": """tender loving affectionate caring intimate warm warmhearted heartfelt compassionate
        sweet grateful thankful thank thanks appreciate appreciated love loved loves adore fond cherish beloved
        hug touching=""",
    "romantic": "romantic romance sensual passionate seductive amorous sexy kiss lovers sweetheart enchanted",
    "nostalgic": """nostalgic nostalgia wistful bittersweet sentimental reminiscing reminiscent longing=
        yearning remember memories yesteryear""",
    "melancholic": """melancholic melancholy gloomy somber sombre pensive brooding forlorn dreary bleak moody
        glum downcast plaintive rueful disappointed disappointing disappointment regret sigh dismal
        depressing depressed depressive sullen""",
    "sad": """sad sadness sorrow sorrowful unhappy tearful tears cry crying cried weep weeping wept heartbreaking
        heartbroken miserable misery sorry upset hurt hurting hopeless despair despairing pity tragic tragedy
        unfortunate unfortunately suffering pain painful ache aching""",
    "grieving": """grieving grief mourning mourn mournful funereal bereaved lament lamenting elegiac requiem
        condolence anguish devastated""",
    "lonely": "lonely loneliness alone isolated= abandoned desolate solitary solitude friendless deserted= outcast",
    "solemn": """solemn dignified reverent ceremonial stately= gravely= sacred hallowed sober austere respectful
        pious prayer""",
    "mysterious": """mysterious mystery enigmatic mystical mystic arcane cryptic haunting secretive puzzling occult
        otherworldly strange eerie unexplained esoteric""",
    "focused": "focused concentration concentrated= studious attentive methodical productive mindful analytical",
    "curious": """curious curiosity inquisitive intriguing intrigued fascinated fascinating wondering wonder quirky
        confused confusing baffled puzzled surprised surprising surprise unexpected realize realized""",
    "hopeful": """hopeful hope optimistic optimism uplifting inspiring inspirational encouraging reassuring promising=
        relieved relief looking-forward heartening inspired aspiring""",
    "wondrous": """wondrous awe awestruck awesome magical majestic enchanting marvelous marvellous breathtaking
        astonishing amazing spectacular magnificent glorious sublime wow incredible miraculous spellbinding""",
    "determined": """determined= resolute persistent steadfast brave bravery courage courageous
        confident confidence proud pride ambitious motivated motivational bold assertive unwavering tenacious""",
    "happy": """happy happily happiness cheerful cheery glad pleased= pleasing= pleasant delightful delighted sunny
        lighthearted carefree merry smile smiling smiled good-natured nice enjoy enjoyed enjoying lovely feel-good fun
        congrats congratulations wonderful""",
    "funny": """funny humorous comic comical hilarious amusing amused comedic witty laugh laughing laughed
        laughter lol haha hahaha lmao rofl joke joking silly absurd giggle giggling goofy ridiculous zany""",
    "playful": """playful bouncy jaunty whimsical mischievous frolicsome teasing perky bubbly cheeky spirited=
        frisky childlike""",
    "joyful": """joyful joyous joy jubilant elated ecstatic euphoric euphoria blissfully upbeat festive celebratory
        celebrate celebrating celebration overjoyed exuberant gleeful jolly rejoice rejoicing bliss thrilled
        yay hooray partying=""",
    "triumphant": """triumphant triumph victorious victory heroic glory conquering champion champions winning= won
        rousing anthemic fanfare invincible""",
    "exciting": """exciting excited excitement thrilling adventurous exhilarating electrifying adventure gripping=
        action-packed suspense-filled stirring= can't-wait""",
    "energetic": """energetic energy energizing lively= vigorous dynamic vibrant driving= pumping peppy hyper powerful
        danceable fiery spirited-up high-energy groovy punchy pulsating animated vivacious rollicking brisk""",
    "epic": """epic cinematic grandiose monumental colossal legendary mythic sweeping= grand bombastic towering=
        dramatic""",
    "dark": "dark darkness shadowy murky grim bleakness black-hearted evil wicked cursed morbid gothic satanic doom",
    "ominous": """ominous foreboding sinister menacing threatening brooding-dark unsettling creepy spooky ghostly=
        haunted dread dreadful doomed portentous lurking""",
    "tense": """tense tension suspenseful suspense nerve-racking edgy uneasy urgent strained= stressful stress
        apprehensive taut intense pressing= unnerving disquieting""",
    "anxious": """anxious anxiety nervous worried worry worrying fearful restless panicky troubled distressed
        distress insecure jittery agitated embarrassed awkward ashamed guilt guilty""",
    "scary": """scary scared= frightening frightened terrifying terrified horrifying horror terror fear afraid
        nightmarish nightmare horrific chilling= bloodcurdling panic petrified screaming""",
    "angry": """angry anger furious fury enraged rage raging mad hate hatred hated hates outraged outrage irate
        resentful bitter hostile livid annoyed annoying irritated irritating frustrated frustrating pissed
        disgusting disgusted gross disgust despise awful terrible horrible stupid idiot damn fuck fucking
        bullshit shit asshole""",
    "aggressive": """aggressive violent fierce brutal savage ferocious vicious hard-hitting harsh combative
        abrasive warlike ruthless bloodthirsty murderous thrashing attack attacking""",
    "chaotic": """chaotic chaos frantic frenzied frenetic hectic wild manic pandemonium turbulent unhinged
        mayhem riotous""",
}
"""Words that name the mood outright: weight 1."""

_SUGGESTED: Mapping[str, str] = {
    "calm": "breathe breeze ripple murmur hum lake meadow gently slumber sleeping asleep dozed whisper whispered",
    "peaceful": "garden monastery sunset dove orchard sanctuary",
    "cozy": "hearth blanket teacup cocoa fireside fireplace cottage kettle",
    "tender": "baby mother newborn embrace embraced cuddle lullabies kindly= friend friendship",
    "romantic": "wedding bride candlelit roses= serenade moonlit honeymoon valentine married",
    "nostalgic": "childhood grandmother grandfather photographs old-fashioned vintage decades-ago reunion",
    "melancholic": "autumn withered faded rainy drizzle grey gray lost failed failure",
    "sad": "broken ruined died farewell goodbye loss misfortune sick illness orphan starving poverty",
    "grieving": "funeral buried grave= graves= burial coffin widow widowed dead death tomb memorial victims killed",
    "lonely": "empty exile stranded hermit forsaken",
    "solemn": "cathedral altar oath monks vow procession ceremony temple priest",
    "mysterious": "secret hidden riddle ancient fog mist runes vanished unknown whispers clue labyrinth",
    "focused": "study studying coding homework task concentrate deadline notebook",
    "curious": "discover discovered discovery explore exploring explored puzzle question why",
    "hopeful": "dawn sunrise recovery healing rescued spring renewal tomorrow dream dreams wish saved",
    "wondrous": "stars galaxy aurora miracle fairy castle rainbow glittering sparkling magic jewels",
    "determined": " overcome persevere endure struggle strive resolve",
    "happy": "great sunshine picnic holiday birthday gift friends beach",
    "funny": "clown prank pun oops trick",
    "playful": "puppy kitten toy toys kitten children games",
    "joyful": "carnival dancing danced festival feast fireworks singing cheers cheering cheered",
    "triumphant": "crown medal trophy victors championship conquered hero",
    "exciting": "race rollercoaster goal quest chase stadium sprint",
    "energetic": "workout gym running jump jumping dance club sprinting",
    "epic": "battle army dragon empire warriors war kingdom armies king siege",
    "dark": "crypt dungeon shadows skull demons demon corpse rotting vampire",
    "ominous": "thunder thunderclouds omen vultures howling creaking gallows graveyard wolves scaffold noose",
    "tense": "bomb deadline-looming hostage trapped danger dangerous threat crisis warning alarm knife dagger prisoner",
    "anxious": "exam interview debt trembling trembled uncertain",
    "scary": "monster ghost zombie killer blood scream screamed creature murder murderer undead fangs claws",
    "angry": "argued shouted quarrel insult insulted betrayed revenge yelled",
    "aggressive": "fight fighting punch weapons sword gunfire assault explosion raiders gladiator ambush",
    "chaotic": "riot stampede explosions crash collapse earthquake",
}
"""Words that suggest it: weight 0.35."""

_PACE: Mapping[float, str] = {
    0.8: "furious-paced breakneck explosive blistering uptempo thunderous blaring roaring",
    0.6: "fast rapid quick speedy loud racing swift fast-paced fast-tempo allegro presto sprinted explode exploded",
    0.4: "busy bustling rush rushing rushed hurry hurried run ran leapt burst storming booming heavy rhythmic strong",
    -0.4: "steady-paced medium-slow faint slowly muted delicate minimal sparse lazily sit sat",
    -0.6: """slow slower slow-paced slow-tempo sluggish boring bored dull tired tiring weary sleepy sleep silent
        silence adagio largo""",
    -0.8: "motionless lifeless comatose monotonous",
}
"""Words that tell pace and force only; `boring` and its like also lower valence a little."""

_DULL = frozenset({"boring", "bored", "dull", "tired", "tiring", "weary", "monotonous", "lifeless"})

_FOREIGN: Mapping[str, str] = {
    "calm": """tranquilo tranquila calma sereno serena suave calme apaisant doux douce ruhig gelassen sanft
        entspannt entspannend leise calmo dolce rilassante relajante relaxante rustig kalm lugn spokojny
        спокойный спокойно тихий тихо sakin""",
    "peaceful": "paz pacífico pacífica paix paisible frieden friedlich vrede мирный мир huzur",
    "dreamy": "soñador onírico rêveur verträumt träumerisch sognante sonhador dromerig мечтательный",
    "cozy": "acogedor acogedora chaleureux gemütlich accogliente aconchegante gezellig mysig уютный",
    "tender": """tierno tierna amor ternura tendre tendresse amour zärtlich liebe liebevoll tenero amore terno
        carinho нежный любовь""",
    "romantic": "romántico romántica romantique romantisch romantico romantica romântico romântica романтический",
    "nostalgic": "nostálgico nostalgia nostalgique nostalgie nostalgisch sehnsucht nostalgico saudade ностальгия",
    "melancholic": """melancólico melancolía mélancolique mélancolie melancholisch wehmütig malinconico
        malinconia меланхолия""",
    "sad": """triste tristeza tristes llorar lágrimas dolor tristesse larmes pleurer traurig traurigkeit weinen tränen
        tristezza lacrime piangere lágrima dor verdrietig huilen ledsen smutny грустный грустно печаль печальный
        слёзы üzgün""",
    "grieving": "duelo luto funeral deuil trauer begräbnis lutto rouw скорбь горе похороны",
    "lonely": """soledad solitario solitaria seul seule solitude einsam einsamkeit solitudine sozinho eenzaam
        одинокий одиночество""",
    "solemn": "solemne solennel feierlich solenne plechtig торжественный",
    "mysterious": """misterioso misteriosa misterio mystérieux mystérieuse geheimnisvoll rätselhaft mistero
        mistério таинственный загадочный""",
    "hopeful": "esperanza espoir hoffnung hoffnungsvoll speranza esperança hoop надежда",
    "wondrous": """maravilloso maravillosa merveilleux merveilleuse wunderbar wundervoll meraviglioso
        maravilhoso чудесный удивительный""",
    "determined": """decidido valiente déterminé courageux entschlossen mutig determinato coraggio corajoso
        решительный""",
    "happy": """feliz felices contento contenta alegre heureux heureuse content glücklich froh fröhlich heiter felice
        contenta blij gelukkig glad szczęśliwy счастливый счастлив рад mutlu""",
    "funny": "gracioso divertido drôle amusant lustig witzig divertente engraçado grappig смешной komik",
    "playful": "juguetón espiègle ludique verspielt giocoso brincalhão speels игривый",
    "joyful": """alegría fiesta júbilo joie joyeux joyeuse fête freude feier gioia festa alegria vreugde glädje
        радость радостный праздник""",
    "triumphant": """triunfo triunfal victoria triomphe victoire triumph sieg trionfo vittoria triunfo vitória
        overwinning победа""",
    "exciting": "emocionante passionnant aufregend spannend emozionante opwindend захватывающий",
    "energetic": "enérgico energía énergique énergie energisch lebhaft energico energia energiek энергичный",
    "epic": "épico épica épique episch heldenhaft epico эпический",
    "dark": """oscuro oscura oscuridad sombre obscur ténèbres dunkel düster finster dunkelheit oscuro buio
        escuro donker тёмный мрачный""",
    "ominous": """siniestro amenazante sinistre menaçant unheimlich bedrohlich minaccioso sinistro ameaçador
        dreigend зловещий""",
    "tense": """tenso tensa tensión tendu tension gespannt angespannt spannung teso tensione tensão gespannen
        напряжённый""",
    "anxious": "ansioso ansiosa nervioso anxieux inquiet ängstlich nervös besorgt ansia inquieto тревожный тревога",
    "scary": """miedo terror aterrador peur effrayant terrifiant angst furchtbar schrecklich gruselig paura
        spaventoso medo страх страшный ужас""",
    "angry": """enojado enfadado ira rabia furioso colère furieux fâché wütend zorn zornig wut arrabbiato rabbia
        raiva злой гнев ярость""",
    "aggressive": """agresivo violento agressif violent aggressiv gewalttätig brutal aggressivo agressivo
        agressief агрессивный""",
    "chaotic": "caótico caos chaotique chaotisch caotico chaos хаос",
}

_UNSPACED: Mapping[str, str] = {
    "calm": "차분 잔잔 고요 조용 静か 穏やか 落ち着 安静 宁静 平静 寧靜 هادئ शांत",
    "peaceful": "평화 평온 平和 安らか 和平 祥和 安详 سلام",
    "dreamy": "몽환 夢のよう 夢幻 梦幻",
    "cozy": "아늑 포근 居心地 舒适 温馨",
    "tender": "사랑 다정 따뜻 優し 愛し 温柔 爱情 حب प्यार",
    "romantic": "로맨틱 낭만 ロマンチック 浪漫",
    "nostalgic": "그리움 그리운 향수 추억 懐かし 怀旧 怀念",
    "melancholic": "우울 쓸쓸 憂鬱 物悲し 忧郁 憂愁",
    "sad": "슬픔 슬픈 슬프 눈물 悲し 涙 哀し 悲伤 悲傷 难过 伤心 حزين दुखी",
    "grieving": "애도 장례 哀悼 葬式 葬礼",
    "lonely": "외로 고독 孤独 寂し 孤單",
    "solemn": "엄숙 장엄 厳か 荘厳 庄严 莊嚴",
    "mysterious": "신비 神秘 不思議 謎",
    "hopeful": "희망 希望 أمل आशा",
    "wondrous": "경이 놀라운 驚異 素晴らし 奇妙 神奇",
    "happy": "행복 기쁜 기쁨 즐거 幸せ 嬉し 楽し 快乐 快樂 高兴 高興 开心 開心 سعيد खुश",
    "funny": "웃긴 재미 面白 おかし 好笑 有趣",
    "playful": "장난 いたずら 遊び 俏皮",
    "joyful": "환희 신나 歓喜 喜び 欢乐 歡樂 喜悦",
    "triumphant": "승리 勝利 胜利",
    "exciting": "흥미진진 설레 ワクワク わくわく 激动 刺激",
    "energetic": "활기 에너지 경쾌 元気 活気 活力 充满活力",
    "epic": "웅장 서사 壮大 史诗 史詩",
    "dark": "어두 어둠 暗い 闇 黑暗",
    "ominous": "불길 음산 不吉 不気味 阴森",
    "tense": "긴장 緊張 紧张",
    "anxious": "불안 걱정 不安 心配 焦虑 焦慮",
    "scary": "무서 공포 두려 怖い 恐怖 恐ろし 可怕 害怕 خوف डर",
    "angry": "분노 화난 怒り 怒っ 憤怒 愤怒 生气 غضب",
    "aggressive": "공격적 폭력 攻撃的 暴力 攻击",
    "chaotic": "혼란 혼돈 混沌 混乱",
}

OPPOSITES: Mapping[str, str] = {
    "calm": "tense",
    "peaceful": "tense",
    "cozy": "lonely",
    "tender": "angry",
    "romantic": "lonely",
    "melancholic": "hopeful",
    "sad": "hopeful",
    "grieving": "peaceful",
    "lonely": "tender",
    "solemn": "playful",
    "hopeful": "melancholic",
    "happy": "sad",
    "funny": "solemn",
    "playful": "solemn",
    "joyful": "sad",
    "triumphant": "melancholic",
    "exciting": "calm",
    "energetic": "calm",
    "epic": "calm",
    "dark": "hopeful",
    "ominous": "peaceful",
    "tense": "calm",
    "anxious": "calm",
    "scary": "calm",
    "angry": "calm",
    "aggressive": "peaceful",
    "chaotic": "calm",
}
"""What a denied mood leaves behind, at half the weight; a mood not named here leaves nothing."""

NEGATORS = _set(
    """not no never without neither nor none nothing hardly barely scarcely cannot isnt wasnt arent werent dont
        doesnt didnt wont cant couldnt wouldnt shouldnt aint lacks lacking unlike nowhere stop stopped"""
)
FOREIGN_NEGATORS = _set(
    """nicht kein keine ohne nie ne pas sans jamais sin nunca jamás no non senza mai não sem nem niet geen
        zonder не нет без ни"""
)
CONTRASTS = _set("""but however yet instead nevertheless nonetheless aber sondern mais pero sino но""")
CONCESSIONS = _set("""although though despite while whereas""")
"""They open a clause that the rest of the sentence outweighs."""
STRENGTHENERS = _set(
    """very so extremely really deeply incredibly utterly absolutely completely totally intensely truly most too"""
)
SOFTENERS = _set("""slightly somewhat bit little faintly mildly fairly rather kinda sort almost partly""")

PLACES: Mapping[str, Mapping[float, str]] = {
    "forest": {
        1.0: "forest woods woodland jungle rainforest grove thicket forêt wald bosque foresta bosco floresta selva",
        0.5: "trees tree canopy pines pine oak oaks undergrowth ferns clearing trail foliage birdsong",
        0.25: "moss leaves branches birds deer owl squirrels roots bark vines mushrooms",
    },
    "rain": {
        1.0: "rain raining rainfall rainy drizzle downpour raindrops pluie regen lluvia pioggia chuva",
        0.5: "umbrella puddles drenched gutters dripping soaked",
        0.25: "wet windowpane clouds",
    },
    "ocean": {
        1.0: """ocean sea seashore seaside beach shore waves surf underwater mer océan meer playa océano mare
            oceano praia""",
        0.5: """tide sailing sailors sailor ship ships vessel pirates lighthouse harbor harbour dock docks reef seagulls
            gulls coast pier sand deck boats""",
        0.25: "salt fish anchor shells boat sails coral",
    },
    "city": {
        1.0: "city downtown skyline skyscrapers metropolis streets subway neon ville stadt ciudad città cidade",
        0.5: "traffic street sidewalk alley buildings taxi crowds marketplace bazaar vendors pavement cafes town",
        0.25: "cars shops square bus apartment merchants stalls windows crowd market",
    },
    "night": {
        1.0: "night midnight moonlight moonlit nighttime nightfall starlit nuit nacht noche notte noite",
        0.5: "moon stars starry crickets lamplight darkness",
        0.25: "dark owl lantern asleep",
    },
    "cave": {
        1.0: "cave cavern caverns grotto caves tunnel tunnels underground höhle cueva grotte grotta caverna",
        0.5: "stalactites stalagmites bats subterranean crypt dungeon catacombs",
        0.25: "damp rock dripping echo torches dark rocks",
    },
    "desert": {
        1.0: "desert dunes oasis sahara wüste désert desierto deserto sandstorm",
        0.5: "sand cactus camels scorching arid barren sands wasteland caravan cacti",
        0.25: "dry heat sun thirst mirage hot",
    },
    "tavern": {
        1.0: "tavern inn pub alehouse saloon taverne taberna taverna",
        0.5: "barkeep bartender innkeeper ale mugs tankards beer mead patrons drunk drunken barmaid",
        0.25: "tables stools drinks laughter fire bar kegs",
    },
    "storm": {
        1.0: "storm thunderstorm lightning thunder hurricane tempest gale gewitter sturm tormenta tempête tempesta",
        0.5: "thunderclap howling winds hail squall thunderclouds",
        0.25: "wind rain clouds lashed",
    },
    "snow": {
        1.0: "snow snowy blizzard snowfall tundra glacier schnee neige nieve neve snowflakes snowstorm",
        0.5: "frozen ice icy frost frosty igloo arctic sleigh sled icicles winter",
        0.25: "cold white freezing sleet furs",
    },
    "space": {
        1.0: "spaceship starship spacecraft galaxy nebula astronaut astronauts orbit weltraum cosmos interstellar",
        0.5: "planet planets asteroid cosmic airlock zero-gravity rocket satellite universe",
        0.25: "stars space alien hull station void",
    },
    "fireside": {
        1.0: "fireside fireplace hearth campfire bonfire embers kamin cheminée hoguera camino lareira",
        0.5: "crackling logs firelight blanket cocoa fire kettle",
        0.25: "warm warmth cozy armchair rug smoke logs flames",
    },
}
"""Environment -> weight -> words: 1 stages it alone, 0.5 and 0.25 only together."""

TIMES: Mapping[str, Mapping[float, str]] = {
    "dawn": {
        1.0: "dawn sunrise daybreak first-light morgendämmerung aube amanecer alba amanhecer",
        0.4: "rooster dew",
    },
    "morning": {1.0: "morning breakfast mornings matin mañana mattina manhã", 0.4: "coffee woke awoke dew"},
    "day": {
        1.0: "afternoon noon midday daytime daylight mittag nachmittag midi mediodía",
        0.4: "sunshine sunlight lunch",
    },
    "dusk": {
        1.0: "dusk sunset twilight sundown gloaming crépuscule dämmerung atardecer tramonto crepúsculo",
        0.4: "shadows",
    },
    "evening": {1.0: "evening supper evenings abend soir soirée sera", 0.4: "dinner lamps"},
    "night": {
        1.0: "night midnight nighttime nightfall moonlight moonlit starlit nacht nuit noche notte noite",
        0.4: "moon stars starry asleep lanterns",
    },
}

UNSPACED_PLACES: Mapping[str, str] = {
    "forest": "숲 森 森林 лес",
    "rain": "비가 빗소리 雨 дождь",
    "ocean": "바다 파도 海 океан море",
    "city": "도시 都市 街 城市 город",
    "night": "밤 夜 ночь",
    "cave": "동굴 洞窟 洞穴 пещера",
    "desert": "사막 砂漠 沙漠 пустыня",
    "tavern": "주막 선술집 酒場 酒馆 таверна",
    "storm": "폭풍 천둥 嵐 雷 暴风雨 буря гроза",
    "snow": "눈이 눈보라 雪 снег",
    "space": "우주 宇宙 太空 космос",
    "fireside": "모닥불 벽난로 焚き火 暖炉 篝火 壁炉 костёр камин",
}
UNSPACED_TIMES: Mapping[str, str] = {
    "dawn": "새벽 夜明け 黎明 рассвет",
    "morning": "아침 朝 早上 早晨 утро",
    "day": "한낮 오후 午後 下午 中午 полдень",
    "dusk": "황혼 해질녘 夕暮れ 黄昏 сумерки закат",
    "evening": "저녁 夕方 傍晚 вечер",
    "night": "밤 夜 ночь",
}

_SUFFIXES = ("fulness", "ingly", "fully", "edly", "ness", "ing", "ily", "ly", "ed", "es", "s")


def stem(word: str) -> str:
    """Return an English word without its ending, the same for all forms of a word: calmly, calmness -> calm."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 4:
            word = word[: -len(suffix)]
            break
    return (
        word[:-1] + "i"
        if word.endswith("y") and len(word) > 4
        else word.rstrip("e")
        if len(word) > 4
        else word
    )


@lru_cache(maxsize=1)
def english() -> Mapping[str, Entry]:
    """Return stem, or whole word and "=" -> entry; a word listed under two moods has the first."""
    table: dict[str, Entry] = {}
    for source, weight in ((_NAMED, 1.0), (_SUGGESTED, 0.35)):
        for tag, words in source.items():
            for word in words.split():
                table.setdefault(word if word.endswith("=") else stem(word), (tag, *MOODS[tag], weight))
    for energy, words in _PACE.items():
        for word in words.split():
            table.setdefault(stem(word), ("", -0.3 if word in _DULL else 0.0, energy, 1.2))
    return table


@lru_cache(maxsize=1)
def foreign() -> Mapping[str, Entry]:
    """Return whole word -> entry for other languages written with spaces."""
    return {w: (tag, *MOODS[tag], 1.0) for tag, words in _FOREIGN.items() for w in words.split()}


@lru_cache(maxsize=1)
def unspaced() -> Mapping[str, Entry]:
    """Return part of a word -> entry, for scripts without spaces or with particles at their words."""
    return {w: (tag, *MOODS[tag], 1.0) for tag, words in _UNSPACED.items() for w in words.split()}
