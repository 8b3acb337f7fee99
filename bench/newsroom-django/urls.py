from django.contrib import admin
from django.contrib.auth import views as auth
from django.contrib.sitemaps.views import sitemap
from django.urls import path

from newsroom import feeds, views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("login", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout", auth.LogoutView.as_view(), name="logout"),
    path("signup", views.signup, name="signup"),
    path("feed.xml", feeds.Latest()),
    path("sitemap.xml", sitemap, {"sitemaps": {"articles": feeds.Articles}}),
    path("search", views.search, name="search"),
    path("section/<slug:slug>", views.section, name="section"),
    path("", views.front, name="front"),
    path("<slug:slug>", views.article, name="article"),
]
