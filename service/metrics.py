"""What Prometheus may read. Labels have few values: routes as templates, never a path, an id or a name."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from embedding.embedder import Timings

REQUEST_BUCKETS = (0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.2, 0.5, 1, 2, 5, 10)
STAGE_BUCKETS = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 1)


class Metrics:
    """The counters and histograms of one process; each application has its own registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "invigil_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "invigil_request_seconds",
            "From the first byte of the request to the last of the answer.",
            ["method", "route"],
            buckets=REQUEST_BUCKETS,
            registry=self.registry,
        )
        self._stages = Histogram(
            "invigil_stage_seconds",
            "Time in one stage of the way from picture to decision.",
            ["stage"],
            buckets=STAGE_BUCKETS,
            registry=self.registry,
        )
        self._decisions = Counter(
            "invigil_decisions", "Comparisons decided.", ["kind", "decision"], registry=self.registry
        )
        self._problems = Counter(
            "invigil_problems", "Requests refused or failed, by code.", ["code"], registry=self.registry
        )

        self._model = Gauge(
            "invigil_model", "The model in use.", ["model_id", "calibration_id"], registry=self.registry
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def refused(self, code: str) -> None:
        """Count one problem answer."""
        self._problems.labels(code).inc()

    def decided(self, kind: str, outcome: str) -> None:
        """Count one decision; `kind` is verify, compare or search."""
        self._decisions.labels(kind, outcome).inc()

    def timed(self, timings: Timings) -> None:
        """Observe the stages of one picture."""
        self._stages.labels("decode").observe(timings.decode_ms / 1000)
        self._stages.labels("detect").observe(timings.detect_ms / 1000)
        self._stages.labels("embed").observe(timings.embed_ms / 1000)

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Register a gauge that is read when Prometheus asks."""
        Gauge(name, text, registry=self.registry).set_function(value)

    def describe_model(self, model_id: str, calibration_id: str) -> None:
        """Name the model in use, as a gauge that is always 1."""
        self._model.clear()
        self._model.labels(model_id, calibration_id).set(1)
