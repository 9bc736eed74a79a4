"""A project that sends mail from a view. Where to is told by the environment."""

import json
import os

SECRET_KEY = "for tests"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "django_project.urls"
USE_TZ = True
_SINK = json.loads(os.environ["SINK"])

if os.environ.get("WITH_MAILERS"):
    MAILERS = {
        "default": {
            "BACKEND": "okuru.django.EmailBackend",
            "OPTIONS": {**_SINK["django"], **_SINK["okuru"]},
        }
    }
else:
    EMAIL_BACKEND = "okuru.django.EmailBackend"
    EMAIL_HOST = _SINK["django"]["host"]
    EMAIL_PORT = _SINK["django"]["port"]
    EMAIL_USE_TLS = _SINK["django"]["use_tls"]
    EMAIL_HOST_USER = _SINK["django"]["username"]
    EMAIL_HOST_PASSWORD = _SINK["django"]["password"]
    EMAIL_TIMEOUT = 10
    OKURU_OPTIONS = _SINK["okuru"]
