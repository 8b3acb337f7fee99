"""A small unmodified Flask app: session, form, upload, stream, file, error."""

import io

from flask import Flask, Response, redirect, request, send_file, session, stream_with_context, url_for

app = Flask(__name__)
app.secret_key = "test"


@app.get("/hello/<name>")
def hello(name):
    return f"Hello {name}, from {request.remote_addr} to {request.url}"


@app.post("/login")
def login():
    session["user"] = request.form["user"]
    return redirect(url_for("me"))


@app.get("/me")
def me():
    return session.get("user", "nobody")


@app.post("/upload")
def upload():
    file = request.files["file"]
    data = file.read()
    return {"name": file.filename, "bytes": len(data), "first": data[:5].decode()}


@app.post("/json")
def as_json():
    return request.get_json()


@app.get("/stream")
def stream():
    return Response(stream_with_context(f"line {n}\n" for n in range(3)), mimetype="text/plain")


@app.get("/file")
def file():
    return send_file(io.BytesIO(b"from send_file"), mimetype="text/plain", as_attachment=True, download_name="a.txt")


@app.get("/boom")
def boom():
    raise RuntimeError("flask boom")
