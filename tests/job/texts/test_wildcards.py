"""The grammar of wildcards: examples, counts against expansions, mistakes, hostile texts."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.job.texts.choices import Choice, choice, stream
from batchgen.job.texts.wildcards import WildcardError, parse, parse_line

LISTS = {"col": ["red", "2::blue", "{pale|dark} green"], "d/x_1": ["up", "down"]}


def find(name: str) -> Choice:
    if name not in LISTS:
        raise WildcardError(f"no list {name}")
    return choice([parse_line(line, find) for line in LISTS[name]])


def expand(text: str) -> list[str]:
    tree = parse(text, find)
    return [tree.nth(index) for index in range(tree.count())]


@pytest.mark.parametrize(
    ("text", "expansions"),
    [
        ("", [""]),
        ("plain", ["plain"]),
        ("a {b|c}", ["a b", "a c"]),
        ("{a|b}{c|d}", ["ac", "ad", "bc", "bd"]),
        ("{a|b {c|d}|}", ["a", "b c", "b d", ""]),
        ("{|very }big", ["big", "very big"]),
        ("{3::a|b|0.5::c| .5 :: d}", ["a", "b", "c", " d"]),
        ("{3::a}", ["a"]),
        ("{1::a::b $$|c $$}", ["a::b $$", "c $$"]),
        ("{2$$a|b|c}", ["a, b", "a, c", "b, c"]),
        ("{2$$ and $$a|b|c}", ["a and b", "a and c", "b and c"]),
        ("{1-2$$/$$a|b}", ["a", "b", "a/b"]),
        ("{0-1$$a|b}", ["", "a", "b"]),
        ("{2$$$$a|b}", ["ab"]),
        ("{2$$ \\| $$a|b}", ["a | b"]),
        ("{2$$ $ $$a|b}", ["a $ b"]),
        ("{1$$ \\a $$b}", ["b"]),
        ("{2$$a|b$$c}", ["a, b$$c"]),
        (
            "{2$$a{1|2}|b|c{3|4}}",
            ["a1, b", "a1, c3", "a1, c4", "a2, b", "a2, c3", "a2, c4", "b, c3", "b, c4"],
        ),
        ("__col__!", ["red!", "blue!", "pale green!", "dark green!"]),
        ("{__d/x_1__|x}", ["up", "down", "x"]),
        ("{2$$__d/x_1__}", ["up, down"]),
        ("{1$$__d/x_1__|x}", ["up", "down", "x"]),
        ("{1-2$$__col__}", 9),
        ("__a b__ __ _x_ a__b ____", ["__a b__ __ _x_ a__b ____"]),
        ("a | b :: c $$ d", ["a | b :: c $$ d"]),
        ("{A b} {1} {} {{A}} { a } {{}}", ["{A b} {1} {} {{A}} { a } {{}}"]),
        ("{A {b|c}}", ["{A b}", "{A c}"]),
        ("{name} {{name}} {x|{name}} {{{n}}}", ["{name} {{name}} x {{{n}}}", 0]),
        ("\\{a\\|b\\} \\__col__ \\a \\", ["{a|b} __col__ \\a \\"]),
        ("\\{name\\} \\{A\\}", ["{{name}} {A}"]),
        ("{a\\|b|\\}|\\{}", ["a|b", "}", "{"]),
    ],
)
def test_a_text_stands_for_its_expansions(text, expansions):
    if isinstance(expansions, int):
        assert len(set(expand(text))) == expansions
    elif expansions[-1] == 0:
        assert expand(text)[0] == expansions[0]
    else:
        assert expand(text) == expansions


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("ab {c|{d|e}", 3, "expected a } for this {"),
        ("{a|{b}", 0, "expected a } for this {"),
        ("a } b", 2, "expected a { before this }"),
        ("x {a|y::b}", 5, "expected a weight above 0"),
        ("{0::a|b}", 1, "expected a weight above 0"),
        ("{-1::a|b}", 1, "expected a weight above 0"),
        ("{1234567::a}", 1, "expected a weight above 0"),
        ("{\u0661::a}", 1, "expected a weight above 0"),
        ("{nan::a}", 1, "expected a weight above 0"),
        ("{{a|b}::c}", 1, "expected a weight above 0"),
        ("x {3$$a|b}", 2, "expected at least 3 options to pick from, got 2"),
        ("{3$$__d/x_1__}", 0, "expected at least 3 options to pick from, got 2"),
        ("{2-1$$a|b}", 1, "expected a number or a range from 0 to 20 before $$, got 2-1"),
        ("{99$$a|b}", 1, "expected a number or a range from 0 to 20 before $$, got 99"),
        ("{x$$a|b}", 1, "expected a number or a range such as 1-3 before $$, got the text 'x'"),
        ("{9999999999$$a}", 1, "expected a number or a range such as"),
        ("a {b|__no__}", 5, "no list no"),
        ("{" * 21 + "a|b" + "}" * 21, 20, "expected braces at most 20 deep"),
        ("x" * 1_000_001, 0, "expected a text of at most 1,000,000 characters, got 1,000,001"),
        ("{20$$" + "x" * 60_000 + "$$" + "|" * 19 + "}", 0, "this may become a text of more"),
        ("{20$$" + "|" * 60_000 + "}", 0, "too much to pick from"),
    ],
)
def test_a_mistake_is_told_with_its_place(text, offset, message):
    with pytest.raises(WildcardError) as caught:
        parse(text, find)
    assert (caught.value.offset, str(caught.value)[: len(message)]) == (offset, message)


def test_braces_may_be_twenty_deep():
    assert expand("{" * 20 + "a|b" + "}" * 20) == ["{" * 19 + x + "}" * 19 for x in "ab"]


@pytest.mark.parametrize(
    ("line", "weight", "texts"),
    [("3::red", 3_000_000, ["red"]), ("a|b", 1_000_000, ["a|b"]), ("{a|b}", 1_000_000, ["a", "b"])],
)
def test_a_line_of_a_list_may_have_a_weight(line, weight, texts):
    found, tree = parse_line(line, find)
    assert (found, [tree.nth(i) for i in range(tree.count())]) == (weight, texts)


words = st.sampled_from(["", "a", "bc", " "])


def _braces(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    options = st.lists(inner, min_size=2, max_size=4)
    heads = st.sampled_from(["", "2::", "1$$", "2$$", "0-1$$", "1-2$$;$$"])
    group = st.builds(lambda head, own: "{" + head + "|".join(own) + "}", heads, options)
    return st.lists(words | group, max_size=3).map("".join)


@given(st.recursive(words, _braces, max_leaves=12))
def test_every_draw_is_one_of_the_counted_expansions(text):
    # A number before each bar and brace makes every derivation spell a text of its own.
    pieces = text.replace("|", "|\0").split("\0")
    marked = "".join(f"{piece}{number}." for number, piece in enumerate(pieces))
    for written in (text, marked):
        tree = parse(written, find)
        if tree.count() > 2_000:
            return
        texts = {tree.nth(index) for index in range(tree.count())}
        assert all(tree.draw(stream(7, "p", draw)) in texts for draw in range(10))


@given(st.lists(st.integers(1, 3), min_size=1, max_size=5), st.integers(0, 5), st.integers(0, 5))
def test_the_derivations_of_a_pick_are_all_different(sizes, one, other):
    low, high = sorted((min(one, len(sizes)), min(other, len(sizes))))
    options = [
        "{" + "|".join(f"{i}{c}" for c in "abc"[:size]) + "}" for i, size in enumerate(sizes)
    ]
    texts = expand("<{" + f"{low}-{high}$$" + "|".join([*options[:-1], options[-1] + "."]) + "}>")
    assert len(set(texts)) == len(texts) == _ways(sizes, low, high)


def _ways(sizes: list[int], low: int, high: int) -> int:
    of_size = [1] + [0] * len(sizes)
    for size in sizes:
        for picked in range(len(sizes), 0, -1):
            of_size[picked] += size * of_size[picked - 1]
    return sum(of_size[low : high + 1])


@given(st.text("{}|$:2a_\\- ", max_size=40))
def test_any_text_is_read_or_refused(text):
    offset = 0
    try:
        tree = parse(text, lambda name: find("d/x_1"))
    except WildcardError as error:
        offset = error.offset
    else:
        assert len(tree.nth(tree.count() - 1)) <= tree.size
    assert 0 <= offset <= len(text)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece",
    [
        "{",
        "}",
        "|",
        "{}",
        "{|}",
        "{a",
        "{{a",
        "\\{a",
        "__a",
        "_",
        "__a_",
        "{1$$",
        "{1$$a",
        "$$",
        "\\",
    ],
)
def test_a_million_characters_are_read_in_time(piece):
    # Rules that look at the rest of the text from every sign would take hours, not seconds.
    slow = {"|", "{}", "{|}", "$$"}  # a sign in every place: some seconds a million
    text = piece * ((100_000 if piece in slow else 1_000_000) // len(piece))
    with suppress(WildcardError):
        assert parse(text, find).count() >= 1
    with suppress(WildcardError):
        assert parse("{a|" + text[:100_000] + "}", find).count() >= 1
