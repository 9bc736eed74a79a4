"""One view, which sends."""

from django.core.mail import EmailMessage
from django.http import HttpRequest, JsonResponse
from django.urls import path


def send(request: HttpRequest) -> JsonResponse:
    email = EmailMessage(
        "Grüße", "Hello\n.dot\n", "Ann <ann@example.com>", ["Bob <bob@example.org>"], bcc=["zoe@example.org"]
    )
    return JsonResponse({"sent": email.send()})


urlpatterns = [path("send", send)]
