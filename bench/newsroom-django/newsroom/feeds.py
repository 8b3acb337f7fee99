from django.contrib.sitemaps import Sitemap
from django.contrib.syndication.views import Feed

from .models import Article


class Latest(Feed):
    title = "The Newsroom"
    link = "/"
    description = "What is new"

    def items(self):
        return Article.objects.listed()[:20]

    def item_title(self, item):
        return item.title

    def item_description(self, item):
        return item.summary

    def item_pubdate(self, item):
        return item.published_at


class Articles(Sitemap):
    limit = 5000

    def items(self):
        return Article.objects.published()

    def lastmod(self, item):
        return item.published_at
