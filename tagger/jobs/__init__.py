"""Jobs: work that a service is asked for and does beside its answers, one after another, in processes of their own.

    supervisor          starts the process of the next job; each worker of each server has one
    runner              that process
    kinds | archives    what jobs can be asked for, and how each kind is done | what versions can be compared on
    store               the jobs on disk
    records | paths     what is known of a job | texts without the paths of this machine

A job is a folder `NNNNNN`: `job.json`, `log.jsonl`, what its process printed in `output.txt`, perhaps `result.jsonl`;
a file `cancel` once that was asked for, and `lock`, which its process holds as long as it lives. Whatever ends that
process before the work is done, the lock is free then, and the job is started again.
"""

from __future__ import annotations

from tagger.jobs.records import Job
from tagger.jobs.store import FOLDER, Jobs
from tagger.jobs.supervisor import Supervisor

__all__ = ["FOLDER", "Job", "Jobs", "Supervisor"]
