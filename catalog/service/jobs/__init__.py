"""Jobs that make music in the background: the queue, what is remembered of each job, the threads, and their work."""

from ...models.job import Job, JobState
from ...report import job_json
from .jobs import Jobs
from .work import Kind, QueueFull

__all__ = ["Job", "JobState", "Jobs", "Kind", "QueueFull", "job_json"]
