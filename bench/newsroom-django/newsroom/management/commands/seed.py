from datetime import timedelta

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand
from django.utils import timezone
from django.utils.text import slugify

from newsroom.models import Article, Comment, Section

SECTIONS = ["World", "Science", "Culture", "Business", "Sport", "Opinion"]
WHO = ["The council", "A small team", "The oldest library", "One village", "The harbour", "A quiet street", "The orchestra", "A retired teacher"]
DOES = ["rebuilds", "discovers", "questions", "celebrates", "maps", "restores", "measures", "remembers"]
WHAT = ["a lost river", "the night sky", "its own past", "the price of bread", "a forgotten song", "the last ferry", "a better bridge", "the first frost"]
SENTENCES = [
    "Nobody had expected it to take this long, and nobody wanted it to end.",
    "The figures, published on Tuesday, are better than feared and worse than hoped.",
    "“We began with a table, two chairs and a list,” she says; the list is still on the wall.",
    "What follows is a story of patience, of weather, and of one stubborn pump.",
    "Neighbours bring soup. Experts bring charts. Both are needed.",
    "By noon the square was full, and the band had run out of music.",
]


def pick(choices, n):
    return choices[(((n + 1) * 2654435761) % 2**32 >> 16) % len(choices)]


def body_of(n):
    paragraphs = [" ".join(pick(SENTENCES, n * 31 + p * 7 + s) for s in range(4)) for p in range(6)]
    return "\n\n".join(paragraphs)


class Command(BaseCommand):
    help = "fills the newsroom: seed [ARTICLES]"

    def add_arguments(self, parser):
        parser.add_argument("count", nargs="?", type=int, default=20000)

    def handle(self, count, **options):
        editor = User.objects.create_superuser("editor@example.com", "editor@example.com", "newsroom otter lantern", first_name="Edith Editor")
        authors = [editor] + [User.objects.create(username=slugify(name), first_name=name) for name in ["Ada Marsh", "Ben Okafor", "Chiara Rossi", "Dan Lee"]]
        sections = [Section.objects.create(name=name, slug=slugify(name), blurb=f"Everything about {name.lower()}, every day.") for name in SECTIONS]
        now = timezone.now()
        articles = []
        for n in range(count):
            title = f"{pick(WHO, n)} {pick(DOES, n * 3 + 1)} {pick(WHAT, n * 7 + 2)}"
            articles.append(
                Article(
                    title=title,
                    slug=f"{slugify(title)}-{n}",
                    section=pick(sections, n * 5 + 3),
                    author=pick(authors, n * 11 + 4),
                    summary=pick(SENTENCES, n),
                    body=body_of(n),
                    published_at=now - timedelta(minutes=30 * n),
                )
            )
        Article.objects.bulk_create(articles, batch_size=500)
        ids = Article.objects.order_by("id").values_list("id", flat=True)
        Comment.objects.bulk_create(
            [Comment(article_id=id, author=pick(authors, id + n), body=pick(SENTENCES, id + n)) for id in ids if id % 4 == 0 for n in range(3)],
            batch_size=500,
        )
        self.stdout.write(f"{count} articles in {len(sections)} sections")
