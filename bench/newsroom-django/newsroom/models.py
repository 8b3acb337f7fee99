from django.contrib.auth.models import User
from django.db import models
from django.urls import reverse
from django.utils import timezone


class Section(models.Model):
    name = models.CharField(max_length=40, unique=True)
    slug = models.SlugField(max_length=120, unique=True)
    blurb = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        return reverse("section", args=[self.slug])


class ArticleQuerySet(models.QuerySet):
    def published(self):
        return self.filter(published_at__isnull=False)

    def listed(self):
        return self.published().select_related("section", "author")


class Article(models.Model):
    title = models.CharField(max_length=120)
    slug = models.SlugField(max_length=120, unique=True)
    section = models.ForeignKey(Section, on_delete=models.PROTECT)
    author = models.ForeignKey(User, on_delete=models.PROTECT)
    summary = models.CharField(max_length=300)
    body = models.TextField()
    cover = models.FileField(upload_to="covers", blank=True)
    published_at = models.DateTimeField(null=True, blank=True, db_index=True, help_text="Empty: a draft.")

    objects = ArticleQuerySet.as_manager()

    class Meta:
        ordering = ["-published_at", "-id"]
        indexes = [models.Index(fields=["section", "published_at"])]

    def __str__(self):
        return self.title

    def get_absolute_url(self):
        return reverse("article", args=[self.slug])


class Comment(models.Model):
    article = models.ForeignKey(Article, on_delete=models.CASCADE)
    author = models.ForeignKey(User, on_delete=models.CASCADE)
    body = models.TextField("Your comment", max_length=2000)
    at = models.DateTimeField(default=timezone.now, db_index=True, editable=False)

    class Meta:
        ordering = ["at"]

    def __str__(self):
        return self.body[:60]
