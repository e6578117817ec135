//! Words that every topic shares, the moods' own words, people and places.
//!
//! Same notation as the topics: blanks separate, `a/b` is an irregular form, `|`
//! separates phrases; the commonest come first.

pub(super) const COMMON_THINGS: &str = "door house road friend promise secret hand gift night day name story/stories shadow reason journey stranger window neighbour child/children brother sister father mother dream fire voice dog horse plan danger gate lamp village choice burden cloak mirror basket chair box corner silence crown bird memory/memories festival kingdom rumour garden wish hour blanket fortune";
pub(super) const COMMON_AGENTS: &str = "woman/women man/men child/children neighbour stranger king queen widow servant friend brother sister uncle aunt cousin priest beggar fool duke orphan messenger elder twin rival giant witch/witches";
pub(super) const COMMON_VERBS: &str = "see/saw/seen find/found/found take/took/taken give/gave/given know/knew/known keep/kept/kept want love carry bring/brought/brought leave/left/left hold/held/held need fear hide/hid/hidden remember watch lose/lost/lost break/broke/broken trust steal/stole/stolen hate follow forget*/forgot/forgotten praise seek/sought/sought catch/caught/caught admire touch blame choose/chose/chosen guard miss visit share save paint open close";
pub(super) const COMMON_ADJECTIVES: &str = "old new good great small little strange long young dark white black red poor rich quiet green heavy empty broken blue big cold warm strong weak lost hidden wild gentle proud honest wooden silver soft hollow crooked famous ordinary slow yellow narrow round foreign humble";
/// What people do without an object.
pub(super) const AGENT_INTRANSITIVES: &str = "wait work sleep/slept/slept laugh weep/wept/wept go/went/gone come/came/come stand/stood/stood sing/sang/sung dance listen rest arrive whisper wander kneel/knelt/knelt argue pray run*/ran/run return tremble smile complain";
/// What things do without an object.
pub(super) const THING_INTRANSITIVES: &str = "fall/fell/fallen remain shine/shone/shone vanish fade break/broke/broken rot* lie/lay/lain crack change rise/rose/risen sink/sank/sunk burn tremble rattle creak wobble glitter";
/// Verbs of saying that bring a quotation.
pub(super) const SAYING_VERBS: &str =
    "say/said/said cry answer whisper reply shout ask mutter warn insist";

pub(super) const ADVERBS: &str = "now often never always soon again still already here seldom once together slowly quickly alone everywhere carefully suddenly almost perhaps twice gladly later tonight";
pub(super) const TIMES: &str = "at dawn|by night|before noon|after supper|in the morning|at the third bell|since winter|until evening|on the seventh day|within the hour|every autumn|without warning|for a thousand days|at midnight|in the spring|long ago";
pub(super) const PLACE_PREPOSITIONS: &str = "in near from toward outside beyond";
pub(super) const NUMBERS: &str =
    "two three four five seven ten twelve twenty nine six eight forty sixty hundred";
/// Determiners: of one and of several, each first those that may stand anywhere,
/// then after "not" and "but", then after "there is".
pub(super) const SINGULAR_DETERMINERS: [&str; 3] = [
    "the a my this that your our every her his one another no each their",
    "the my this that your our her his their",
    "a another no one some every",
];
pub(super) const PLURAL_DETERMINERS: [&str; 3] = [
    "the these my some those our your many all few his their several her no both",
    "the these my those our your his their her both all",
    "some many few several no",
];

/// The words of a mood.
pub(super) struct Mood {
    pub name: &'static str,
    pub interjections: &'static str,
    pub adverbs: &'static str,
    pub adjectives: &'static str,
    /// What is felt, for "my heart is ...".
    pub feelings: &'static str,
}

pub(super) const MOODS: [Mood; 5] = [
    Mood {
        name: "calm",
        interjections: "well|so|indeed|truly|in short|as I said",
        adverbs: "quietly patiently gently calmly simply plainly steadily peacefully",
        adjectives: "calm plain steady modest sensible peaceful",
        feelings: "content|ready|at peace|untroubled|settled|patient",
    },
    Mood {
        name: "angry",
        interjections: "enough|fie|shame|away with it|damn it|out",
        adverbs: "furiously rudely bitterly fiercely violently stubbornly angrily viciously",
        adjectives: "cursed wretched vile hateful rotten shameless",
        feelings: "furious|sick of this|burning|bitter|enraged|ashamed of you",
    },
    Mood {
        name: "sad",
        interjections: "alas|ah me|woe|oh|sigh for me|too late",
        adverbs: "sadly wearily mournfully tearfully hopelessly faintly silently sorrowfully",
        adjectives: "sad weary lonely mournful hopeless grey",
        feelings: "heavy|broken|tired|alone|full of tears|cold",
    },
    Mood {
        name: "glad",
        interjections: "hurrah|good news|bless us|come|ha|at last",
        adverbs: "merrily happily brightly eagerly cheerfully warmly joyfully proudly",
        adjectives: "merry bright lovely blessed cheerful splendid",
        feelings: "glad|light|full of joy|grateful|overjoyed|merry",
    },
    Mood {
        name: "wary",
        interjections: "hush|careful|listen|wait|softly|look there",
        adverbs: "cautiously secretly nervously doubtfully uneasily silently warily suspiciously",
        adjectives: "doubtful suspicious uncertain hidden treacherous dim",
        feelings: "uneasy|afraid|uncertain|on guard|restless|doubtful",
    },
];

/// Beginnings of people's names; the endings carry the gender.
pub(super) const NAME_STEMS: &str = "Or Bel Tam Cor Ves Hal Mir Dun Jor Sel Kav Ren Lor Wyl Ath Pel Gar Nev Quil Zan Fenn Ild Thar Ost";
pub(super) const MASCULINE_ENDINGS: &str = "en ik ald us om";
pub(super) const FEMININE_ENDINGS: &str = "a ira elle wyn is";
pub(super) const PLACE_STEMS: &str =
    "Ash Crow Mill Long Stone Elder Frost Amber Raven Thorn Grey Hollow";
pub(super) const PLACE_ENDINGS: &str = "ford haven mere wick stead moor";

/// One who speaks: the name in the header, whether in verse, and a saying.
pub(super) struct Speaker {
    pub name: &'static str,
    pub verse: bool,
    pub saying: &'static str,
}

const fn speaker(name: &'static str, verse: bool, saying: &'static str) -> Speaker {
    Speaker {
        name,
        verse,
        saying,
    }
}

pub(super) const SPEAKERS: [Speaker; 40] = [
    speaker(
        "Harbourmaster",
        false,
        "a rope has two ends and so has a day",
    ),
    speaker("Queen Maud", true, "the crown is only weight that shines"),
    speaker(
        "First Baker",
        false,
        "bread forgives a late riser but never an early guest",
    ),
    speaker(
        "Old Warden",
        true,
        "I have outlived three locks and every key",
    ),
    speaker("Abbess", true, "silence is the longest of the psalms"),
    speaker("Tinker", false, "what is bent can be bent again"),
    speaker(
        "Duke Anselm",
        true,
        "mercy is a tax that only lords can pay",
    ),
    speaker("Second Baker", false, "nobody thanks the yeast"),
    speaker("Night Watch", false, "all is well that is asleep"),
    speaker("Marigold", true, "tell the bees before you tell the town"),
    speaker("Captain Brandt", false, "the sea keeps no receipts"),
    speaker("Fool", false, "ask me no questions and I shall ask you two"),
    speaker(
        "Lady Isolde Vane",
        true,
        "a letter unsent is still a letter",
    ),
    speaker(
        "Judge",
        false,
        "the law is slow because it carries everyone",
    ),
    speaker("Ploughman", false, "mud on the boot is bread on the board"),
    speaker("Astronomer", true, "the dark is only distance"),
    speaker("Chorus", true, "so it was and so it will be told"),
    speaker("First Soldier", false, "march first and wonder later"),
    speaker("Second Soldier", false, "a dry sock is worth a medal"),
    speaker("Schoolmaster", false, "twice one is two in any weather"),
    speaker("Widow Pell", true, "grief pays rent in every room"),
    speaker("Ferryman", false, "both banks belong to the river"),
    speaker("Prince Leoric", true, "I was born between two bells"),
    speaker("Herbalist", false, "bitter first and better after"),
    speaker("Weaver", true, "pull one thread and own the whole cloth"),
    speaker("Innkeeper", false, "every ghost here pays in advance"),
    speaker("Messenger", false, "I am only the road that news walks on"),
    speaker("Steward", false, "count the spoons and then the guests"),
    speaker("Minstrel", true, "a tune is a door without a house"),
    speaker(
        "Goatherd",
        false,
        "goats know the short way and the sour grass",
    ),
    speaker("Notary", false, "signed is said and sealed is so"),
    speaker("Countess", true, "my patience has a moat around it"),
    speaker("Apprentice", false, "my thumbs remember every hammer"),
    speaker("Ghost", true, "I left the door open and the years came in"),
    speaker("Midwife", false, "everyone arrives shouting"),
    speaker("All", false, "aye to that and aye again"),
    speaker("Hermit", true, "one bowl is a full table"),
    speaker(
        "General Kray",
        false,
        "hold the bridge and the story holds you",
    ),
    speaker("Orphan", true, "someone must be the first in every family"),
    speaker("Peddler", false, "three for the price of a smile"),
];
