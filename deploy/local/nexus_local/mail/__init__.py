"""The mail catcher: every mail the local suite sends lands here and nowhere else.

Mail arrives over SMTP, is kept in a Maildir, and is read in a browser (`/`) or through Mailpit's HTTP API
(`/api/v1/messages`, `/api/v1/message/{ID}`, `/api/v1/search`), so tests and tools written for Mailpit work unchanged.

    python -m nexus_local.mail --data DIR --smtp-port 1025 --http-port 8025

- A mail is acknowledged over SMTP only once it is on disk: a catcher that is killed loses nothing it accepted.
- A mail that cannot be parsed is refused (the sender sees why), one that cannot be stored is put off with a 451.
- Search takes `to:`, `from:`, `cc:`, `bcc:`, `subject:`, `message-id:`, `is:read`, `has:attachment` and bare words; a
  leading `-` excludes. `GET /api/v1/message/latest` is the newest mail.
- Nothing is sent on, nothing is fetched from elsewhere, and scripts inside a mail never run.
"""
