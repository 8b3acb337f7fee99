"""A Flask app as any tutorial writes it. Nothing in here knows of edge."""
import os

from flask import Flask, redirect, render_template_string, request, session, url_for

app = Flask(__name__)
app.secret_key = "only for the demo"

ITEMS = {"tea": 4, "bread": 3, "cheese": 9}

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Shop</title><link rel="stylesheet" href="/style.css"></head><body><main>
<p class="crumb"><a href="/">edge demo</a> / <a href="{{ url_for('index') }}">shop</a></p>
<h1>Shop</h1>
<ul class="cards">
{% for name, price in items.items() %}
  <li><form method="post" action="{{ url_for('add') }}">
    <strong>{{ name }}</strong> &euro; {{ price }}
    <button name="item" value="{{ name }}">Add</button>
  </form></li>
{% endfor %}
</ul>
<p>In your basket: {% if basket %}{% for name, n in basket.items() %}{{ n }} &times; {{ name }} {% endfor %}
<br>Total: &euro; {{ total }}{% else %}nothing yet{% endif %}</p>
<footer>Flask in worker process {{ pid }}, mounted at {{ request.script_root }}.</footer>
</main></body></html>"""


@app.get("/")
def index():
    basket = session.get("basket", {})
    total = sum(ITEMS[name] * n for name, n in basket.items())
    return render_template_string(PAGE, items=ITEMS, basket=basket, total=total, pid=os.getpid())


@app.post("/add")
def add():
    item = request.form.get("item")
    if item in ITEMS:
        basket = dict(session.get("basket", {}))
        basket[item] = basket.get(item, 0) + 1
        session["basket"] = basket
    return redirect(url_for("index"))
