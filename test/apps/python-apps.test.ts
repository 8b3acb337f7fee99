/** Apps as people have them, of Debian's packages and unmodified, through the executable. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { createHash, randomBytes } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Edge } from "../kit/edge.ts"
import { describeWith } from "../kit/needs.ts"

const python = "/usr/bin/python3"
const head = `[server]\nfronts = 2\n[log]\naccess = { format = "off" }\n[[site]]\nlisten = ["127.0.0.1:0"]\n`

/** A browser's part: keeps cookies, follows redirects by hand, finds the CSRF token of a form. */
class Browser {
  readonly #cookies = new Map<string, string>()
  constructor(readonly edge: Edge) {}

  async get(path: string): Promise<Response> {
    return this.#send(path, { method: "GET" })
  }

  async post(path: string, body: URLSearchParams | FormData): Promise<Response> {
    return this.#send(path, { method: "POST", body })
  }

  /** Posts a form of the page with its token. */
  async submit(path: string, fields: Record<string, string>): Promise<Response> {
    const page = await (await this.get(path)).text()
    const token = /name="csrfmiddlewaretoken" value="([^"]+)"/.exec(page)?.[1]
    return this.post(path, new URLSearchParams({ ...(token !== undefined && { csrfmiddlewaretoken: token }), ...fields }))
  }

  async #send(path: string, init: RequestInit): Promise<Response> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ")
    const headers = { ...(cookie !== "" && { Cookie: cookie }), Referer: this.edge.url(path), Origin: this.edge.url("").replace(/\/$/, "") }
    const answer = await fetch(this.edge.url(path), { ...init, headers, redirect: "manual", keepalive: false })
    for (const line of answer.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value === "" || value === '""') this.#cookies.delete(name)
      else this.#cookies.set(name, value)
    }
    return answer
  }
}

describeWith(["django"], "Django's admin", () => {
  let dir: string
  let edge: Edge
  const manage = (...args: string[]) => {
    const env = { ...process.env, DJANGO_SUPERUSER_PASSWORD: "secret-enough" }
    const { success, stderr } = Bun.spawnSync([python, "manage.py", ...args], { cwd: dir, env, stdout: "ignore", stderr: "pipe" })
    if (!success) throw new Error(stderr.toString())
  }
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "edge-django-"))
    const { success, stderr } = Bun.spawnSync([python, "-m", "django", "startproject", "shop", dir], { stderr: "pipe" })
    if (!success) throw new Error(stderr.toString())
    // What its deployment checklist asks for, no more.
    const settings = join(dir, "shop/settings.py")
    const text = await Bun.file(settings).text()
    await Bun.write(settings, text.replace("DEBUG = True", "DEBUG = False").replace("ALLOWED_HOSTS = []", 'ALLOWED_HOSTS = ["127.0.0.1"]').replace(/STATIC_URL = .*/, 'STATIC_URL = "/static/"\nSTATIC_ROOT = BASE_DIR / "staticfiles"'))
    manage("migrate", "--verbosity", "0")
    manage("createsuperuser", "--noinput", "--username", "ann", "--email", "ann@example.com")
    manage("collectstatic", "--noinput", "--verbosity", "0")
    const config = `${head}[[site.route]]\npath = "/static/*"\nstatic = { root = "${dir}/staticfiles" }\n[[site.route]]\napp = "shop"\n
      [app.shop]\nruntime = "wsgi"\nentry = "shop.wsgi:application"\ndir = "${dir}"\npython = "${python}"\nworkers = 2\nthreads = 2\n`
    edge = await Edge.start({ config })
  }, 90_000)
  afterAll(async () => {
    await edge?.[Symbol.asyncDispose]()
    rmSync(dir, { recursive: true, force: true })
  })

  test("its style sheets are files; login, add a user by form, search, delete, logout", async () => {
    const browser = new Browser(edge)
    const first = await browser.get("/admin/")
    expect([first.status, first.headers.get("location")]).toEqual([302, "/admin/login/?next=/admin/"])
    const login = await (await browser.get("/admin/login/?next=/admin/")).text()
    const css = /href="(\/static\/admin\/css\/base[^"]*\.css)"/.exec(login)![1]!
    const sheet = await browser.get(css)
    expect([sheet.status, sheet.headers.get("content-type")]).toEqual([200, expect.stringContaining("text/css")])

    const wrong = await browser.submit("/admin/login/?next=/admin/", { username: "ann", password: "wrong", next: "/admin/" })
    expect([wrong.status, await wrong.text()]).toEqual([200, expect.stringContaining("Please enter the correct")])
    const forged = await browser.post("/admin/login/", new URLSearchParams({ username: "ann", password: "secret-enough" }))
    expect(forged.status).toBe(403)
    const right = await browser.submit("/admin/login/?next=/admin/", { username: "ann", password: "secret-enough", next: "/admin/" })
    expect([right.status, right.headers.get("location")]).toEqual([302, "/admin/"])
    expect(await (await browser.get("/admin/")).text()).toContain("Site administration")

    const added = await browser.submit("/admin/auth/user/add/", { username: "żółw", password1: "a-long-phrase-4711", password2: "a-long-phrase-4711", usable_password: "true" })
    expect(added.status).toBe(302)
    const change = added.headers.get("location")!
    expect(change).toMatch(/^\/admin\/auth\/user\/\d+\/change\/$/)
    expect(await (await browser.get(change)).text()).toContain('value="żółw"')
    const found = await (await browser.get(`/admin/auth/user/?q=${encodeURIComponent("żół")}`)).text()
    expect(found).toContain("1 user")
    const deleted = await browser.submit(change.replace("change", "delete"), { post: "yes" })
    expect([deleted.status, deleted.headers.get("location")]).toEqual([302, "/admin/auth/user/"])
    expect(await (await browser.get("/admin/auth/user/")).text()).toContain("was deleted successfully")

    const token = /name="csrfmiddlewaretoken" value="([^"]+)"/.exec(await (await browser.get("/admin/password_change/")).text())![1]!
    await browser.post("/admin/logout/", new URLSearchParams({ csrfmiddlewaretoken: token }))
    expect((await browser.get("/admin/")).status).toBe(302)
    expect((await browser.get("/none")).status).toBe(404)
  }, 30_000)
})

/** The size of Flask's tutorial: a factory, a database, sessions, a login that is required, uploads and downloads. */
const blog = `
import functools, os, sqlite3
from flask import Flask, abort, flash, g, get_flashed_messages, redirect, request, send_from_directory, session, url_for
from werkzeug.security import check_password_hash, generate_password_hash
from werkzeug.utils import secure_filename

def create_app():
    app = Flask(__name__)
    app.config.update(SECRET_KEY="dev", DATABASE=os.path.join(app.root_path, "blog.sqlite"), UPLOADS=os.path.join(app.root_path, "files"), MAX_CONTENT_LENGTH=50_000_000)
    os.makedirs(app.config["UPLOADS"], exist_ok=True)
    with sqlite3.connect(app.config["DATABASE"]) as db:
        db.execute("create table if not exists user (id integer primary key, name text unique, password text)")
        db.execute("create table if not exists post (id integer primary key, author integer, title text, body text)")

    def db():
        if "db" not in g:
            g.db = sqlite3.connect(app.config["DATABASE"], timeout=30)
        return g.db

    @app.teardown_appcontext
    def close(_):
        if "db" in g:
            g.db.close()

    def login_required(view):
        @functools.wraps(view)
        def wrapped(**args):
            return view(**args) if "user" in session else redirect(url_for("login"))
        return wrapped

    @app.route("/")
    def index():
        rows = db().execute("select title, name from post join user on author = user.id order by post.id").fetchall()
        return {"posts": rows, "flashed": get_flashed_messages()}

    @app.route("/register", methods=["POST"])
    def register():
        try:
            with db() as d:
                d.execute("insert into user (name, password) values (?, ?)", (request.form["name"], generate_password_hash(request.form["password"], "pbkdf2:sha256:1000")))
        except sqlite3.IntegrityError:
            abort(409)
        return redirect(url_for("login"))

    @app.route("/login", methods=["GET", "POST"])
    def login():
        if request.method == "GET":
            return "log in"
        row = db().execute("select id, password from user where name = ?", (request.form["name"],)).fetchone()
        if row is None or not check_password_hash(row[1], request.form["password"]):
            abort(401)
        session.clear()
        session["user"] = row[0]
        flash("welcome")
        return redirect(url_for("index"))

    @app.route("/logout")
    def logout():
        session.clear()
        return redirect(url_for("index"))

    @app.route("/create", methods=["POST"])
    @login_required
    def create():
        with db() as d:
            d.execute("insert into post (author, title, body) values (?, ?, ?)", (session["user"], request.form["title"], request.form["body"]))
        return redirect(url_for("index"))

    @app.route("/upload", methods=["POST"])
    @login_required
    def upload():
        names = []
        for file in request.files.getlist("file"):
            names.append(secure_filename(file.filename))
            file.save(os.path.join(app.config["UPLOADS"], names[-1]))
        return {"names": names}

    @app.route("/files/<name>")
    def files(name):
        return send_from_directory(app.config["UPLOADS"], name)
    return app
`

describeWith(["flask"], "a Flask app of the tutorial's size", () => {
  test("register, login, posts, uploads and downloads, over several workers", async () => {
    const config = `${head}[[site.route]]\napp = "blog"\n[app.blog]\nruntime = "wsgi"\nentry = "blog:create_app()"\ndir = "app"\npython = "${python}"\nworkers = 3\n`
    await using edge = await Edge.start({ config, files: { "app/blog.py": blog } })
    const ann = new Browser(edge)
    const who = new URLSearchParams({ name: "ann", password: "x" })
    expect((await ann.post("/create", new URLSearchParams({ title: "a", body: "b" }))).headers.get("location")).toBe("/login")
    expect((await ann.post("/register", who)).status).toBe(302)
    expect((await ann.post("/register", who)).status).toBe(409)
    expect((await ann.post("/login", new URLSearchParams({ name: "ann", password: "y" }))).status).toBe(401)
    expect((await ann.post("/login", who)).headers.get("location")).toBe("/")
    expect(await (await ann.get("/")).json()).toEqual({ posts: [], flashed: ["welcome"] })
    for (let i = 0; i < 10; i++) expect((await ann.post("/create", new URLSearchParams({ title: `żółw ${i}`, body: "b" }))).status).toBe(302)
    const stranger = new Browser(edge)
    expect(((await (await stranger.get("/")).json()) as { posts: unknown[] }).posts).toHaveLength(10)

    const data = randomBytes(8_000_000)
    const form = new FormData()
    form.append("file", new File([data], "../../evil name.bin"))
    form.append("file", new File(["small"], "b.txt"))
    expect(await (await ann.post("/upload", form)).json()).toEqual({ names: ["evil_name.bin", "b.txt"] })
    const back = await stranger.get("/files/evil_name.bin")
    const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")
    expect(hash(await back.bytes())).toBe(hash(data))
    const part = await fetch(edge.url("/files/evil_name.bin"), { headers: { Range: "bytes=10-19" } })
    expect([part.status, Buffer.from(await part.bytes()).equals(data.subarray(10, 20))]).toEqual([206, true])
    const same = await fetch(edge.url("/files/b.txt"), { headers: { "If-None-Match": (await stranger.get("/files/b.txt")).headers.get("etag")! } })
    expect(same.status).toBe(304)
    const large = new FormData()
    large.append("file", new File([new Uint8Array(51_000_000)], "c"))
    expect((await ann.post("/upload", large)).status).toBe(413)
    await ann.get("/logout")
    expect((await ann.post("/create", new URLSearchParams({ title: "a", body: "b" }))).headers.get("location")).toBe("/login")
  }, 30_000)
})

/** Tornado's chat demo: every message goes to everybody. */
const chat = `
import os, asyncio
import tornado.web, tornado.websocket, tornado.httpserver, tornado.netutil

class Main(tornado.web.RequestHandler):
    def get(self):
        self.write("chat of %s, you are %s over %s" % (os.getpid(), self.request.remote_ip, self.request.protocol))

class Chat(tornado.websocket.WebSocketHandler):
    waiters = set()
    def open(self):
        Chat.waiters.add(self)
    def on_close(self):
        Chat.waiters.discard(self)
    def on_message(self, message):
        for waiter in Chat.waiters:
            waiter.write_message(message)

async def main():
    app = tornado.web.Application([("/", Main), ("/chat", Chat)])
    server = tornado.httpserver.HTTPServer(app, xheaders=True)
    server.add_socket(tornado.netutil.bind_unix_socket(os.environ["SOCKET"]))
    await asyncio.Event().wait()

asyncio.run(main())
`

describeWith(["tornado"], "a Tornado chat", () => {
  test("pages and WebSockets through runtime http; a roll lets the chat go on", async () => {
    const config = `${head}[[site.route]]\napp = "chat"\n[app.chat]\nruntime = "http"\ncommand = ["${python}", "chat.py"]\n`
    await using edge = await Edge.start({ config, files: { "chat.py": chat } })
    const before = await edge.get("/", { headers: { "X-Forwarded-For": "192.0.2.9" } })
    expect(before).toMatch(/^chat of \d+, you are 127\.0\.0\.1 over http$/)
    const join = async () => {
      const ws = new WebSocket(`ws://127.0.0.1:${edge.port()}/chat`)
      const heard: string[] = []
      let wake = () => {}
      ws.onmessage = event => {
        heard.push(event.data as string)
        wake()
      }
      await new Promise((resolve, reject) => ([ws.onopen, ws.onerror] = [resolve, reject]))
      return {
        ws,
        async hears(text: string): Promise<void> {
          while (!heard.includes(text)) await new Promise<void>(resolve => (wake = resolve))
        },
      }
    }
    const members = await Promise.all([join(), join(), join()])
    members[0].ws.send("hello żółw")
    await Promise.all(members.map(member => member.hears("hello żółw")))
    expect((await edge.command("reload", "--apps")).code).toBe(0)
    expect(await edge.get("/")).not.toBe(before)
    const long = "x".repeat(300_000)
    members[1].ws.send(long)
    await Promise.all(members.map(member => member.hears(long)))
    for (const { ws } of members) ws.close()
  }, 20_000)
})
