"""Static files, by WhiteNoise, read whole: under ASGI a streamed file would be drained in one piece anyway,
with a warning."""

from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware


class StaticFiles(WhiteNoiseMiddleware):  # type: ignore[misc]
    """Answers what lies under STATIC_URL, with the headers WhiteNoise gives it."""

    @staticmethod
    def serve(static_file, request: HttpRequest) -> HttpResponse:  # type: ignore[no-untyped-def]
        """One file."""
        found = static_file.get_response(request.method, request.META)
        content = b""
        if found.file is not None:
            with found.file:
                content = found.file.read()
        response = HttpResponse(content, status=int(found.status))
        del response["Content-Type"]
        for name, value in found.headers:
            response[name] = value
        return response
