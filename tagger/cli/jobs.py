"""`tagger jobs`: what a service was asked to do beside its answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from tagger.cli.options import Json, Models, Seeds, State

if TYPE_CHECKING:
    from tagger.jobs import Jobs

app = App(
    name="jobs",
    help="""List, show and cancel the jobs of a service; one of them runs at a time.

    A server that is up starts them by itself; without one: tagger jobs run ID

    Example: tagger jobs list
    """,
)

Archives = Annotated[Path, Parameter(env_var="TAGGER_ARCHIVES", help="The folder of files to compare versions on.")]


@app.command(name="list")
def list_jobs(*, json: Json = None, state: State = Path("state")) -> int:
    """List the jobs, oldest first.

    Example: tagger jobs list
    """
    from tagger.cli import output

    found = _jobs(state).all()
    if output.as_json(json):
        output.write_json_lines(job.as_record() for job in found)
    elif found:
        rows = (job.as_record() for job in found)
        output.write_table(("job", "kind", "by", "created", "state", ""), map(_cells, rows))
    else:
        output.say(f"There is no job in {state} yet. A service is asked for one: POST /v1/train")
    return 0


@app.command
def show(job: str, /, *, state: State = Path("state")) -> int:
    """Print what is known of a job as JSON, with the end of its log.

    Example: tagger jobs show 000007
    """
    import json
    import sys

    import msgspec

    jobs = _jobs(state)
    record = {**jobs.get(job).as_record(), "log": msgspec.to_builtins(jobs.lines(job))}
    sys.stdout.write(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    return 0


@app.command
def cancel(job: str, /, *, state: State = Path("state")) -> int:
    """Cancel a job; one that runs ends within seconds, one that is over stays as it is.

    Example: tagger jobs cancel 000007
    """
    from tagger.cli.output import say

    found = _jobs(state).cancel(job)
    say(f"Job {found.id} is {'to be cancelled' if not found.is_over else found.state}.")
    return 0


@app.command
def run(
    job: str,
    /,
    *,
    state: State = Path("state"),
    seeds: Seeds = Path("seeds"),
    models: Models = Path("models"),
    archives: Archives = Path("archives"),
    lock: Annotated[int | None, Parameter(show=False)] = None,
) -> int:
    """Do a job in this process at the lowest priority; a server does this by itself.

    Example: tagger jobs run 000007
    """
    from tagger.cli.output import say
    from tagger.jobs.kinds import Places
    from tagger.jobs.runner import run as run_job

    done = run_job(_jobs(state), job, Places(seeds, models, archives), lock)
    say(f"Job {done.id} is {done.state}.{''.join(f' {error}' for error in done.errors)}")
    return 0 if done.state == "done" else 1


def _jobs(state: Path) -> Jobs:
    from tagger.jobs import Jobs
    from tagger.jobs.store import FOLDER

    return Jobs(state / FOLDER)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    progress = row["progress"]
    now = f"{progress['phase']} {progress['done']:.0%}" if progress else " ".join(row["errors"][:1])
    return (row["id"], row["kind"], row["by"], row["created"], row["state"], now)
