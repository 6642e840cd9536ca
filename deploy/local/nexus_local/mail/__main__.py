"""The command that runs the mail catcher: SMTP and HTTP on one event loop, until SIGTERM or SIGINT.

`nexus up` calls it, and so do the tests that read mail.
"""

import argparse
import logging
from pathlib import Path

import uvicorn

from nexus_local.mail.app import create_app


def main() -> None:
    """Parse the arguments, then serve."""
    parser = argparse.ArgumentParser(prog="python -m nexus_local.mail", description="Catch mail instead of sending it.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the Maildir, made if missing")
    parser.add_argument("--smtp-port", type=int, default=1025)
    parser.add_argument("--http-port", type=int, default=8025)
    parser.add_argument("--host", default="127.0.0.1", help="address that both listen on (default: loopback only)")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd's, which tells of every command
    uvicorn.run(
        create_app(arguments.data, arguments.host, arguments.smtp_port),
        host=arguments.host,
        port=arguments.http_port,
        loop="asyncio",  # lighter than uvloop, and fast enough here
        ws="none",
        access_log=False,
        server_header=False,
        log_config=None,
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    main()
