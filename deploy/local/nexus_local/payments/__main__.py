"""The command that runs the payment simulator until SIGTERM or SIGINT.

`nexus up` calls it, and so do the tests that pay.
"""

import argparse
import logging
import os
from pathlib import Path

import uvicorn

from nexus_local.payments.app import create_app
from nexus_local.payments.context import Settings


def main() -> None:
    """Parse the arguments and the two secrets of the environment, then serve."""
    parser = argparse.ArgumentParser(prog="python -m nexus_local.payments", description="Simulate Chapa.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the SQLite file, made if missing")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--public-url", help="where browsers reach this server (default: http://localhost:PORT)")
    parser.add_argument("--webhook-url", required=True, help="who is told of payments")
    parser.add_argument("--retry-seconds", type=float, default=2.0, help="pause between two tries of a webhook")
    parser.add_argument("--attempts", type=int, default=30, help="tries of a webhook before it is given up")
    arguments = parser.parse_args()
    missing = [name for name in ("NEXUS_CHAPA_SECRET_KEY", "NEXUS_CHAPA_WEBHOOK_SECRET") if not os.environ.get(name)]
    if missing:
        parser.error(f"{' and '.join(missing)} must be set in the environment")
    settings = Settings(
        data=arguments.data,
        secret_key=os.environ["NEXUS_CHAPA_SECRET_KEY"],
        webhook_secret=os.environ["NEXUS_CHAPA_WEBHOOK_SECRET"],
        webhook_url=arguments.webhook_url,
        public_url=(arguments.public_url or f"http://localhost:{arguments.port}").rstrip("/"),
        retry_seconds=arguments.retry_seconds,
        attempts=arguments.attempts,
    )
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    uvicorn.run(
        create_app(settings),
        host=arguments.host,
        port=arguments.port,
        loop="asyncio",  # lighter than uvloop, and fast enough here
        ws="none",
        access_log=False,
        server_header=False,
        log_config=None,
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    main()
