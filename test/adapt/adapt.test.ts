import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Edge, edgeArgv } from "../kit/edge.ts"
import { describeWith } from "../kit/needs.ts"
import { RawClient } from "../proxy/raw-client.ts"

let folder: string
let argv: string[]
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "edge-adapt-"))
  argv = await edgeArgv()
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function edge(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const child = Bun.spawn([...argv, ...args], { cwd: folder, stdout: "pipe", stderr: "pipe" })
  const [code, out, err] = await Promise.all([child.exited, new Response(child.stdout).text(), new Response(child.stderr).text()])
  return { code, out, err }
}

/** The site.toml as data, and what was said; it must be a good config. */
async function adapt(name: string, text: string): Promise<{ toml: Record<string, never>; err: string; text: string }> {
  writeFileSync(join(folder, name), text)
  const { code, out, err } = await edge("adapt", name)
  expect([code, code === 0 ? "" : err]).toEqual([0, ""])
  writeFileSync(join(folder, "site.toml"), out)
  const check = await edge("check")
  // The files of the app are on another machine; nothing else may be wrong.
  const wrong = check.err.split("\n").filter(line => line.startsWith("site.toml:") && !/: (?:there is no|cannot find) /.test(line))
  expect([out, wrong]).toEqual([out, []])
  if (!check.err.includes("site.toml:")) expect([out, check.code, check.err]).toEqual([out, 0, check.err])
  return { toml: Bun.TOML.parse(out) as Record<string, never>, err, text: out }
}

describe("gunicorn.conf.py", () => {
  test("what has a counterpart is carried over, by value, from expressions too", async () => {
    const { toml, err } = await adapt(
      "gunicorn.conf.py",
      `
import multiprocessing, os
_port = os.environ.get("PORT", "8000")
bind = ["0.0.0.0:" + _port, "unix:/tmp/x.sock", ":81"]
workers = multiprocessing.cpu_count() * 0 + 3
worker_class = "gthread"
threads = int(os.getenv("THREADS", 4))
timeout = 2 * 60
graceful_timeout = 20
keepalive = 5
max_requests, ignored = 1, 2
max_requests = 1000
max_requests_jitter = 50
preload_app = not False
accesslog = "-"
loglevel = "warning"
wsgi_app = "shop.wsgi:application"
chdir = os.path.join("/srv", "shop")
raw_env = ["A=1", f"B={_port}x"]
pythonpath = "/a,/b"
limit_request_fields = 50
limit_request_field_size = 30000
forwarded_allow_ips = "127.0.0.1,10.0.0.0/8" if True else "*"
pidfile = "/tmp/x.pid"
`,
    )
    expect(toml).toEqual({
      server: { pid_file: "/tmp/x.pid", trusted_proxies: ["127.0.0.1", "10.0.0.0/8", "unix"], grace: "20s", limits: { idle_timeout: "5s", head_fields: 50, head: "30kb" } },
      log: { level: "warn", access: { path: "-", format: "combined" } },
      site: [{ listen: ["0.0.0.0:${PORT:-8000}", "unix:/tmp/x.sock", "0.0.0.0:81"], route: [{ app: "shop" }] }],
      app: {
        shop: {
          runtime: "wsgi", entry: "shop.wsgi:application", dir: "/srv/shop", workers: 3, threads: "${THREADS:-4}", max_requests: 1000,
          max_requests_jitter: 50, timeout: "120s", preload: true, env: { A: "1", B: "${PORT:-8000}x", PYTHONPATH: "/a:/b" },
        },
      },
    } as never)
    expect(err).toBe("max_requests, ignored = (1, 2) (line 11): code of the config file is not run\n")
  })

  test("what has none is named, with its line; nothing of the file runs", async () => {
    const { err, text } = await adapt(
      "other.py",
      `
open("ran", "w").write("x")
import os; os.system("touch ran")
worker_class = "gevent"
statsd_host = "localhost:8125"
umask = __import__("os").system("touch ran")
logger_class = make()
def post_fork(server, worker): open("ran", "w")
def helper(): pass
class X: open("ran", "w")
workers = [open("ran", "w") for _ in range(3)]
timeout = 9 ** 9 ** 9
proc_name = "a" * 10 ** 12
not_a_setting = object()
`,
    )
    for (const line of ["open('ran', 'w').write('x') (line 2)", "os.system('touch ran') (line 3)", "worker_class: gevent", "statsd_host (line 5)", "umask (line 6)", "logger_class (line 7)", "post_fork() (line 8)", "workers (line 11)", "timeout (line 12)"]) {
      expect(err).toContain(line)
      expect(text).toContain(`#   ${line}`)
    }
    expect(err).not.toContain("helper")
    expect(err).not.toContain("not_a_setting")
    expect(await Bun.file(join(folder, "ran")).exists()).toBe(false)
  })

  test("ASGI workers, certificates, a missing application, bad Python", async () => {
    const { toml } = await adapt("asgi.py", `worker_class = "uvicorn.workers.UvicornWorker"\nwsgi_app = "main:app"\nworker_connections = 500\nproc_name = "api"\n`)
    expect(toml).toMatchObject({ app: { api: { runtime: "asgi", entry: "main:app", concurrency: 500 } } })
    const empty = await adapt("empty.py", "")
    expect(empty.err).toContain("wsgi_app: the application stands on Gunicorn's command line")
    expect(empty.toml).toMatchObject({ site: [{ listen: ["127.0.0.1:8000"] }], log: { access: { format: "off" } } })
    writeFileSync(join(folder, "bad.py"), "bind = [\n")
    const bad = await edge("adapt", "bad.py")
    expect([bad.code, bad.err]).toEqual([1, expect.stringMatching(/bad\.py:1: /)])
  })
})

describe("who is believed about the client", () => {
  const loopback = ["127.0.0.1/32", "::1/128"]
  test.each<[string, string, unknown, string[]]>([
    ["nothing said", "", { trusted: loopback }, []],
    ["a unix socket", `bind = "unix:/tmp/x.sock"`, { trusted: [...loopback, "unix"] }, []],
    ["nobody", `forwarded_allow_ips = ""`, { trusted: [] }, []],
    ["everybody", `forwarded_allow_ips = "*"`, { trusted: ["0.0.0.0/0", "::/0"] }, []],
    ["a variable", `import os\nforwarded_allow_ips = os.environ.get("WHO", "10.0.0.1,10.0.0.2")`, { trusted: ["10.0.0.1", "10.0.0.2"] }, ["forwarded_allow_ips: a variable cannot hold a list"]],
    ["the PROXY protocol", `proxy_protocol = True`, { trusted: loopback, proxied: true }, ["proxy_protocol: peers in trusted_proxies must"]],
    ["a version of it", `proxy_protocol = "v2"`, { trusted: loopback, proxied: true }, ["proxy_protocol: peers"]],
    ["none of it", `proxy_protocol = "off"\nproxy_allow_ips = "10.0.0.9"`, { trusted: loopback }, ["proxy_allow_ips: not needed"]],
    ["from others", `proxy_protocol = True\nproxy_allow_ips = "10.0.0.9"`, { trusted: [...loopback, "10.0.0.9"], proxied: true }, ["proxy_allow_ips: it is not forwarded_allow_ips"]],
  ])("%s", async (_, text, wanted, notes) => {
    const { toml, err } = await adapt("trust.py", `wsgi_app = "a:b"\n${text}\n`)
    const { server, site } = toml as unknown as { server: { trusted_proxies: string[] }; site: [{ proxy_protocol?: boolean }] }
    expect({ trusted: server.trusted_proxies, ...(site[0].proxy_protocol === true && { proxied: true }) }).toEqual(wanted as never)
    for (const note of notes) expect(err).toContain(note)
  })

  test("what is other by default is named in the config", async () => {
    const { text, toml } = await adapt("defaults.py", `wsgi_app = "a:b"\n`)
    expect(toml).toMatchObject({ app: { a: { workers: "${WEB_CONCURRENCY:-1}" } } })
    for (const word of ["$PORT", "FORWARDED_ALLOW_IPS", "100 MB", "REMOTE_ADDR", "X-Forwarded-Ssl", "75 s"]) expect(text.slice(text.indexOf("# Other by default:"))).toContain(word)
  })

  test("an app that redirects to https does not go round behind a proxy on this machine; a balancer's PROXY header is read", async () => {
    const app = `
def application(environ, start_response):
    if environ["wsgi.url_scheme"] != "https":
        start_response("301 Moved", [("Location", "https://a/")])
        return [b""]
    start_response("200 OK", [])
    return [environ["REMOTE_ADDR"].encode()]
`
    const made = async (text: string) => {
      writeFileSync(join(folder, "loop.py"), `bind = "127.0.0.1:0"\nwsgi_app = "secure:application"\n${text}`)
      return (await edge("adapt", "loop.py")).out
    }
    await using served = await Edge.start({ config: await made(""), files: { "secure.py": app } })
    const answer = await fetch(served.url("/"), { headers: { "x-forwarded-proto": "https", "x-forwarded-for": "192.0.2.7" }, redirect: "manual" })
    expect([answer.status, await answer.text()]).toEqual([200, "192.0.2.7"])
    await using behind = await Edge.start({ config: await made("proxy_protocol = True\n"), files: { "secure.py": app } })
    const text = await RawClient.ask(behind.port(), "PROXY TCP4 192.0.2.8 192.0.2.1 5000 443\r\nGET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n")
    // The header was read, and the client that it names says nothing about the scheme.
    expect(text).toMatch(/^HTTP\/1\.1 301 /)
  }, 60_000)
})

describe("uwsgi.ini", () => {
  test("what has a counterpart is carried over, placeholders filled in", async () => {
    const { toml, err } = await adapt(
      "uwsgi.ini",
      `[uwsgi]
; a comment
base = /srv/shop
chdir = %(base)
wsgi-file = %(base)/shop/wsgi.py
virtualenv = %(base)/venv
http = :8080
processes = 8
cheaper = 2
threads = 2
harakiri = 30
max-requests = 5000
max-requests-delta = 100
reload-on-rss = 512
max-worker-lifetime = 3600
env = KEY=$(HOME)
env = A=b=c
pythonpath = /x
static-map = /static=/srv/shop/static
buffer-size = 32768
limit-post = 1048576
limit-as = 4096
prio = 5
attach-daemon = celery -A shop worker
attach-daemon = sh -c "echo 'a' | cat"
cron = -5 -1 -1 -1 1 python manage.py clear
logto = /tmp/%n.log
lazy-apps = true
vacuum = false
`,
    )
    expect(toml).toEqual({
      server: { limits: { head: "32kb", body: "1048576b" } },
      site: [{ listen: ["0.0.0.0:8080"], route: [{ path: "/static/*", static: { root: "/srv/shop/static" } }, { app: "shop" }] }],
      app: {
        shop: {
          runtime: "wsgi", dir: "/srv/shop", python: "/srv/shop/venv/bin/python", threads: 2, timeout: "30s", max_requests: 5000,
          max_requests_jitter: 100, max_memory: "512mb", lifetime: "3600s", rlimits: { as: "4096mb" }, nice: 5, log: "/tmp/uwsgi.log",
          entry: "shop.wsgi:application", workers: { min: 2, max: 8 }, env: { KEY: "${HOME}", A: "b=c", PYTHONPATH: "/x" },
          daemons: { celery: { command: ["celery", "-A", "shop", "worker"] }, sh: { command: ["sh", "-c", `sh -c "echo 'a' | cat"`] } },
          cron: [{ at: "*/5 * * * 1", command: ["python", "manage.py", "clear"] }],
        },
      },
    } as never)
    expect(err).toBe("")
  })

  test("mounts are apps below their prefixes; a socket and the rest are named", async () => {
    const { toml, err } = await adapt(
      "mounts.ini",
      `[uwsgi]
socket = 127.0.0.1:3031
mount = /shop=shop.wsgi:application
mount = /=blog.py
manage-script-name = true
emperor = /etc/vassals
gevent = 100
no-such-thing = 1
ini = :more
[more]
processes = 4
`,
    )
    expect(toml).toMatchObject({
      site: [{ listen: ["127.0.0.1:3031"], route: [{ path: "/shop/*", strip: "/shop", app: "shop" }, { app: "blog" }] }],
      app: { shop: { entry: "shop.wsgi:application", workers: 4, preload: true }, blog: { entry: "blog", workers: 4 } },
    } as never)
    for (const line of ["socket (line 2): edge speaks HTTP there", "emperor (line 6)", "gevent (line 7)", "no-such-thing (line 8)"]) expect(err).toContain(line)
  })
})

test("a file that is neither; --to writes, and overwrites nothing", async () => {
  writeFileSync(join(folder, "x.conf"), "hello\n")
  expect(await edge("adapt", "x.conf")).toMatchObject({ code: 1, err: expect.stringContaining("gunicorn (gunicorn.conf.py)") })
  expect(await edge("adapt", "none.py")).toMatchObject({ code: 1, err: expect.stringContaining("there is no file none.py") })
  writeFileSync(join(folder, "g.py"), 'wsgi_app = "a:b"\n')
  expect(await edge("adapt", "g.py", "--to", "made.toml")).toMatchObject({ code: 0, out: "" })
  expect(readFileSync(join(folder, "made.toml"), "utf8")).toContain('entry = "a:b"')
  expect(await edge("adapt", "g.py", "--to", "made.toml")).toMatchObject({ code: 1, err: expect.stringContaining("is there already") })
})

describeWith(["gunicorn", "flask"], "the same app by both", () => {
  test.each(["", `forwarded_allow_ips = "*"`, `forwarded_allow_ips = "10.0.0.1"`, `forwarded_allow_ips = "10.0.0.1,127.0.0.1"`])("the scheme that the app sees: %s", async text => {
    const app = `def application(environ, start_response):\n    start_response("200 OK", [])\n    return [environ["wsgi.url_scheme"].encode()]\n`
    writeFileSync(join(folder, "scheme.py"), app)
    writeFileSync(join(folder, "both.py"), `bind = "127.0.0.1:0"\nwsgi_app = "scheme:application"\n${text}\n`)
    const gunicorn = Bun.spawn(["/usr/bin/gunicorn", "-c", "both.py"], { cwd: folder, stdout: "ignore", stderr: "pipe" })
    try {
      let said = ""
      let port: string | undefined
      for await (const chunk of gunicorn.stderr) {
        said += Buffer.from(chunk).toString()
        port = /Listening at: http:\/\/127\.0\.0\.1:(\d+)/.exec(said)?.[1]
        if (port !== undefined) break
      }
      const { out } = await edge("adapt", "both.py")
      await using served = await Edge.start({ config: out, files: { "scheme.py": app } })
      for (const headers of [{}, { "x-forwarded-proto": "https" }, { "x-forwarded-proto": "http" }] as Record<string, string>[]) {
        const asked = async (url: string) => await (await fetch(url, { headers, keepalive: false })).text()
        expect(await asked(served.url("/"))).toBe(await asked(`http://127.0.0.1:${port}/`))
      }
    } finally {
      gunicorn.kill()
      await gunicorn.exited
    }
  }, 30_000)

  test("an adapted config serves", async () => {
    const app = `import os\nfrom flask import Flask\napplication = Flask(__name__)\n@application.route("/")\ndef index():\n    return "hello " + os.environ["WHO"]\n`
    writeFileSync(join(folder, "run.py"), `bind = "127.0.0.1:0"\nwsgi_app = "hello"\nworkers = 2\npreload_app = True\nraw_env = ["WHO=you"]\n`)
    const { out } = await edge("adapt", "run.py")
    await using served = await Edge.start({ config: `${out.replace('entry = "hello"', 'entry = "hello"\npython = "/usr/bin/python3"')}`, files: { "hello.py": app } })
    expect(await served.get("/")).toBe("hello you")
  }, 20_000)
})

test("docs/from-gunicorn.md has a row for every setting of the Gunicorn of this machine, docs/from-uwsgi.md for every rule", () => {
  const docs = (name: string) => readFileSync(join(import.meta.dir, "../../docs", name), "utf8")
  const known = Bun.spawnSync(["/usr/bin/python3", "-c", "import gunicorn.config as c; print('\\n'.join(s.name for s in c.KNOWN_SETTINGS))"])
  const gunicorn = docs("from-gunicorn.md")
  const settings = known.stdout.toString().trim().split("\n")
  expect(settings.filter(name => name !== "config" && !gunicorn.includes(`\`${name}\``))).toEqual([])
  const rules = [...readFileSync(join(import.meta.dir, "../../src/adapt/uwsgi.ts"), "utf8").matchAll(/^ {2}"?([a-z0-9-]+)"?: (?:key|server|rlimit|listen|\(|made =>)/gm)].map(match => match[1]!)
  const uwsgi = docs("from-uwsgi.md")
  expect(rules.length).toBeGreaterThan(30)
  expect(rules.filter(name => !uwsgi.includes(`\`${name}\``))).toEqual([])
})
