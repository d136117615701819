"""What people read on the pictures: prompts and responses of a town library's desk, written for them alone."""

Turn = dict[str, str]
BEGINS = ("- ", "> ", "|", "#", "    ", "```", "1. ", "2. ", "3. ", "4. ")
"""What a line of its own begins with."""


def flowing(text: str) -> str:
    """A paragraph is one line, as people type it: a break within it would be shown as one."""
    found: list[str] = []
    for line in text.splitlines():
        in_code = sum(one.startswith("```") for one in found) % 2
        if (
            found
            and line
            and found[-1]
            and not in_code
            and not line.startswith(BEGINS)
            and not found[-1].startswith("```")
        ):
            found[-1] = f"{found[-1]} {line.strip()}"
        else:
            found.append(line)
    return "\n".join(found)


def said(*contents: str) -> list[Turn]:
    """A conversation: the reader first, then in turn."""
    return [{"role": "assistant" if place % 2 else "user", "content": text} for place, text in enumerate(contents)]


ABOUT = flowing("""\
Readers of three town libraries ask at the desk or by mail. Here their questions are answered, and answers of models
are judged, by the people who work at those desks.

- **Help first.** An answer that sends the reader away is no answer.
- Nothing that names a reader comes in; see the guideline for what to strike out.
""")

GUIDELINE = flowing("""\
# How we judge an answer

Read the question as if you had asked it at the desk. What did its writer want, said or unsaid?

1. **Judge each answer by itself first**: overall quality from 1 to 7, then the flags. Leave a flag open where you
   cannot tell.
2. **Then put all answers in order.** Answers that are about equally good share a rank: a tie is an answer.

The better answer does what was asked, in the form that was asked for, says what is true, and stops when it is done.

> Length is no merit, and neither is politeness that delays the answer.

If you lack the knowledge to judge, look it up, or skip the task and say why.
""")

GUIDELINE_BEFORE = flowing("""\
# How we judge an answer

Read the question as if you had asked it at the desk. What did its writer want?

1. **Judge each answer by itself first**: overall quality from 1 to 7, then the flags.
2. **Then put all answers in order.** Give every answer a rank of its own.

The better answer does what was asked, in the form that was asked for, and says what is true.

If you lack the knowledge to judge, skip the task and say why.
""")

WRITING = flowing("""\
# How we write an answer

Write what you would say at the desk to somebody who came a long way: the answer first, then what helps with it.

- Short sentences. A list where there are steps, a table where there are columns.
- Say so where you do not know, and say who does.
""")

PROMPT_WRITING = flowing("""\
# How we write a question

Write what readers ask, in their words and at their length, not what would be nice to answer.

**Use cases to write for**: a poster for the children's hour; a letter to readers whose loan is late; a summary of a
local paper's page for somebody who reads slowly.
""")

FLAGS = [
    {"name": "misses_task", "label": "Misses the task", "letter": "m"},
    {"name": "hallucination", "label": "Hallucination", "letter": "h"},
    {"name": "inappropriate", "label": "Inappropriate at a desk", "letter": "i"},
    {"name": "satisfies_constraint", "label": "Keeps to the form asked for", "letter": "k"},
]

CSV_QUESTION = said(
    "Our catalogue exports loans as `loans.csv` with the columns `item`, `due` and `returned` (dates like "
    "`2025-11-30`, empty while the book is out). How do I count **late returns per month**, without Excel? I know a "
    "little Python."
)
CSV_QUESTION_AGAIN = said(CSV_QUESTION[0]["content"] + " Each month on a line of its own.")
CSV_ANSWERS = [
    flowing(text)
    for text in (
        """\
Read the file row by row, keep the rows that came back after their due date, and count them by the month in which they
were due. Nothing has to be installed:

```python
import csv
from collections import Counter

late = Counter()
with open("loans.csv", newline="") as file:
    for row in csv.DictReader(file):
        # dates written year first can be compared as text
        if row["returned"] > row["due"]:
            late[row["due"][:7]] += 1

for month, number in sorted(late.items()):
    print(month, number)
```

Books that are still out have an empty `returned`, which is smaller than any date, so they are not counted. If you want
those too, add `or (not row["returned"] and row["due"] < "2026-03-12")`.
""",
        """\
There are three steps to it.

1. **Open the file.** The module `csv` reads it; `DictReader` gives you each row under the names of its columns.
2. **Compare the dates.** Turn both into dates with `date.fromisoformat`, and skip rows in which `returned` is empty.
3. **Count by month.** A `Counter` with the key `(due.year, due.month)` does that.

Try it with the first ten rows and count those by hand before you trust the rest.
""",
        """\
I am not able to open files on your computer. Please ask the company that made your catalogue, or a colleague who knows
about data.
""",
        """\
Counting late returns is a common wish in libraries, and a spreadsheet is the best way to do it. Open the file in Excel,
choose *Insert*, then *Pivot table*, and put the month into the rows.

| month | late |
|---|---|
| November | 31 |
| December | 44 |

In Python you could also use `pandas`, which is a library for data. I hope this helps, and good luck!
""",
    )
]

HEDGE = said(
    "My neighbour's hedge hangs over my reading bench. We get on well. What do I write on a card?",
    "Perhaps: *Dear Anna, would you mind if I cut the hedge back on my side? I would do it on Saturday and take the "
    "branches away.*",
    "Good, but she loves that hedge. Make it warmer, at most **two sentences**, and leave the day to her.",
)
HEDGE_ANSWERS = [
    "Dear Anna, your hedge is so well that it has come to read with me on my bench. May I cut back the few branches on "
    "my side, on a day that suits you?",
    "Dear Anna, I love sitting by your hedge, and lately it sits on my bench before I do. Tell me a day when I may "
    "trim my side, and I will bring the shears and the tea.",
    "Anna, please cut your hedge. It is over my bench.",
    "Dear Anna, I hope this card finds you well. I have been meaning to write for some time. As you know, we have "
    "always got on well, and I would like it to stay so. Would you mind if I cut the hedge on Saturday?",
    "Dear Anna, would it be all right if I trimmed the hedge where it leans over my bench? Choose any day you like, "
    "and I will only take what is on my side.",
    "Here is a warmer version:\n\n> Dear Anna, may I trim my side of your lovely hedge? You choose the day.",
    "Dear Anna, your hedge gives me shade and blackbirds, and I would not harm it. May I take a hand's breadth off my "
    "side, whenever you say?",
    "Dear neighbour, the law says that branches over the border may be cut after a fair warning. This card is the "
    "warning. The day is yours to choose.",
    "Dear Anna, the bench and I are both fond of your hedge. Could we meet one evening and agree how much of it I may "
    "trim?",
]

TIDE = said("Explain to a child of six why the sea goes away and comes back. Three sentences, no foreign words.")
TIDE_ANSWERS = [
    "The moon pulls at the water of the sea, a little like you pull at a blanket. Where it pulls, the water stands "
    "higher, and where it does not, there is less of it. The earth turns under it all day, so the sea comes to us and "
    "goes away again.",
    "Tides are caused by the differential gravitational force of the moon and the sun, which produces two bulges:\n\n"
    "- one on the side of the earth that faces the moon,\n- one on the side that faces away from it.\n\n"
    "Spring tides and neap tides follow from the positions of both bodies. Ask a grown-up to explain gravitation to "
    "you, or borrow a book about the sea!",
]

LETTER = said(
    "Put this into plain English for a notice at the door: “Patrons are hereby advised that egress via the northern "
    "portal will be temporarily unavailable for the duration of ongoing remedial works.”"
)
LETTER_ANSWER = flowing("""\
**The north door is closed while it is being repaired.** Please leave by the main door.

We do not know yet when the work ends; this notice comes down when it does.
""")

CLOCK = said(
    "Summarise this for somebody who reads slowly, in three short sentences:\n\n> The clock of the old customs house "
    "was stopped on Monday, for the first time since 1911, so that its frame of pear wood can be dried and repaired. "
    "The watchmaker Ilse Ravn, who has wound it by hand every eighth day for thirty years, will rebuild the strike; "
    "the town pays for the wood, and readers of this paper gave the rest. It is to run again before the autumn fair."
)
CLOCK_DRAFT = flowing("""\
The old clock stands still, because its wooden frame is being repaired.

Ilse Ravn does the work. She has wound the clock **by hand** for thirty years.

It will run again before the autumn fair.
""")

TUBE = said(
    "A reader wants to mend a flat bicycle tyre with our repair box: tyre levers, patches, glue, chalk, a pump. Write "
    "the steps for a card in the box."
)
TUBE_ANSWER = """\
1. Take the wheel out and let the air out.
2. Lever one side of the tyre over the rim and pull out the tube.
3. Put glue on the hole and press the patch on it at once.
4. Put the tube and the tyre back, and pump it up.
"""
TUBE_REMARKS = """\
Two things before it can go into the box:
Step 3: the glue has to dry for five minutes before the patch goes on, or it comes off on the way home.
How does the reader find the hole? The chalk and the pump are there for that, and the card never says so."""

PLAIN: dict[str, str] = {
    "style": "plain",
    "use_case": "rewrite",
    "text": "Make this shorter and kinder. It goes to parents on Friday:\n\n“Children must not be left unattended in "
    "the reading room. Staff are not responsible for them. Children who are left will be sent to the front desk.”\n\n"
    "Keep it to **two sentences**, and say what parents can do instead.",
}
FEW_SHOT: dict[str, str] = {
    "style": "few_shot",
    "use_case": "classification",
    "instruction": "Sort each message to the desk into one of: renewal, fine, room, other.",
    "input-1": "Can I keep the Lindgren for another two weeks?",
    "output-1": "renewal",
    "input-2": "I was charged for a book that I brought back on Tuesday.",
    "output-2": "fine",
    "input-3": "Is the blue room free for our choir on the 4th?",
    "output-3": "room",
    "query": "My card does not open the night box any more.",
}
USER_BASED: dict[str, str] = {
    "style": "user_based",
    "use_case": "generation",
    "use_line": "A poster for the children's hour",
    "said-1": "We read stories about foxes on Saturday at ten. Give me a title for the poster.",
    "replied-1": "*Red tails, tall tales*",
    "text": "I like it. Now the four lines under it: what, when, where, and that nobody has to book.",
}

QUESTIONS: list[tuple[str, str]] = [
    ("open_qa", "How do I renew a book that somebody else has reserved?"),
    ("open_qa", "Why is a leap day put at the end of February and not of December?"),
    ("brainstorming", "Give me ten names for a reading club of people who work at night."),
    ("summarization", "Sum up the last chapter of *The Sea-Wolf* without giving the end away."),
    ("extract", "List every date in this letter:\n\n> We met on 3 May, wrote on the 9th, and it is due on 1 June."),
    ("generation", "Write a limerick about a librarian who cannot find her glasses."),
    ("closed_qa", "From the notice above: on which days is the reading room open until nine?"),
    ("rewrite", "Make this friendlier: “Silence. No food. No telephones.”"),
    ("chat", "I have read everything by Tove Jansson. What next, and why?"),
    ("classification", "Fiction or not? *A Field Guide to Getting Lost*. One word."),
    ("open_qa", "Is it safe to dry a wet book in the oven?"),
    ("generation", "A two-line rhyme for the box in which lost gloves are kept."),
    ("brainstorming", "Five ways to use forty empty card-catalogue drawers."),
    ("open_qa", "How long does the library keep what I borrowed in its memory?"),
    ("summarization", "What is *Middlemarch* about, for somebody who has four minutes?"),
    ("extract", "Which of these are by women? Kristin Lavransdatter, Hunger, The Ice Palace, Berlin Alexanderplatz."),
    ("rewrite", "Turn this list of rules into one sentence for children."),
    ("chat", "My daughter only reads books with maps in them. Help."),
    ("closed_qa", "According to the house rules, may I bring a folding bicycle?"),
    ("open_qa", "What does “octavo” mean on the back of a title page?"),
]  # fmt: skip

SUBJECTS = (
    "a lost glove", "the night box", "large type", "the reading lamp on desk 12", "an atlas from 1938",
    "the choir's room",
    "a torn page", "audiobooks for the road", "the children's hour", "an unpaid fine", "a letter from 1904",
    "the quiet carriage of the mobile library", "crossword help", "a lost library card", "maps of the harbour",
)  # fmt: skip
ASKED_OF_THEM = (
    ("generation", "Write a notice of two lines about {}."),
    ("chat", "A reader asks at the desk about {}. What do I say first?"),
    ("summarization", "Put what our house rules say about {} into one sentence."),
    ("rewrite", "Say it kinder: “{} is no concern of the desk.”"),
    ("brainstorming", "Three ideas for what to do about {}, none of which costs anything."),
)


def further_questions(number: int, *, start: int) -> list[tuple[str, str]]:
    """Use case and text, no two alike: the start-th and those after it."""
    found = []
    for place in range(start, start + number):
        use_case, form = ASKED_OF_THEM[place % len(ASKED_OF_THEM)]
        text = form.format(SUBJECTS[place // len(ASKED_OF_THEM) % len(SUBJECTS)])
        found.append((use_case, text.replace("“a", "“A").replace("“the", "“The")))
    return found


MODELS: list[tuple[str, str]] = [
    ("policy", "{start} {reason}"),
    ("sft", "{start}"),
    ("base", "{start} {more}"),
]
STARTS = [
    "It depends on the branch, but at the main desk the answer is yes.",
    "No, and there is a good reason for it.",
    "The short answer: on weekdays, and by mail.",
    "Start with the shelf by the window; most readers do.",
    "Seven days, unless nobody else is waiting for it.",
    "I would ask what they hope to find, and go to the shelf with them.",
    "That is kept in the second drawer, under its own name.",
]
REASONS = [
    "The next reader gets a mail, so nobody waits in vain.",
    "Ask at the desk on the ground floor if you are in a hurry: they can see what the shelf cannot.",
    "If it is for a child, take the edition with the larger type; it stands one shelf lower.",
]
MORE = [
    "How do I renew a book? How do I return a book? How do I find a book?",
    "Answer: see above. Question: what are the opening hours? Answer:",
    "Libraries are important. Many people like libraries. The library was built in 1911 and the library is large.",
]
