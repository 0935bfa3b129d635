"""text -> whether it is in a language, as far as its script and commonest words tell: cheap, and honest where they do not.

    spoken("¿Dónde está la biblioteca?", "Spanish")  ->  True, False, or None where it cannot be told

It is no language identification: it refuses what is plainly another language, and lets pass what it does not know.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from distill.words import words

NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ar": ("arabic", "العربية"),
        "bn": ("bengali", "bangla"),
        "de": ("german", "deutsch"),
        "el": ("greek",),
        "en": ("english",),
        "es": ("spanish", "español", "castellano"),
        "fa": ("persian", "farsi"),
        "fr": ("french", "français"),
        "he": ("hebrew",),
        "hi": ("hindi",),
        "id": ("indonesian", "bahasa indonesia"),
        "it": ("italian", "italiano"),
        "ja": ("japanese", "日本語"),
        "ko": ("korean", "한국어"),
        "nl": ("dutch", "nederlands"),
        "pl": ("polish", "polski"),
        "pt": ("portuguese", "português"),
        "ru": ("russian", "русский"),
        "sv": ("swedish", "svenska"),
        "ta": ("tamil",),
        "te": ("telugu",),
        "th": ("thai",),
        "tr": ("turkish", "türkçe"),
        "uk": ("ukrainian", "українська"),
        "ur": ("urdu",),
        "vi": ("vietnamese", "tiếng việt"),
        "zh": ("chinese", "mandarin", "中文", "simplified chinese", "traditional chinese"),
    }
)
"""ISO 639-1 code -> names of the language, the first of them in English."""

SCRIPTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ar": ("ARABIC",),
        "bn": ("BENGALI",),
        "el": ("GREEK",),
        "fa": ("ARABIC",),
        "he": ("HEBREW",),
        "hi": ("DEVANAGARI",),
        "ja": ("HIRAGANA", "KATAKANA", "CJK"),
        "ko": ("HANGUL",),
        "ru": ("CYRILLIC",),
        "ta": ("TAMIL",),
        "te": ("TELUGU",),
        "th": ("THAI",),
        "uk": ("CYRILLIC",),
        "ur": ("ARABIC",),
        "zh": ("CJK",),
    }
)
"""Script of a language, as Unicode names its letters; of all others it is LATIN."""

_COMMON = {
    "ar": "في من على أن إلى هذا هذه التي الذي عن ما لا هو هي كان مع كل هل أنا أنت لم قد",
    "de": "der die das und ist nicht ein eine einen ich sie wir mit zu auf für von den dem des im auch wie was wird bei aus"
    " sind haben hat kann oder wenn dass sich als nach du mir mein dein wer warum wo",
    "en": "the of and to is that it was for are with as his they be at this have from or had by not but what all were when"
    " your can said there use each which she do how their if will up other about out many then them these so some her would"
    " like him into has more two could my than been who its now did you i a in on we he an am why where does any me"
    " s t re ve ll d m don didn isn doesn",
    "es": "el la los las de que y en un una es se no por con para su lo como más pero sus le ya o este sí porque esta entre"
    " cuando muy sin sobre también me hasta hay donde qué cómo cuál está son eres soy ser tu mi yo al del",
    "fa": "در از که این به را با است برای آن یک خود تا هم بر چه می شما من",
    "fr": "le la les de des du et un une est que qui dans pour pas sur au avec ce se sont plus par je il elle nous vous ne on"
    " ou mais comme son sa ses aux cette tout être avez êtes quel quelle quoi où pourquoi c qu d l j n s tu mon ma es suis",
    "id": "yang dan di ini itu untuk dengan dari tidak ada adalah pada ke saya anda kamu akan bisa apa dalam sebagai juga"
    " oleh karena aku atau dapat lebih siapa bagaimana mengapa tahu mana",
    "it": "il la lo gli di che e un una è per non con sono del della dei le si da come più anche ma al nel alla dal questo"
    " questa ho hai ha cosa chi dove perché quando mi ti ci tu io quale essere i sei",
    "nl": "de het een en van is dat niet in op te zijn met voor aan er ook ik je jij we ze wat die dit maar als om bij naar"
    " uit kan wordt hoe waar waarom heb hebt heeft mijn wie ben bent geen of u",
    "pl": "i w na nie się z do to jest że jak o co po za od ale czy tak są przez dla ma być jego tym jestem masz mam kto"
    " gdzie dlaczego ty ja",
    "pt": "o a os as de que e do da em um uma para com não é por mais dos das no na se ao como mas foi ele ela você eu são"
    " está seu sua ou quando muito há nos já também só pelo isso qual quem onde porque sou meu te",
    "ru": "и в не на я что он с как это по но они мы к у ты из за так же от вы бы о для его она или было если уже вас меня"
    " есть ли мне чем где почему кто какой ваш",
    "sv": "och i att det som en på är av för med till den har de inte om ett han men var jag sig från vi så kan när år under"
    " också du hur vad vem där eller ska mig dig min din varför",
    "tr": "ve bir bu da de için ile çok ne mi mı mu mü ben sen o var yok daha gibi en nasıl neden kim değil olarak her nedir"
    " misin musun ki ama şey bana sana",
    "uk": "і в не на я що він з як це по але вони ми до у ти із за так же від ви би о для його вона або є якщо вже вас мене"
    " чи та де чому хто який ваш мені про",
    "ur": "کے میں کی ہے کا اور سے کو کہ پر نے ہیں یہ آپ کیا ہوں جو ایک بھی",
    "vi": "là và của có không những được trong cho với một các này bạn tôi người đã để khi thì gì như nào",
}
COMMON: Mapping[str, frozenset[str]] = MappingProxyType(
    {code: frozenset(text.split()) for code, text in _COMMON.items()}
)
"""A language's commonest words."""
_UKRAINIAN = frozenset("іїєґ")
_RUSSIAN = frozenset("ыэъё")


def code_of(name: str) -> str | None:
    """`es` of "Spanish", "es", "es-MX" or "español"; None of a language that is not known here."""
    plain = name.strip().casefold()
    short = re.split(r"[-_]", plain)[0]
    if short in NAMES:
        return short
    return next((code for code, names in NAMES.items() if plain in names), None)


def named(name: str) -> str:
    """A language's English name, or what it was called by."""
    code = code_of(name)
    return NAMES[code][0].capitalize() if code else name


def spoken(text: str, language: str) -> bool | None:
    """Whether a text is in a language; None where neither script nor words say so. Code blocks are not looked at."""
    code = code_of(language)
    prose = re.sub(r"```.*?(?:```|\Z)|`[^`]*`", " ", text, flags=re.S)
    scripts = _scripts(prose)
    letters = sum(scripts.values())
    if code is None or not letters:
        return None
    wanted = SCRIPTS.get(code, ("LATIN",))
    if sum(scripts[script] for script in wanted) < 0.5 * letters:
        return False
    if code in ("ja", "zh"):
        kana = scripts["HIRAGANA"] + scripts["KATAKANA"]
        return (kana > 0.05 * letters) is (code == "ja") if letters > 4 else None
    if code in COMMON:
        return _by_words(prose, code)
    return True


def _scripts(text: str) -> Counter[str]:
    """Letters by script."""
    return Counter(unicodedata.name(char, "?").split()[0].split("-")[0] for char in text if char.isalpha())


def _by_words(text: str, code: str) -> bool | None:
    """By the commonest words of the languages that share its script: of short texts they say nothing."""
    if SCRIPTS.get(code) == ("CYRILLIC",):
        found = set(text.casefold())
        if bool(found & _UKRAINIAN) is not bool(found & _RUSSIAN):
            return bool(found & _UKRAINIAN) is (code == "uk")
    said = words(text)
    rivals = [other for other in COMMON if SCRIPTS.get(other) == SCRIPTS.get(code)]
    hits = {other: sum(word in COMMON[other] for word in said) for other in rivals}
    best = max(hits.values())
    if hits[code] == best:
        return True if best else None
    return False if best - hits[code] >= 2 else None


def telling_words(text: str) -> set[str]:
    """The words of a text without the commonest of the language that it has most of."""
    said = words(text)
    common = max(COMMON.values(), key=lambda each: sum(word in each for word in said))
    return {word for word in said if word not in common}


def empty_words(text: str) -> bool:
    """Nothing in it but punctuation and the commonest words of one language."""
    said = set(words(text))
    return not said or any(said <= common for common in COMMON.values())
