"""``batchgen schema``: the JSON Schema of job files, for editors."""

import click

from batchgen.cli.screen import show_json


@click.command()
def schema() -> None:
    """Print the JSON Schema of job files.

    Save it beside your jobs, and start a job file with this line to get help in your editor:

        # yaml-language-server: $schema=batchgen.schema.json
    """
    from batchgen.job.grammar.schema import job_schema

    show_json(job_schema(), indent=2)
