"""A Django project in one file: ORM, form with CSRF, template, upload, stream."""

import django
from django.conf import settings

settings.configure(
    DEBUG=False,
    SECRET_KEY="test",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    FORCE_SCRIPT_NAME=None,
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse  # noqa: E402
from django.template import engines  # noqa: E402
from django.urls import path, reverse  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402

call_command("migrate", verbosity=0)
User.objects.create_user("ann")


def users(request):
    template = engines["django"].from_string("{% for u in users %}<b>{{ u.username }}</b>{% endfor %} at {{ request.path }}")
    return HttpResponse(template.render({"users": User.objects.all(), "request": request}))


@csrf_exempt
def upload(request):
    file = request.FILES["file"]
    return JsonResponse({"bytes": sum(len(chunk) for chunk in file.chunks()), "user": request.POST["user"]})


def protected(request):
    return HttpResponse("posted" if request.method == "POST" else "form")


def stream(request):
    return StreamingHttpResponse(f"row {n}\n".encode() for n in range(3))


def this_file(request):
    return FileResponse(open(__file__, "rb"), as_attachment=True)


@csrf_exempt
def body(request):
    return JsonResponse({"bytes": len(request.body), "length": request.headers.get("Content-Length"), "secure": request.is_secure(),
                         "url": request.build_absolute_uri(reverse("users"))})


urlpatterns = [
    path("users/", users, name="users"),
    path("upload/", upload),
    path("protected/", protected),
    path("stream/", stream),
    path("file/", this_file),
    path("body/", body),
]

application = get_wsgi_application()
