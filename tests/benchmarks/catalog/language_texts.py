"""Five unrelated texts in each of twelve languages, each with a paraphrase, written for `languages.py`.

The subjects are the same everywhere: children on a beach, a bomb at a school, a soup, a timetable, a grave.
"""

from __future__ import annotations

__all__ = ["TEXTS"]

TEXTS: dict[str, tuple[tuple[str, str], ...]] = {
    "en": (
        (
            "The children run laughing across the beach and build a castle of sand.",
            "Laughing children race over the beach, building a sand castle.",
        ),
        (
            "A bomb was found in the school this morning, and the police led everyone out.",
            "This morning police evacuated the school after a bomb was discovered.",
        ),
        (
            "Grandmother cuts carrots and onions and lets the soup simmer for an hour.",
            "The soup simmers for an hour with the carrots and onions grandmother cut.",
        ),
        (
            "From Monday the train to the airport leaves every twenty minutes from platform four.",
            "Starting Monday, airport trains depart from platform four every twenty minutes.",
        ),
        (
            "The old man stands at his wife's grave in the rain and cannot stop crying.",
            "In the rain an old man weeps without end at the grave of his wife.",
        ),
    ),
    "th": (
        (
            "เด็ก ๆ วิ่งหัวเราะไปตามชายหาดและก่อปราสาททราย",
            "เด็กหลายคนหัวเราะร่าเริงวิ่งเล่นบนหาดทรายและสร้างปราสาททรายกัน",
        ),
        (
            "เช้านี้พบระเบิดในโรงเรียน ตำรวจพาทุกคนออกจากอาคาร",
            "ตำรวจอพยพคนออกจากโรงเรียนเมื่อเช้าหลังจากพบระเบิด",
        ),
        ("คุณยายหั่นแครอทกับหัวหอมแล้วเคี่ยวซุปหนึ่งชั่วโมง", "ซุปของคุณยายใส่แครอทและหัวหอมเคี่ยวนานหนึ่งชั่วโมง"),
        (
            "ตั้งแต่วันจันทร์ รถไฟไปสนามบินออกทุกยี่สิบนาทีจากชานชาลาที่สี่",
            "รถไฟสนามบินจะออกจากชานชาลาสี่ทุกยี่สิบนาทีเริ่มวันจันทร์",
        ),
        ("ชายชรายืนร้องไห้กลางสายฝนหน้าหลุมศพภรรยา", "หน้าหลุมศพของภรรยา ชายแก่ร้องไห้ไม่หยุดท่ามกลางสายฝน"),
    ),
    "ko": (
        (
            "아이들이 웃으며 해변을 달리고 모래성을 쌓는다.",
            "해변에서 아이들이 깔깔거리며 뛰놀고 모래성을 만든다.",
        ),
        (
            "오늘 아침 학교에서 폭탄이 발견되어 경찰이 모두를 대피시켰다.",
            "학교에서 폭탄이 나와 아침에 경찰이 사람들을 밖으로 내보냈다.",
        ),
        (
            "할머니가 당근과 양파를 썰어 수프를 한 시간 끓인다.",
            "당근과 양파를 넣은 할머니의 수프가 한 시간 동안 끓는다.",
        ),
        (
            "월요일부터 공항 열차는 4번 승강장에서 20분마다 출발한다.",
            "공항행 열차가 월요일부터 20분 간격으로 4번 승강장에서 떠난다.",
        ),
        (
            "노인이 비를 맞으며 아내의 무덤 앞에서 울음을 그치지 못한다.",
            "아내의 무덤 앞에 선 노인은 빗속에서 하염없이 운다.",
        ),
    ),
    "ja": (
        (
            "子供たちが笑いながら浜辺を走り、砂の城を作っている。",
            "浜辺では子供たちが笑って駆け回り、砂でお城を作る。",
        ),
        (
            "今朝、学校で爆弾が見つかり、警察が全員を避難させた。",
            "爆弾が見つかったため、警察は今朝学校から全員を外に出した。",
        ),
        (
            "祖母は人参と玉ねぎを切り、スープを一時間煮込む。",
            "祖母が切った人参と玉ねぎのスープは一時間煮える。",
        ),
        (
            "月曜日から空港行きの電車は四番線から二十分おきに出ます。",
            "空港行きは月曜から二十分ごとに四番線を発車します。",
        ),
        ("老人は雨の中、妻の墓の前で泣き続けている。", "妻の墓の前で、雨に濡れた老人が涙を止められない。"),
    ),
    "zh": (
        ("孩子们笑着跑过海滩，堆起了一座沙堡。", "海滩上孩子们欢笑奔跑，用沙子堆城堡。"),
        ("今天早上学校里发现了炸弹，警察疏散了所有人。", "警方在学校发现炸弹后，今早把大家都带了出去。"),
        ("奶奶切好胡萝卜和洋葱，让汤慢慢炖一个小时。", "奶奶的汤里放了胡萝卜和洋葱，要炖一个钟头。"),
        ("从星期一起，去机场的火车每二十分钟从四号站台发车。", "机场列车周一开始从四站台每隔二十分钟开出。"),
        ("老人在雨中站在妻子的墓前，止不住地哭。", "雨中，老人在亡妻墓前泪流不止。"),
    ),
    "ar": (
        (
            "يركض الأطفال ضاحكين على الشاطئ ويبنون قلعة من الرمل.",
            "على الشاطئ أطفال يضحكون ويركضون ويصنعون قلعة رملية.",
        ),
        (
            "عُثر صباح اليوم على قنبلة في المدرسة وأخرجت الشرطة الجميع.",
            "أخلت الشرطة المدرسة هذا الصباح بعد العثور على قنبلة.",
        ),
        (
            "تقطع الجدة الجزر والبصل وتترك الحساء يغلي ساعة.",
            "حساء الجدة بالجزر والبصل يغلي على مهل مدة ساعة.",
        ),
        (
            "ابتداءً من الاثنين يغادر قطار المطار كل عشرين دقيقة من الرصيف الرابع.",
            "قطارات المطار تنطلق من الرصيف الرابع كل عشرين دقيقة منذ الاثنين.",
        ),
        (
            "يقف الشيخ تحت المطر عند قبر زوجته ولا يكف عن البكاء.",
            "عند قبر زوجته يبكي رجل مسن تحت المطر بلا توقف.",
        ),
    ),
    "he": (
        ("הילדים רצים וצוחקים על החוף ובונים ארמון בחול.", "על החוף ילדים צוחקים, רצים ובונים ארמון חול."),
        (
            "הבוקר נמצאה פצצה בבית הספר והמשטרה פינתה את כולם.",
            "המשטרה פינתה הבוקר את בית הספר אחרי שנמצאה בו פצצה.",
        ),
        ("סבתא חותכת גזר ובצל ומבשלת את המרק שעה.", "המרק של סבתא עם גזר ובצל מתבשל במשך שעה."),
        (
            "מיום שני הרכבת לשדה התעופה יוצאת מרציף ארבע כל עשרים דקות.",
            "רכבות לשדה התעופה ייצאו כל עשרים דקות מרציף ארבע החל מיום שני.",
        ),
        ("הזקן עומד בגשם ליד הקבר של אשתו ולא מפסיק לבכות.", "ליד קבר אשתו בוכה איש זקן בגשם בלי הפסקה."),
    ),
    "hi": (
        (
            "बच्चे हँसते हुए समुद्र तट पर दौड़ते हैं और रेत का किला बनाते हैं।",
            "समुद्र तट पर हँसते बच्चे दौड़ रहे हैं और रेत का महल बना रहे हैं।",
        ),
        (
            "आज सुबह स्कूल में बम मिला और पुलिस ने सबको बाहर निकाला।",
            "स्कूल में बम मिलने पर पुलिस ने सुबह सबको बाहर भेजा।",
        ),
        (
            "दादी गाजर और प्याज काटती हैं और सूप को एक घंटे पकाती हैं।",
            "दादी का गाजर और प्याज वाला सूप एक घंटे तक पकता है।",
        ),
        (
            "सोमवार से हवाई अड्डे की ट्रेन हर बीस मिनट में प्लेटफॉर्म चार से चलेगी।",
            "हवाई अड्डे की ट्रेनें सोमवार से प्लेटफॉर्म चार से हर बीस मिनट पर छूटेंगी।",
        ),
        (
            "बूढ़ा आदमी बारिश में अपनी पत्नी की कब्र पर खड़ा रोता रहता है।",
            "पत्नी की कब्र के पास बारिश में एक बूढ़ा लगातार रो रहा है।",
        ),
    ),
    "ru": (
        (
            "Дети со смехом бегут по пляжу и строят замок из песка.",
            "На пляже дети смеются, бегают и лепят песочный замок.",
        ),
        (
            "Сегодня утром в школе нашли бомбу, и полиция вывела всех наружу.",
            "Полиция утром эвакуировала школу после того, как там нашли бомбу.",
        ),
        (
            "Бабушка режет морковь и лук и варит суп целый час.",
            "Бабушкин суп с морковью и луком варится час.",
        ),
        (
            "С понедельника поезд в аэропорт отходит с четвёртой платформы каждые двадцать минут.",
            "Поезда в аэропорт с понедельника идут каждые двадцать минут от платформы четыре.",
        ),
        (
            "Старик стоит под дождём у могилы жены и не может перестать плакать.",
            "У могилы жены под дождём безутешно плачет старик.",
        ),
    ),
    "tr": (
        (
            "Çocuklar gülerek sahilde koşuyor ve kumdan kale yapıyor.",
            "Sahilde çocuklar gülüyor, koşuyor ve kumdan bir kale kuruyor.",
        ),
        (
            "Bu sabah okulda bomba bulundu ve polis herkesi dışarı çıkardı.",
            "Okulda bomba bulununca polis bu sabah herkesi tahliye etti.",
        ),
        (
            "Büyükannem havuç ve soğan doğruyor, çorbayı bir saat pişiriyor.",
            "Büyükannemin havuçlu ve soğanlı çorbası bir saat kaynıyor.",
        ),
        (
            "Pazartesiden itibaren havaalanı treni dördüncü perondan yirmi dakikada bir kalkıyor.",
            "Havaalanı trenleri pazartesiden sonra her yirmi dakikada dört numaralı perondan hareket edecek.",
        ),
        (
            "Yaşlı adam yağmurda karısının mezarı başında durmadan ağlıyor.",
            "Karısının mezarında yağmur altında yaşlı bir adam hiç susmadan ağlıyor.",
        ),
    ),
    "pl": (
        (
            "Dzieci ze śmiechem biegną po plaży i budują zamek z piasku.",
            "Na plaży roześmiane dzieci biegają i stawiają zamek z piasku.",
        ),
        (
            "Dziś rano w szkole znaleziono bombę i policja wyprowadziła wszystkich.",
            "Policja ewakuowała rano szkołę, gdy znaleziono w niej bombę.",
        ),
        (
            "Babcia kroi marchew i cebulę i gotuje zupę przez godzinę.",
            "Zupa babci z marchwią i cebulą gotuje się godzinę.",
        ),
        (
            "Od poniedziałku pociąg na lotnisko odjeżdża z peronu czwartego co dwadzieścia minut.",
            "Pociągi na lotnisko od poniedziałku kursują co dwadzieścia minut z peronu czwartego.",
        ),
        (
            "Staruszek stoi w deszczu nad grobem żony i nie może przestać płakać.",
            "Nad grobem żony w deszczu płacze bez końca stary człowiek.",
        ),
    ),
    "sw": (
        (
            "Watoto wanakimbia ufukweni wakicheka na kujenga ngome ya mchanga.",
            "Ufukweni watoto wanacheka, wanakimbia na kutengeneza ngome ya mchanga.",
        ),
        (
            "Leo asubuhi bomu lilipatikana shuleni na polisi wakawatoa watu wote nje.",
            "Polisi waliwaondoa watu wote shuleni asubuhi baada ya bomu kupatikana.",
        ),
        (
            "Bibi anakata karoti na vitunguu na kupika supu kwa saa moja.",
            "Supu ya bibi yenye karoti na vitunguu inachemka kwa saa moja.",
        ),
        (
            "Kuanzia Jumatatu treni ya uwanja wa ndege inaondoka kila dakika ishirini kutoka jukwaa la nne.",
            "Treni za uwanja wa ndege zitatoka jukwaa la nne kila dakika ishirini kuanzia Jumatatu.",
        ),
        (
            "Mzee amesimama kwenye mvua kando ya kaburi la mke wake na hawezi kuacha kulia.",
            "Kando ya kaburi la mke wake mzee analia bila kukoma kwenye mvua.",
        ),
    ),
}
"""Language -> five pairs of a text and its paraphrase; no text of a pair may share music with one of another pair."""
