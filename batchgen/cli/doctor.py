"""``batchgen doctor``: what would spoil a run, looked for before it begins."""

from pathlib import Path

import click

from batchgen.cli.folders import OutPath
from batchgen.cli.screen import forgiving_pipes, show, show_json, tell
from batchgen.errors import ExitCode


@click.command()
@click.argument("job_file", metavar="[JOB.yaml]", required=False, type=click.Path(path_type=Path))
@click.option("--out", type=OutPath(), help="The dataset folder, or s3://bucket/prefix.")
@click.option("--service", type=click.Choice(["wavespeed", "local"]), help="Who makes the images.")
@click.option("--base-url", metavar="URL", help="The address of the service.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def doctor(
    job_file: Path | None,
    out: Path | str | None,
    service: str | None,
    base_url: str | None,
    as_json: bool,
) -> int:
    """Check key, balance, clock, disk and limits.

    With JOB.yaml, as a run of that job would find them. Every finding has its fix. The service is
    asked for the balance; nothing is submitted, and nothing costs.
    """
    import asyncio
    from dataclasses import asdict

    from batchgen.dataset.stores.uploads import dataset_path
    from batchgen.job.load import load_job
    from batchgen.run.care.doctor import OK, WRONG, Patient, examine

    job = load_job(job_file) if job_file else None
    patient = Patient(
        root=dataset_path(out or (job.address or job.folder if job else Path.cwd())),
        service=service or (job.service if job else "wavespeed"),
        base_url=base_url,
        pace=job.pace if job else None,
    )
    checks = asyncio.run(examine(patient))
    with forgiving_pipes():
        if as_json:
            show_json([asdict(check) for check in checks])
        for check in () if as_json else checks:
            show(f"{check.verdict:<9}{check.name:<10}{check.found}")
            if check.fix:
                show(f"{'':<19}→ {check.fix}")
    wrong = sum(check.verdict == WRONG for check in checks)
    others = sum(check.verdict != OK for check in checks) - wrong
    code = ExitCode.USAGE if wrong else ExitCode.OK
    words = f"{wrong} to mend before a run" if wrong else "a run can begin"
    if others:
        words += f"; {others} to think about"
    tell(f"batchgen: {code.word}: {words}")
    return code
