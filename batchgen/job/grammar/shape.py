"""The shape of a job file as pydantic models: what is allowed where, and its JSON Schema.

The values of parameters are not checked here but against the model they are for. These classes
stay inside the room; everything else works with :class:`batchgen.job.load.Job`.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, WithJsonSchema

from batchgen.job.grammar.sections import Output, Run, Section
from batchgen.job.models import DEFAULT_MODEL

# Checked in more words than a union of types has; this is for editors only.
Sample = Annotated[
    Any,
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"const": "all"}]}),
]


class PromptEntry(Section):
    """One prompt with an id, a text, and any parameter of the model set for it alone."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    id: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="Names the prompt in the manifest and in file names."
    )
    text: str = Field(description="The text of the prompt; {name} stands for a value.")
    sample: Sample = Field(
        default=None,
        description="Read wildcards in the text ({a|b}, __list__), and draw so many texts, or all.",
    )


class PromptFile(Section):
    """Prompts from a file: .txt (a line each), .csv, .tsv, .jsonl or .parquet (columns)."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    file: str = Field(
        description="Path of the file, relative to the job file; - for standard input, or -.csv …"
    )


def _kind_of_prompt(value: object) -> str:
    # "=" keeps the tags apart from keys when a way to a value is read back.
    if isinstance(value, dict | PromptFile | PromptEntry):
        keys = value if isinstance(value, dict) else value.model_fields_set
        return "=file" if "file" in keys else "=entry"
    return "=text"


PromptItem = Annotated[
    Annotated[str, Field(min_length=1), Tag("=text")]
    | Annotated[PromptEntry, Tag("=entry")]
    | Annotated[PromptFile, Tag("=file")],
    Discriminator(_kind_of_prompt),
]


class SetRule(Section):
    """Values of some variants alone."""

    when: dict[str, Any] = Field(
        description="Which variants: names and values, as under exclude; all must match."
    )
    then: dict[str, Any] = Field(description="Parameters, or words of the texts, and their values.")


# Checked against the model, with better words than a schema has; this is for editors only.
AxisItem = Annotated[
    Any,
    WithJsonSchema(
        {
            "anyOf": [
                {
                    "type": "array",
                    "minItems": 1,
                    "description": "the values; or mappings of values that belong together, each "
                    "with a name, words of the texts and params",
                },
                {"type": "string", "pattern": r"^-?\d+\.\.-?\d+$", "description": "first..last"},
                {
                    "type": "object",
                    "properties": {
                        "start": {"type": "integer", "description": "the first value"},
                        "count": {"type": "integer", "minimum": 1, "description": "how many"},
                    },
                    "required": ["start", "count"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]


_Linked: dict[str, Any] = {
    "type": "object",
    "additionalProperties": {
        "anyOf": [
            {"type": "array", "minItems": 1},
            {"type": "string", "pattern": r"^-?\d+\.\.-?\d+$"},
            {"type": "object"},
        ]
    },
}
ZipItem = Annotated[
    Any, WithJsonSchema({"anyOf": [_Linked, {"type": "array", "items": _Linked, "minItems": 1}]})
]


class JobFile(Section):
    """A batchgen job: what to make, from which prompts, how fast, and where to."""

    model_config = ConfigDict(title="batchgen job file")

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=100)] = Field(
        description="Names the job and, by default, its dataset folder."
    )
    service: Literal["wavespeed", "local"] = Field(
        default="wavespeed",
        description="wavespeed, or the local service that batchgen brings along.",
    )
    model: str = Field(default=DEFAULT_MODEL, description="The id of a v3 model.")
    extends: list[Annotated[str, Field(min_length=1)]] = Field(
        default=[],
        description="Job files that this one is laid over, key by key; lists are replaced.",
    )
    prompts: Annotated[list[PromptItem], Field(min_length=1)] = Field(
        description="Texts, entries or files."
    )
    matrix: dict[str, AxisItem] = Field(
        default={},
        description="Axes: parameters, words of the texts or the model, with several values each; "
        "every one multiplies.",
        examples=[
            {"seed": "0..9", "light": ["dawn", "dusk"]},
            {"look": [{"name": "ink", "style": "ink wash", "params": {"aspect_ratio": "3:4"}}]},
        ],
    )
    zip: ZipItem = Field(
        default=None,
        description="Lists of one length whose values belong together, one by one.",
        examples=[{"light": ["dawn", "dusk"], "seed": [1, 2]}],
    )
    exclude: list[dict[str, Any]] = Field(
        default=[],
        description="Variants to leave out: those that have all values of an entry.",
        examples=[[{"prompt": "cup", "seed": [1, 2]}]],
    )
    set: list[SetRule] = Field(
        default=[],
        description="Values for some variants alone.",
        examples=[[{"when": {"seed": 3}, "then": {"num_images": 2}}]],
    )
    add: list[dict[str, Any]] = Field(
        default=[],
        description="Variants outside the matrix: a prompt (its id) or a text, and parameters.",
        examples=[[{"prompt": "cup", "seed": 99}]],
    )
    order: Literal["file", "balanced", "shuffle"] = Field(
        default="file",
        description="In which order variants are made: as written, so that any part from the "
        "beginning is a fair sample over all axes, or at random.",
    )
    repeat: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=1, description="How many times each variant is made."
    )
    params: dict[str, Any] = Field(default={}, description="Fixed parameters of every variant.")
    vars: dict[str, Any] = Field(
        default={},
        description="Fixed values of {name} in the texts.",
        examples=[{"size": "small"}],
    )
    job_seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = Field(
        default=0, description="What wildcards and a shuffled order are drawn by."
    )
    run: Run = Run()
    output: Output = Output()
