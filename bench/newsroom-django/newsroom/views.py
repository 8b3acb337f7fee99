import time

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.views import redirect_to_login
from django.core.paginator import Paginator
from django.db.models import Q
from django.shortcuts import get_object_or_404, redirect, render

from .forms import CommentForm, SignupForm
from .models import Article, Section

PAGE = 21


class Uncounted(Paginator):
    """Without a count of 20,000 rows for each page, as the other newsroom."""

    count = 10**9


_sections = ([], 0.0)


def masthead(request):
    """The sections change rarely: every worker asks once a minute."""
    global _sections
    if _sections[1] < time.monotonic():
        _sections = (list(Section.objects.all()), time.monotonic() + 60)
    return {"sections": _sections[0]}


def paged(request, articles):
    page = Uncounted(articles, PAGE).get_page(request.GET.get("page"))
    return {"articles": list(page), "next": page.number + 1}


def front(request):
    return render(request, "front.html", paged(request, Article.objects.listed().defer("body")))


def section(request, slug):
    found = get_object_or_404(Section, slug=slug)
    context = paged(request, Article.objects.listed().defer("body").filter(section=found))
    return render(request, "listing.html", {"heading": found.name, "blurb": found.blurb, **context})


def search(request):
    words = request.GET.get("q", "")
    articles = Article.objects.listed().defer("body")
    for word in words.split()[:8]:
        articles = articles.filter(Q(title__icontains=word) | Q(summary__icontains=word))
    return render(request, "listing.html", {"heading": f"“{words}”", **paged(request, articles)})


def article(request, slug):
    found = get_object_or_404(Article.objects.listed(), slug=slug)
    form = CommentForm(request.POST or None) if request.user.is_authenticated else None
    if request.method == "POST":
        if form is None:
            return redirect_to_login(request.path)
        if form.is_valid():
            comment = form.save(commit=False)
            comment.article, comment.author = found, request.user
            comment.save()
            messages.success(request, "Thank you for your comment.")
            return redirect(f"{found.get_absolute_url()}#comment-{comment.id}")
    comments = found.comment_set.select_related("author")[:200]
    return render(request, "reading.html", {"article": found, "comments": comments, "form": form})


def signup(request):
    form = SignupForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        login(request, form.save())
        return redirect("front")
    return render(request, "registration/signup.html", {"form": form})
