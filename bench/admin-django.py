"""django.contrib.admin over the table that admin-list.ts filled: the same pages, in process, for comparison."""
import sys
import time

import django
from django.conf import settings

file, runs = sys.argv[1], int(sys.argv[2])
settings.configure(
    SECRET_KEY="for a benchmark alone",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": file}},
    INSTALLED_APPS=["django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "django.contrib.messages"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware", "django.contrib.messages.middleware.MessageMiddleware"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {"context_processors": ["django.template.context_processors.request", "django.contrib.auth.context_processors.auth", "django.contrib.messages.context_processors.messages"]}}],
    STATIC_URL="/static/",
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
)
django.setup()

from django.contrib import admin  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import models  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import path  # noqa: E402


class Author(models.Model):
    name = models.CharField(max_length=150)

    class Meta:
        app_label, managed, db_table = "auth", False, "users"

    def __str__(self):
        return self.name


class Post(models.Model):
    title = models.CharField(max_length=120)
    slug = models.SlugField(unique=True)
    state = models.CharField(max_length=20, choices=[(s, s) for s in ("draft", "review", "live")])
    author = models.ForeignKey(Author, on_delete=models.PROTECT)
    featured = models.BooleanField()
    published_at = models.BigIntegerField(null=True)

    class Meta:
        app_label, managed, db_table = "auth", False, "post"


class PostAdmin(admin.ModelAdmin):
    list_display = ("title", "state", "author", "featured", "published_at")
    list_filter = ("state", "featured")
    search_fields = ("title", "slug")
    ordering = ("-published_at",)
    list_per_page = 50
    list_select_related = ("author",)


admin.site.register(Post, PostAdmin)
urlpatterns = [path("admin/", admin.site.urls)]

call_command("migrate", verbosity=0)
boss = User.objects.create_superuser("boss", "boss@x.org", "correct horse battery")
client = Client()
client.force_login(boss)
rows = Post.objects.count()
pages = {
    "first page": "",
    "deep page (about the 16,000th)": "?p=%d" % min(16_000, rows // 50 - 1),
    "search for a common word": "?q=orchestra",
    "search for a word that is nowhere": "?q=zzzz",
    "filter by state": "?state__exact=review",
    "sort by two columns": "?o=2.-5",
}
for name, query in pages.items():
    times = []
    for _ in range(runs):
        at = time.perf_counter()
        answer = client.get("/admin/auth/post/" + query)
        times.append((time.perf_counter() - at) * 1000)
        assert answer.status_code == 200, (query, answer.status_code)
    times.sort()
    print(f"{name:<44} median {times[len(times) // 2]:7.1f} ms   worst {times[-1]:7.1f} ms   {len(answer.content) // 1024:4d} kB")
