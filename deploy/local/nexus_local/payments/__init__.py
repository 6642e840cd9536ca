"""The payment simulator: Chapa's HTTP API v1 on this machine, so real client code runs and no money moves.

It answers `POST /v1/transaction/initialize`, `GET /v1/transaction/verify/{tx_ref}`, `POST /v1/refund/{tx_ref or
reference}`, `GET /v1/refund/{ref_id}/verify`, `GET /v1/banks`, `POST /v1/transfers` and
`GET /v1/transfers/verify/{reference}`, `POST /v1/subaccount` with Chapa's own fields, status codes and messages,
shows the hosted page that a guest pays on, and sends signed webhooks until they are answered with a 2xx. State is one
SQLite file.

    NEXUS_CHAPA_SECRET_KEY=... NEXUS_CHAPA_WEBHOOK_SECRET=... \\
    python -m nexus_local.payments --data DIR --port 8090 --webhook-url http://127.0.0.1:8003/...

Tests and people steer it under `/simulator`: list, pay, fail or abandon transactions without the page, return payments,
end slow refunds, reverse transfers, and make the provider misbehave (`GET`, `POST`, `DELETE /simulator/behaviour`; see
`behaviour.py`).

Where it knowingly differs from Chapa:
- webhooks are repeated every 2 seconds up to 30 times (Chapa: every 10 minutes, up to 10 times);
- refunds work in test mode, and settle at once unless they are told to be slow (Chapa: live mode only, in days);
- transfers arrive, or fail, at once, without approval by OTP or server;
- payments are not split: a subaccount gets an id, and no share;
- addresses under reserved domains such as `.example` are accepted (Chapa refuses them with `validation.email`).
"""
