"""Push delivery: a fact is handed to a service that needs it, which applies it once (`nexus_kit.inbox`)."""

from typing import Any

from nexus_worker.failures import require_success
from nexus_worker.job import Job, Reaction


def deliver_to(service: str) -> Reaction:
    """The reaction that posts the event, as it was published, to the service's `/internal/events`."""

    async def deliver(job: Job[Any]) -> None:
        answer = await job.tools.services[service].request(
            "POST",
            "/internal/events",
            content=job.document.encode(),
            headers={"Content-Type": "application/cloudevents+json"},
        )
        require_success(answer, service)

    deliver.__name__ = deliver.__qualname__ = f"deliver_to_{service}"
    return deliver
