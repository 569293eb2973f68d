"""Exports: the same bank gives the same bytes, other programs read them, what got lost is said."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from html import unescape
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from quiz_course import make_course
from test_cli import rlgrade

from rlgrade.courses import find_course
from rlgrade.quiz.arithmetic import parse, value
from rlgrade.quiz.bank import Bank, find_bank
from rlgrade.quiz.drawing import draw
from rlgrade.quiz.export.anki import changed
from rlgrade.quiz.export.command import WRITERS, loss_report
from rlgrade.quiz.export.markup import plain, to_html, to_line
from rlgrade.quiz.export.moodle import SHARES, share
from rlgrade.quiz.export.sheets import Choices, Gaps, Loss, Number, make_sheets
from rlgrade.quiz.presenting import key

QUIZZES = Path(__file__).with_name("quizzes")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
QTI = "{http://www.imsglobal.org/xsd/ims_qtiasiv1p2}"
CHOSEN = """
  - id: kinds.derive.chosen
    kind: derive
    objective: kinds.all
    bloom: analyze
    difficulty: 1
    level: mid
    seconds: 60
    covers: [T003]
    sources: ["algebra"]
    stem: "Fill the two gaps."
    explain: "Half of one is a half, and 1 * 1 is one."
    blanks:
      - {prompt: "half of one", why: "as everybody knows", expression: "1/2", variables: {}}
      - prompt: "one times one { } # ~"
        why: "as everybody knows } # ~"
        options:
          - {id: a, text: "one } # ~", why: "Because one is neutral.", correct: true}
          - {id: b, text: "two", why: "That would be one and one.", misconception: kinds.slip}
  - id: kinds.derive.both
    kind: derive
    objective: kinds.all
    bloom: analyze
    difficulty: 1
    level: mid
    seconds: 60
    covers: [T003]
    sources: ["algebra"]
    stem: "Fill both gaps."
    explain: "One is one, and one is not two in any arithmetic."
    blanks:
      - prompt: "one times one"
        why: "as everybody knows"
        options:
          - {id: a, text: "one", why: "Because one is neutral.", correct: true}
          - {id: b, text: "two", why: "That would be one and one.", misconception: kinds.slip}
"""


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    """The bank of every kind, with derivations that are all choices and numbers."""
    folder = tmp_path_factory.mktemp("export") / "quizzes"
    shutil.copytree(QUIZZES, folder, ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / "kinds.yaml"
    path.write_text(path.read_text() + CHOSEN.lstrip("\n"))
    return Bank(folder, ["ex01_sums"])


@pytest.fixture(scope="module")
def real():
    return find_bank(find_course())


def written(kind, bank, topics=None, seed=0):
    return WRITERS[kind](make_sheets(bank, topics, seed))


@pytest.mark.parametrize("kind", sorted(WRITERS))
def test_the_same_bank_gives_the_same_bytes_in_another_process(bank, kind, tmp_path):
    data, _ = written(kind, bank)
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from rlgrade.quiz.bank import Bank\n"
        "from rlgrade.quiz.export.command import WRITERS\n"
        "from rlgrade.quiz.export.sheets import make_sheets\n"
        f"bank = Bank(Path({str(bank.folder)!r}), ['ex01_sums'])\n"
        f"sys.stdout.buffer.write(WRITERS[{kind!r}](make_sheets(bank, None, 0))[0])"
    )
    environment = os.environ | {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env=environment, check=True, cwd=tmp_path
    )
    assert done.stdout == data


@pytest.mark.parametrize("kind", sorted(WRITERS))
def test_every_item_is_in_every_export_and_every_loss_names_one(bank, kind):
    sheets = make_sheets(bank, None, 0)
    data, losses = WRITERS[kind](sheets)
    if data.startswith(b"PK") and kind == "qti":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            data = b"".join(archive.read(name) for name in archive.namelist())
    ids = {sheet.item.id for sheet in sheets}
    assert len(ids) == len(sheets) == 16
    if kind != "anki":  # that one is a database; the import below counts its notes
        assert all(name.encode() in data for name in ids)
    assert {loss.item for loss in losses} <= ids
    assert "kinds.numeric.sum" in {loss.item for loss in losses}


def test_losses_are_told_once_with_how_many_items_they_concern():
    losses = [Loss("a.b", "x"), Loss("a.c", "x"), Loss("a.d", "x"), Loss("a.b", "y")]
    assert loss_report(losses) == [
        "what got lost:",
        "  3 items (a.b, a.c, ...): x",
        "  1 item (a.b): y",
    ]
    assert loss_report([]) == ["nothing got lost"]


def test_the_command_writes_the_file_and_tells_what_got_lost(tmp_path):
    course = make_course(tmp_path / "course")
    done = rlgrade("quiz", "export", "md", tmp_path / "q.md", "ex01", course=course)
    assert done.returncode == 0, done.stderr
    assert "14 questions in" in done.stdout
    assert "one variant of its numbers" in done.stdout
    assert "<summary>Answer</summary>" in (tmp_path / "q.md").read_text()
    done = rlgrade("quiz", "export", "md", tmp_path / "no" / "q.md", course=course)
    assert done.returncode == 2
    assert "cannot be written" in done.stderr


# Anki


@pytest.fixture
def collection(tmp_path):
    pytest.importorskip("anki.collection")
    from anki.collection import Collection

    opened = Collection(str(tmp_path / "collection.anki2"))
    yield opened
    opened.close()


def imported(collection, data, path):
    from anki.collection import ImportAnkiPackageOptions, ImportAnkiPackageRequest

    path.write_bytes(data)
    options = ImportAnkiPackageOptions(merge_notetypes=True)
    request = ImportAnkiPackageRequest(package_path=str(path), options=options)
    log = collection.import_anki_package(request).log
    return len(log.new), len(log.updated), len(log.duplicate)


def edited(bank, folder):
    """The same bank, with another stem and revision for one item."""
    shutil.copytree(bank.folder, folder)
    path = folder / "kinds.yaml"
    text = path.read_text()
    text = text.replace("Which number is their sum?", "What do they add up to?")
    path.write_text(
        text.replace("  - id: kinds.single.sum\n", "  - id: kinds.single.sum\n    rev: 2\n")
    )
    return Bank(folder, ["ex01_sums"])


def test_anki_takes_the_package_twice_and_an_edit_once_keeping_the_schedule(
    bank, collection, tmp_path
):
    data, _ = written("anki", bank)
    assert imported(collection, data, tmp_path / "a.apkg") == (16, 0, 0)
    assert imported(collection, data, tmp_path / "b.apkg") == (0, 0, 16)
    (number,) = collection.find_notes("Item:kinds.single.sum")
    card = collection.get_note(number).cards()[0]
    assert "Which number is their sum?" in card.question()
    assert "Two and three more make exactly this." in card.answer()
    card.type, card.queue, card.ivl, card.due, card.reps = 2, 2, 37, 41, 5
    collection.update_card(card)
    newer, _ = written("anki", edited(bank, tmp_path / "quizzes"))
    assert imported(collection, newer, tmp_path / "c.apkg") == (0, 1, 15)
    after = collection.get_card(card.id)
    assert "What do they add up to?" in after.question()
    assert (after.ivl, after.due, after.reps) == (37, 41, 5)
    assert collection.note_count() == 16


def test_a_part_of_the_bank_does_not_bring_old_notes_back(real, collection, tmp_path):
    whole, _ = written("anki", real, ["gae", "td"])
    part, _ = written("anki", real, ["td"])
    new, _, _ = imported(collection, whole, tmp_path / "a.apkg")
    assert new == len(make_sheets(real, ["gae", "td"], 0))
    assert imported(collection, part, tmp_path / "b.apkg")[:2] == (0, 0)
    names = {deck.name for deck in collection.decks.all_names_and_ids()}
    assert "rlgrade::Generalised advantage estimation" in names


def test_a_revision_is_later_than_the_one_before():
    assert [changed(rev + 1) - changed(rev) for rev in (0, 1, 500)] == [60] * 3


def test_without_genanki_it_says_what_to_install(tmp_path):
    code = (
        "import sys\n"
        "sys.modules['genanki'] = None\n"
        f"sys.argv = ['rlgrade', 'quiz', 'export', 'anki', {str(tmp_path / 'a.apkg')!r}, 'td']\n"
        "from rlgrade.front import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install 'rlgrade[anki]'" in done.stderr


# Moodle


def moodle(bank, seed=0):
    root = ET.fromstring(written("moodle", bank, seed=seed)[0])
    return {q.findtext("name/text"): q for q in root if q.get("type") != "category"}


def test_moodle_has_each_kind_in_its_own_type(bank):
    kinds = {name.split(".", 1)[1]: q.get("type") for name, q in moodle(bank).items()}
    assert kinds == {
        "single.sum": "multichoice",
        "multi.primes": "multichoice",
        "numeric.sum": "numerical",
        "numeric.drawn": "numerical",
        "order.day": "ordering",
        "match.words": "matching",
        "predict.loop": "multichoice",
        "bug.mean": "multichoice",
        "claim.even": "multichoice",
        "estimate.legs": "numerical",
        "derive.square": "essay",
        "derive.chosen": "cloze",
        "derive.both": "cloze",
        "open.sum": "essay",
        "case.shop.pens": "multichoice",
        "case.shop.legs": "numerical",
    }


def test_moodle_gives_full_marks_to_the_key_and_only_shares_that_it_allows(real):
    for name, question in moodle(real).items():
        if question.get("type") not in ("multichoice", "numerical"):
            continue
        parts = [float(answer.get("fraction")) for answer in question.findall("answer")]
        assert all(abs(part) in (*SHARES, 0) for part in parts), name
        assert 99.9 < sum(part for part in parts if part > 0) < 100.1, name
        feedback = [answer.findtext("feedback/text") for answer in question.findall("answer")]
        assert all(feedback[1:]) or question.get("type") == "numerical", name


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_moodle_accepts_the_key_of_a_number_and_no_slip(real, seed):
    sheets = {s.item.id: s for s in make_sheets(real, ["gae", "kl", "rl-systems"], seed)}
    root = ET.fromstring(WRITERS["moodle"](list(sheets.values()))[0])
    checked = 0
    for question in root.iter("question"):
        if question.get("type") != "numerical":
            continue
        form = sheets[question.findtext("name/text")].form
        assert isinstance(form, Number)
        right, *slips = question.findall("answer")
        middle, half = float(right.findtext("text")), float(right.findtext("tolerance"))
        assert middle - half * 1.000001 <= form.value <= middle + half * 1.000001
        for slip, (low, high, _) in zip(slips, form.slips, strict=True):
            wrong = (low + high) / 2
            assert float(slip.get("fraction")) == 0
            assert abs(wrong - middle) > half
        checked += 1
    assert checked >= 10


def test_moodle_cloze_has_no_sign_that_ends_a_gap_early(bank):
    text = moodle(bank)["kinds.derive.chosen"].findtext("questiontext/text")
    gaps = re.findall(r"\{1:([A-Z_]+):([^{}]*)\}", text)
    assert [kind for kind, _ in gaps] == ["NUMERICAL", "MULTICHOICE_VS"]
    assert gaps[0][1] == "=0.5:0.0005"
    answers = gaps[1][1].split("~")
    assert sorted(answer[0] == "=" for answer in answers) == [False, True]
    assert all(answer.count("#") == 1 for answer in answers)


def test_shares_of_up_to_seven_right_options_are_exact_enough():
    for count in range(1, 8):
        assert share(1 / count) == pytest.approx(100 / count, abs=1e-5)


# Canvas


def qti(bank):
    with zipfile.ZipFile(io.BytesIO(written("qti", bank)[0])) as archive:
        return {name: ET.fromstring(archive.read(name)) for name in archive.namelist()}


def questions(files):
    return {item.get("title"): item for root in files.values() for item in root.iter(f"{QTI}item")}


def test_canvas_finds_every_file_that_the_manifest_names(real):
    files = qti(real)
    named = {
        element.get("href") for element in files["imsmanifest.xml"].iter() if element.get("href")
    }
    assert named == set(files) - {"imsmanifest.xml"}
    assert len(questions(files)) == len(make_sheets(real, None, 0))


def test_canvas_items_refer_to_what_they_have(real):
    for name, item in questions(qti(real)).items():
        labels = {label.get("ident") for label in item.iter(f"{QTI}response_label")}
        said = {part.get("ident") for part in item.iter(f"{QTI}itemfeedback")}
        shown = {part.get("linkrefid") for part in item.iter(f"{QTI}displayfeedback")}
        assert said == shown, name
        lids = {part.get("ident") for part in item.iter() if part.tag.startswith(f"{QTI}response_")}
        for equal in item.iter(f"{QTI}varequal"):
            assert equal.get("respident") in lids, name
            assert not equal.text.startswith("rlgrade_") or equal.text in labels, name


def test_canvas_scores_the_key_with_a_hundred(bank):
    for name, item in questions(qti(bank)).items():
        points = [float(part.text) for part in item.iter(f"{QTI}setvar")]
        kind = item.find(f".//{QTI}fieldentry").text
        assert kind == "essay_question" or 99.9 <= sum(points) <= 100.1, (name, kind)
    kinds = {i.find(f".//{QTI}fieldentry").text for i in questions(qti(bank)).values()}
    assert kinds == {
        "multiple_choice_question",
        "multiple_answers_question",
        "numerical_question",
        "matching_question",
        "multiple_dropdowns_question",
        "essay_question",
    }


def test_canvas_pairs_each_left_side_with_its_own_right_side(bank):
    found = questions(qti(bank))
    for name, wanted in [
        ("kinds.match.words", {"hot": "cold", "high": "low", "fast": "slow"}),
        ("kinds.order.day", {"place 1": "morning", "place 2": "noon", "place 3": "afternoon",
                             "place 4": "evening"}),
        ("kinds.derive.both", {"step1": "one"}),
    ]:  # fmt: skip
        scored = {e.get("respident"): e.text for e in found[name].iter(f"{QTI}varequal")}
        assert len(scored) == len(wanted)
        for lid in found[name].iter(f"{QTI}response_lid"):
            labels = {
                label.get("ident"): label.findtext(f".//{QTI}mattext")
                for label in lid.iter(f"{QTI}response_label")
            }
            left = lid.findtext(f"{QTI}material/{QTI}mattext")
            assert labels[scored[lid.get("ident")]] == wanted[left]


def test_canvas_takes_all_right_choices_and_no_other(bank):
    item = questions(qti(bank))["kinds.multi.primes"]
    texts = {
        label.get("ident"): label.findtext(f".//{QTI}mattext")
        for label in item.iter(f"{QTI}response_label")
    }
    both = item.find(f".//{QTI}and")
    rights = {texts[equal.text] for equal in both.findall(f"{QTI}varequal")}
    wrongs = {texts[equal.text] for equal in both.findall(f"{QTI}not/{QTI}varequal")}
    assert (rights, wrongs) == ({"2", "3", "5"}, {"1", "4"})


# Pages


def test_markup_keeps_products_and_emphasis_apart():
    assert to_html("what is *not* x*y or x**2*z") == ("<p>what is <em>not</em> x*y or x**2*z</p>")
    assert to_line("**bold** and `a*b*c` < d_e_f") == (
        "<strong>bold</strong> and <code>a*b*c</code> &lt; d_e_f"
    )
    assert "<script>" not in to_html("<script>alert(1)</script>")
    assert plain("*not* x*y") == "not x*y"
    assert to_html("table[i](x)") == "<p>table[i](x)</p>"


def test_the_page_needs_no_network_and_has_every_question_once(real):
    page = written("html", real)[0].decode()
    assert not re.search(r"""(?:src|href)=["'](?!#)""", page)
    assert 'http-equiv="Content-Security-Policy" content="default-src \'none\'' in page
    ids = re.findall(r'<article id="([^"]+)"', page)
    assert sorted(ids) == sorted(sheet.item.id for sheet in make_sheets(real, None, 0))


FILL = """<script>
const wrong = [];
const all = (box, what) => [...box.querySelectorAll(what)];
function fill(box, key, typed) {
  const inputs = all(box, "input"), lists = all(box, "select");
  const middle = key.range && (key.range[0] + key.range[1]) / 2;
  const place = (list) => key.blocks.indexOf(list.dataset.text) + 1 || "";
  if (key.form === "choices") inputs.forEach((i) => { i.checked = key.right.includes(+i.value); });
  if (key.form === "number") inputs[0].value = String(middle);
  if (key.form === "line") inputs[0].value = key.text;
  if (key.form === "pairs") lists.forEach((list, n) => { list.value = key.rights[n]; });
  if (key.form === "order") lists.forEach((list) => { list.value = String(place(list)); });
  if (key.form === "formula") inputs[0].value = typed;
  if (key.form === "gaps") {
    all(box, ".gap").forEach((gap, n) => fill(gap, key.gaps[n], KEYS[box.id][n]));
  }
}
function spoil(box, key, typed) {
  if (key.form === "choices") {
    const picked = (n) => MODE === "part" && key.right.length > 1
      ? n === key.right[0] : !key.right.includes(n);
    all(box, "input").forEach((i) => { i.checked = picked(+i.value); });
  } else if (key.form === "gaps") {
    all(box, ".gap").forEach((gap, n) => spoil(gap, key.gaps[n], KEYS[box.id][n]));
  } else if (key.form === "formula") {
    box.querySelector("input").value = `${typed} + 0.01`;
  } else if (key.form === "number") {
    box.querySelector("input").value = String(key.range[1] + 1);
  }
}
for (const article of document.querySelectorAll("article")) {
  if (!article.dataset.key) { article.querySelector("button.show").click(); continue; }
  (MODE === "right" ? fill : spoil)(article, JSON.parse(article.dataset.key));
  article.querySelector("button.check").click();
  if (!article.querySelector(".verdict").textContent.startsWith("✓")) wrong.push(article.id);
}
document.body.insertAdjacentHTML("beforeend", `<pre id=log>${wrong.join(" ")}</pre>`);
</script></body>"""


def in_browser(tmp_path, page):
    """The page as it is after its scripts have run."""
    path = tmp_path / "page.html"
    path.write_text(page)
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", path.as_uri()],
        capture_output=True,
        text=True,
        env=os.environ | {"HOME": str(tmp_path)},
        timeout=120,
    )
    return done.stdout


@needs_chromium
@pytest.mark.parametrize("mode", ["right", "wrong", "part"])
def test_the_page_marks_its_own_keys_right_in_a_browser_and_others_not(real, bank, tmp_path, mode):
    sheets = make_sheets(bank, None, 0) + make_sheets(real, ["gae", "dpo", "kl", "trpo"], 3)
    page = WRITERS["html"](sheets)[0].decode()
    keys = {s.item.id: [g.key for g in s.form.gaps] for s in sheets if isinstance(s.form, Gaps)}
    script = FILL.replace("MODE", repr(mode)).replace("KEYS", json.dumps(keys))
    after = in_browser(tmp_path, page.replace("</body>", script))
    wrong = unescape(re.search(r'<pre id="log">([^<]*)</pre>', after)[1]).split()
    keyed = page.count('data-key="')
    score = re.search(r'<div id="score"[^>]*>([^<]*)</div>', after)[1]
    if mode == "right":
        assert wrong == []
        assert score == f"{keyed} of {keyed} right at the first try"
    else:
        assert len(wrong) == keyed > 80


ARITHMETIC = [
    "-x**2", "2**-x", "2**3**2", "x - y - 1", "x / y / 2", "-x*-y", "+x", "1e-3*x", ".5", "5.",
    "(x + y)²", "x¹⁰", "x^2", "√(x)", "x·y", "x × y ÷ 2", "−x", "max(x, y, 3)", "clip(x, 0, 1)",
    "sigmoid(x) - tanh(y)", "log2(8) + log10(100) + ln(x)", "exp(-abs(x))", "pi*π", "2 ** 3 * x",
]  # fmt: skip
NONSENSE = ["", "x +", "z", "x y", "2x", "x; y", "f(x)", "x[0]", "(x", "x)", "alert(1)", "()", ","]


@needs_chromium
def test_formulas_mean_in_the_page_what_they_mean_in_the_terminal(real, tmp_path):
    point = {"x": 1.7, "y": 0.6}
    cases = [(text, point, value(parse(text, point), point)) for text in ARITHMETIC]
    for entry in real.entries(inner=True):
        for blank in getattr(entry.item, "blanks", []):
            if blank.expression:
                there = {n: (low + 2 * high) / 3 for n, (low, high) in blank.variables.items()}
                found = value(parse(blank.expression, there), there)
                cases.append((blank.expression, there, found))
    assert len(cases) > len(ARITHMETIC) + 30
    page = WRITERS["html"]([])[0].decode()
    script = (
        f"<script>const cases = {json.dumps(cases)}, bad = {json.dumps(NONSENSE)};\n"
        "const near = (a, b) => Math.abs(a - b) <= 1e-9 * (1 + Math.abs(b));\n"
        "const wrong = cases.filter(([text, at, want]) => {\n"
        "  const made = formula(text, Object.keys(at));\n"
        "  return !made || !near(made(at), want); });\n"
        'const taken = bad.filter((text) => formula(text, ["x", "y"]));\n'
        "document.body.insertAdjacentHTML('beforeend', "
        "`<pre id=log>${JSON.stringify([wrong, taken])}</pre>`);</script></body>"
    )
    after = in_browser(tmp_path, page.replace("</body>", script))
    assert json.loads(unescape(re.search(r'<pre id="log">([^<]*)</pre>', after)[1])) == [[], []]


def test_markdown_has_the_key_of_every_question(bank):
    text = written("md", bank)[0].decode()
    for sheet in make_sheets(bank, None, 0):
        part = text.split(f"### {sheet.item.id}\n", 1)[1].split("\n### ", 1)[0]
        answer = key(draw(sheet.item, 0, bank.functions)).splitlines()[0].strip()
        asked, solved = part.split("<details>", 1)
        assert answer[:40] in solved
        assert "✓" not in asked


def test_a_claim_lists_its_verdicts_and_a_bug_its_fixes(bank):
    forms = {sheet.item.id: sheet.form for sheet in make_sheets(bank, None, 0)}
    claim = forms["kinds.claim.even"]
    assert isinstance(claim, Choices)
    assert [c.html for c in claim.choices if c.right] == ["True only if: one of them is even"]
    assert [c.html for c in claim.choices][:2] == ["True", "False"]
    bug = forms["kinds.bug.mean"]
    assert sum(choice.right for choice in bug.choices) == 1
    gaps = forms["kinds.derive.chosen"]
    assert isinstance(gaps, Gaps)
    assert [type(gap.form) for gap in gaps.gaps] == [Number, Choices]
