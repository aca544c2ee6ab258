"""Coverage-guided fuzzing of texts with placeholders and wildcards.

Needs atheris, which the project does not depend on::

    pip install atheris
    python -m tests.fuzz.texts -max_total_time=600
"""

import sys

import atheris

with atheris.instrument_imports(include=["batchgen"]):
    from batchgen.job.texts import wildcards
    from batchgen.job.texts.choices import MAX_COUNT, WEIGHT_ONE, choice, phrase, stream
    from batchgen.job.values.axes import MAX_TEXT
    from batchgen.job.values.templates import Template

WORDS = choice([(WEIGHT_ONE, phrase(["red"])), (WEIGHT_ONE, phrase(["{name}"]))])


def one_input(data: bytes) -> None:
    """Read *data* as a text: a tree whose every text can be told, or a refusal that says where."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        tree = wildcards.parse(text, lambda _: WORDS)
    except wildcards.WildcardError as error:
        if not (error.message and 0 <= error.offset <= len(text)):
            raise AssertionError(f"a refusal without words or place: {error!r}") from error
        return
    assert tree.count() >= 1
    drawn = tree.draw(stream(7, "a", 0))
    assert drawn == tree.draw(stream(7, "a", 0))
    texts = {drawn}
    if tree.count() < MAX_COUNT:
        texts |= {tree.nth(0), tree.nth(tree.count() - 1)}
    for made in texts:
        assert len(made) <= MAX_TEXT
        template = Template(made)
        assert {name for name, _ in template.missing(())} == template.names
        template.fill(dict.fromkeys(template.names, "{x}"))


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
