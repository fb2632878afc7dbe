"""What people say when something was not understood as it was meant: phrases by trouble and form of repair."""

from collections.abc import Mapping

ASKS_OF_IT = ("did you like it?", "was it any good?", "how was it?", "was it expensive?")
IT_WAS = ("it was so good", "it was worth it", "i liked it a lot", "it was odd")
TAKES_UP = ("oh {} sounds good", "i like {} too", "nice, i should go for {} as well", "what was so good about {}?")
ANSWERS = ("ah ok yes it was good", "oh that one, not bad at all", "ok so that was great")
PASSES = ("haha maybe", "hm could be", "yeah well", "lol yes", "hm ok", "haha right", "mm true")
WHAT = ("how do you mean?", "what do you mean?", "sorry what?", "i dont follow, what?")
INITIATIONS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("ambiguous_ref", "open"): WHAT,
    ("ambiguous_ref", "restricted"): ("which one?", "which one do you mean?", "which of the two?"),
    ("ambiguous_ref", "candidate"): ("{first} or {second}?", "you mean {second}?", "do you mean {second}?"),
    ("unheard", "open"): ("what?", "sorry, what was that?", "come again?", "what did you say?"),
    ("unheard", "restricted"): ("{first} and what?", "and what? your text broke off"),
    ("unheard", "candidate"): ("you mean {second}?", "and {second}?"),
}
REPAIRS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("ambiguous_ref", "open"): ("i mean {second}", "{second} i mean"),
    ("ambiguous_ref", "restricted"): ("{second}", "i mean {second}"),
    ("ambiguous_ref", "candidate"): ("{second}", "yes {second}", "{second}, yes"),
    ("ambiguous_ref", "self"): ("i mean {second}", "sorry, i meant {second}, not {first}"),
    ("wrong_ref", "candidate"): ("no, i meant {second}", "not {first}, i meant {second}", "{second} i said"),
    ("wrong_ref", "embedded"): ("{second} is what made my day", "yeah, {second} was a real treat"),
    ("wrong_ref", "self"): ("oh wait, you meant {second}", "sorry, {second} you said, not {first}"),
    ("unheard", "open"): ("{second}, my text broke off", "i said {second}"),
    ("unheard", "restricted"): ("{second}", "and {second}, sorry"),
    ("unheard", "candidate"): ("yes {second}", "right, {second}"),
    ("unheard", "self"): ("sorry my text broke off, {says}", "oops, {second} i wanted to say"),
    ("presupposition", "restricted"): ("what {what}? {corrected}", "which {what}? {corrected}"),
    ("presupposition", "candidate"): ("no, {corrected}", "{corrected} though", "you mix me up, {corrected}"),
    ("presupposition", "self"): ("oh wait, that was someone else, not you", "sorry, i mixed you up with my cousin"),
}
