"""What bench/wsgi.ts serves: the bare protocol, Flask, one large answer, an upload."""

import time

BODY = b"x" * 10240
LARGE = b"y" * 65536


def bare(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "10240")])
    return [BODY]


def large(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(16 * len(LARGE)))])
    return (LARGE for _ in range(16))


def upload(environ, start_response):
    size = 0
    while True:
        piece = environ["wsgi.input"].read(65536)
        if not piece:
            break
        size += len(piece)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(str(size))))])
    return [str(size).encode()]


def waits(environ, start_response):
    time.sleep(0.2 if environ["QUERY_STRING"] else 0.005)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]


def flask():
    from flask import Flask

    app = Flask("bench")

    @app.get("/")
    def hello():
        return "Hello, World!"

    return app


def django():
    import django
    from django.conf import settings

    settings.configure(
        SECRET_KEY="bench",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
        MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    )
    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse
    from django.template import engines
    from django.urls import path

    call_command("migrate", verbosity=0)
    for n in range(10):
        User.objects.create(username="user%d" % n)
    template = engines["django"].from_string("{% for u in users %}<p>{{ u.username }}</p>{% endfor %}")

    def users(request):
        return HttpResponse(template.render({"users": User.objects.all()}))

    globals()["urlpatterns"] = [path("", users)]
    return get_wsgi_application()
