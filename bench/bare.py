"""The floor: one bare synchronous Django view that answers bytes, under the same server and settings of
ASGI as the gateway."""

import sys
from typing import Any

import django
import uvicorn
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

BODY = b'{"items":[' + b",".join([b'{"resourcePoolId":"' + b"x" * 180 + b'"}'] * 50) + b"]}"


def view(_request: HttpRequest) -> HttpResponse:
    """10 KB from memory."""
    return HttpResponse(BODY, content_type="application/json")


urlpatterns = [path("pools", view)]

if __name__ == "__main__":
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="bench", MIDDLEWARE=[])
    django.setup()
    quiet: dict[str, Any] = {"lifespan": "off", "ws": "none", "access_log": False, "log_level": "error"}
    uvicorn.run(get_asgi_application(), port=int(sys.argv[1]), http="httptools", loop="uvloop", **quiet)
