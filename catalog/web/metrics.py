"""The counters of the service, in the text format of Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..models import Result
from ..service.jobs import Job, Jobs

__all__ = ["Metered", "Metrics"]


SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
JOB_SECONDS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)


class Metrics:
    """The counters of one service."""

    def __init__(self, jobs: Jobs) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self.requests = Counter("catalog_requests", "Requests answered.", labels, registry=self.registry)
        self.seconds = Histogram(
            "catalog_request_seconds",
            "Seconds until an answer began.",
            ("method", "route"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.decisions = Counter(
            "catalog_decisions",
            "Decisions to reuse or make, by rule.",
            ("action", "rule"),
            registry=self.registry,
        )
        self.jobs = Counter("catalog_jobs", "Jobs that ended, by state.", ("state",), registry=self.registry)
        self.job_seconds = Histogram(
            "catalog_job_seconds", "Seconds a job ran.", buckets=JOB_SECONDS, registry=self.registry
        )
        self.cache = Counter(
            "catalog_cache", "Look-ups of made files.", ("kind", "outcome"), registry=self.registry
        )
        self.registry.register(_Queue(jobs))
        jobs.subscribe(self._over)

    def decided(self, result: Result) -> None:
        """Count the decision behind `result`."""
        self.decisions.labels(result.action, result.decision.rule).inc()

    def looked_up(self, kind: str, hit: bool) -> None:
        """Count a look-up in a cache."""
        self.cache.labels(kind, "hit" if hit else "miss").inc()

    def text(self) -> bytes:
        """Return everything in the text format."""
        return generate_latest(self.registry)

    def _over(self, job: Job) -> None:
        if not job.finished:
            return
        self.jobs.labels(job.state).inc()
        if job.started_at and job.finished_at:
            self.job_seconds.observe((job.finished_at - job.started_at).total_seconds())
        if job.result:
            self.decided(job.result)


class _Queue(Collector):
    """The length of the queue, read each time the counters are."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily("catalog_queue_length", "Jobs that wait.", value=self._jobs.waiting)
        yield GaugeMetricFamily("catalog_queue_limit", "Jobs that may wait.", value=self._jobs.limit)


class Metered:
    """ASGI middleware that counts requests by the route that answered them, never by their address."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and count its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = str(getattr(scope.get("route"), "path", "other"))
                self.metrics.requests.labels(scope["method"], route, str(message["status"])).inc()
                self.metrics.seconds.labels(scope["method"], route).observe(time.perf_counter() - began)
            await send(message)

        await self.app(scope, receive, counted)
