"""A Django project over ASGI in one file: sync and async views, upload, stream."""

import asyncio

import django
from django.conf import settings

settings.configure(
    DEBUG=False,
    SECRET_KEY="test",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.common.CommonMiddleware"],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
)
django.setup()

from django.core.asgi import get_asgi_application  # noqa: E402
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse  # noqa: E402
from django.urls import path  # noqa: E402


def sync_view(request):
    request.session["seen"] = request.session.get("seen", 0) + 1
    return HttpResponse("sync %s seen %d" % (request.path, request.session["seen"]))


async def async_view(request):
    await asyncio.sleep(0)
    return JsonResponse({"path": request.path, "url": request.build_absolute_uri(), "ip": request.META["REMOTE_ADDR"]})


def upload(request):
    return JsonResponse({"bytes": sum(len(c) for c in request.FILES["file"].chunks()), "user": request.POST["user"]})


def stream(request):
    return StreamingHttpResponse(f"row {n}\n".encode() for n in range(3))


def fails(request):
    raise RuntimeError("django boom")


urlpatterns = [path("sync/", sync_view), path("async/", async_view), path("upload/", upload), path("stream/", stream), path("fails/", fails)]

application = get_asgi_application()
