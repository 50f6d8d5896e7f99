"""The ASGI application: Django behind the front. `serve` starts and stops what runs beside it."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "netweave.settings")
_django = get_asgi_application()

from channels.routing import ProtocolTypeRouter  # noqa: E402 - only once Django is set up

from netweave.front import front  # noqa: E402
from netweave.live import live  # noqa: E402

application = front(ProtocolTypeRouter({"http": _django, "websocket": live}))
