"""What the test runs in a process of its own: prints what it saw as JSON."""

import json
import os
import sys
import threading
import warnings

warnings.simplefilter("ignore")
os.environ["DJANGO_SETTINGS_MODULE"] = "django_project.settings"

import django  # noqa: E402

django.setup()

from django.core import mail  # noqa: E402
from django.test import Client  # noqa: E402


def views() -> object:
    """Some requests one after the other, then from several threads."""
    sent = [Client().get("/send").json()["sent"] for _ in range(5)]

    def work() -> None:
        sent.extend(Client().get("/send").json()["sent"] for _ in range(5))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sent


def failures() -> object:
    """What is raised, and what is not."""
    import smtplib

    import okuru

    def send(*to: str, **options: bool) -> int:
        return mail.EmailMessage("hello", "Hello", "ann@example.com", to).send(**options)

    try:
        send("bob@example.org")
    except smtplib.SMTPException as failed:
        assert isinstance(failed, okuru.Error)
        raised = failed.code
    return [raised, send("bob@example.org", fail_silently=True), send()]


def forks() -> object:
    """The child has connections of its own."""
    Client().get("/send")
    child = os.fork()
    if child == 0:
        os._exit(0 if Client().get("/send").json()["sent"] == 1 else 1)
    return [os.waitpid(child, 0)[1], Client().get("/send").json()["sent"]]


print(json.dumps([django.VERSION[:2], {"views": views, "failures": failures, "forks": forks}[sys.argv[1]]()]))
