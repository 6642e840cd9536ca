"""Structured logs: one JSON object per line on standard output, each with the request id that it belongs to.

`app.create_app` sets it up before anything else; modules call `structlog.get_logger(__name__)`.
"""

import logging
import sys
from typing import Any

import orjson
import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, WrappedLogger

from nexus_kit import context


def configure(service: str, level: str) -> None:
    """Send our logs and those of every library (uvicorn, SQLAlchemy, Dramatiq) through the same renderer."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _add_ids(service),
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # without local variables: they hold passwords and tokens
        structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(serializer=_dumps),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    # The middleware logs requests, with their ids; uvicorn's own lines would be a second copy without them.
    logging.getLogger("uvicorn.access").handlers = []
    logging.getLogger("uvicorn.access").propagate = False
    for chatty in ("httpx", "httpcore", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _add_ids(service: str) -> Any:
    def add(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["service"] = service
        if (request_id := context.REQUEST_ID.get()) is not None:
            event.setdefault("request_id", request_id)
        if (traceparent := context.TRACEPARENT.get()) is not None:
            event.setdefault("trace_id", traceparent.split("-")[1])
        return event

    return add


def _dumps(event: EventDict, default: Any = None, **_: Any) -> str:
    return orjson.dumps(event, default=default or str).decode()
