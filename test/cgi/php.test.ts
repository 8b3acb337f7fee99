/** PHP-FPM, started by edge or by somebody else, through the executable. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { createHash, randomBytes } from "node:crypto"
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Edge, until } from "../kit/edge.ts"
import { describeWith, found } from "../kit/needs.ts"

const scripts = {
  "www/index.php": `<?php echo json_encode(["script" => "index", "uri" => $_SERVER["REQUEST_URI"], "server" => $_SERVER, "get" => $_GET, "cookie" => $_COOKIE]);`,
  "www/echo.php": `<?php header("X-Method: " . $_SERVER["REQUEST_METHOD"]); echo file_get_contents("php://input");`,
  "www/form.php": `<?php echo json_encode([$_POST, array_map(fn($f) => [$f["name"], $f["size"], hash_file("sha256", $f["tmp_name"])], $_FILES)]);`,
  "www/hash.php": `<?php $in = fopen("php://input", "r"); $h = hash_init("sha256"); $n = hash_update_stream($h, $in); echo json_encode([$n, hash_final($h)]);`,
  "www/stream.php": `<?php while (ob_get_level()) ob_end_flush(); header("X-Accel-Buffering: no"); echo "first\\n"; flush(); while (!file_exists($_GET["gate"])) { usleep(5000); clearstatcache(); } echo "last\\n";`,
  "www/large.php": `<?php for ($i = 0; $i < 200; $i++) echo str_repeat("x", 100000);`,
  "www/status.php": `<?php http_response_code(418); header("X-Two: 1"); header("X-Two: 2", false); setcookie("a", "1"); setcookie("b", "2"); echo "tea";`,
  "www/moved.php": `<?php header("Location: /elsewhere");`,
  "www/nothing.php": `<?php http_response_code(204);`,
  "www/error.php": `<?php error_log("written by error_log"); trigger_error("a warning", E_USER_WARNING); echo "still there";`,
  "www/fatal.php": `<?php no_such_function();`,
  "www/dies.php": `<?php exec("kill -9 " . getmypid());`,
  "www/ini.php": `<?php ini_set("memory_limit", "1G"); echo ini_get("memory_limit"), " ", getenv("GREETING");`,
  "www/pid.php": `<?php echo getmypid();`,
  "www/sleep.php": `<?php usleep(600000); echo getmypid();`,
  "www/hang.php": `<?php while (true) usleep(1000);`,
  "www/late.php": `<?php echo "answered"; fastcgi_finish_request(); touch($_GET["file"]);`,
  "www/sub/index.php": `<?php echo json_encode(["script" => "sub", "name" => $_SERVER["SCRIPT_NAME"], "info" => $_SERVER["PATH_INFO"] ?? null]);`,
  "www/picture.jpg": `<?php echo "uploaded code ran";`,
  "www/.hidden/secret.php": `<?php echo "hidden code ran";`,
  "outside.php": `<?php echo "code outside ran";`,
}
const route = `
[server]
fronts = 2
trusted_proxies = ["127.0.0.1/32"]
[log]
access = { format = "off" }
[[site]]
listen = ["127.0.0.1:0"]
[[site.route]]
path = "/mounted/*"
strip = "/mounted"
app = "php"
[[site.route]]
app = "php"
`
const app = `
[app.php]
runtime = "fastcgi"
root = "www"
concurrency = 4
${process.getuid!() === 0 ? 'user = "www-data"' : ""}
ini = { memory_limit = "64M", display_errors = "0", log_errors = "1", upload_max_filesize = "100M", post_max_size = "100M" }
env = { GREETING = "hello" }
timeout = "3s"
`
const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")

describeWith(["php-fpm"], "PHP-FPM of edge's own", () => {
  let edge: Edge
  beforeAll(async () => {
    edge = await Edge.start({
      config: route + app,
      files: scripts,
      prepare: dir => {
        symlinkSync("../outside.php", join(dir, "www/link.php"))
        symlinkSync("echo.php", join(dir, "www/inside.php"))
      },
    })
  }, 60_000)
  afterAll(() => edge?.[Symbol.asyncDispose]())
  const json = async (path: string, init: RequestInit = {}) => JSON.parse(await edge.get(path, init)) as unknown

  test("the variables of a request", async () => {
    const { server, get, cookie } = (await json("/index.php/a%20b/c?x=1&y=%C5%BC", {
      headers: { Cookie: "k=v; l=w", "X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https", Proxy: "http://evil/", "X-A": "1" },
    })) as { server: Record<string, string>; get: unknown; cookie: unknown }
    expect(server).toMatchObject({
      REQUEST_METHOD: "GET",
      REQUEST_URI: "/index.php/a%20b/c?x=1&y=%C5%BC",
      SCRIPT_NAME: "/index.php",
      PATH_INFO: "/a b/c",
      PHP_SELF: "/index.php/a b/c",
      DOCUMENT_URI: "/index.php/a b/c",
      DOCUMENT_ROOT: join(edge.dir, "www"),
      SCRIPT_FILENAME: join(edge.dir, "www/index.php"),
      QUERY_STRING: "x=1&y=%C5%BC",
      SERVER_PROTOCOL: "HTTP/1.1",
      SERVER_NAME: "127.0.0.1",
      SERVER_PORT: String(edge.port()),
      REMOTE_ADDR: "192.0.2.7",
      REQUEST_SCHEME: "https",
      HTTPS: "on",
      GATEWAY_INTERFACE: "CGI/1.1",
      HTTP_X_A: "1",
    })
    expect(server).not.toHaveProperty("HTTP_PROXY")
    expect([get, cookie]).toEqual([{ x: "1", y: "ż" }, { k: "v", l: "w" }])
  })

  test("which script answers", async () => {
    expect(await json("/sub/")).toEqual({ script: "sub", name: "/sub/index.php", info: "" })
    expect(await json("/sub/index.php/x")).toEqual({ script: "sub", name: "/sub/index.php", info: "/x" })
    expect(await json("/mounted/sub/")).toEqual({ script: "sub", name: "/mounted/sub/index.php", info: "" })
    for (const path of ["/", "/posts/2", "/none.php", "/none.php/x"]) expect(await json(path)).toMatchObject({ script: "index", uri: path })
    expect(await edge.get("/inside.php", { method: "POST", body: "x" })).toBe("x")
  })

  test("what is no script of the folder is never run", async () => {
    for (const path of [
      "/picture.jpg", "/picture.jpg/x.php", "/picture.jpg%00.php", "/.hidden/secret.php", "/link.php", "/../outside.php",
      "/%2e%2e/outside.php", "/..%2foutside.php", "/www/../../outside.php", "/sub/..%5c..%5coutside.php", "/INDEX.PHP", "/echo.php.", "/echo.php%20",
    ]) {
      const text = await edge.get(path)
      expect([path, text]).toEqual([path, expect.not.stringContaining(" ran")])
    }
  })

  test("statuses, repeated headers, redirects, HEAD", async () => {
    const tea = await fetch(edge.url("/status.php"))
    expect([tea.status, tea.headers.get("x-two"), tea.headers.getSetCookie(), await tea.text()]).toEqual([418, "1, 2", ["a=1", "b=2"], "tea"])
    const moved = await fetch(edge.url("/moved.php"), { redirect: "manual" })
    expect([moved.status, moved.headers.get("location")]).toEqual([302, "/elsewhere"])
    expect((await fetch(edge.url("/nothing.php"))).status).toBe(204)
    const head = await fetch(edge.url("/large.php"), { method: "HEAD" })
    expect([head.status, await head.text()]).toEqual([200, ""])
  })

  test("bodies: forms, files, 20 MB, chunked without a length, none", async () => {
    const form = new FormData()
    const file = randomBytes(300_000)
    form.set("name", "żółw")
    form.set("file", new File([file], "a.bin"))
    expect(await json("/form.php", { method: "POST", body: form })).toEqual([{ name: "żółw" }, { file: ["a.bin", 300_000, hash(file)] }])
    const body = randomBytes(20_000_000)
    expect(await json("/hash.php", { method: "POST", body })).toEqual([body.length, hash(body)])
    for (const size of [10, 3_000_000]) {
      const part = randomBytes(size)
      const stream = new ReadableStream({
        start(c) {
          for (let at = 0; at < size; at += 50_000) c.enqueue(part.subarray(at, at + 50_000))
          c.close()
        },
      })
      expect(await json("/hash.php", { method: "POST", body: stream })).toEqual([size, hash(part)])
    }
    expect(await edge.get("/echo.php", { method: "PUT", body: "" })).toBe("")
    expect((await fetch(edge.url("/echo.php"), { method: "DELETE" })).headers.get("x-method")).toBe("DELETE")
  }, 20_000)

  test("an answer leaves as it is made; 20 MB of it", async () => {
    const gate = join(edge.dir, "gate")
    const { body } = await fetch(edge.url(`/stream.php?gate=${gate}`))
    const reader = body!.getReader()
    expect(Buffer.from((await reader.read()).value!).toString()).toBe("first\n")
    writeFileSync(gate, "")
    expect(Buffer.from((await reader.read()).value!).toString()).toBe("last\n")
    expect((await edge.get("/large.php")).length).toBe(20_000_000)
  })

  test("errors: in the log with the app's name; the client sees 500", async () => {
    expect(await edge.get("/error.php")).toBe("still there")
    await edge.heard(/WARN.*written by error_log.*app=php/)
    await edge.heard(/a warning in .*error\.php/)
    expect((await fetch(edge.url("/fatal.php"))).status).toBe(500)
    await edge.heard(/undefined function no_such_function/)
    const died = await fetch(edge.url("/dies.php"), { method: "POST" })
    expect(died.status).toBe(502)
    expect(await edge.get("/pid.php")).toMatch(/^\d+$/)
  })

  test("settings and environment", async () => {
    expect(await edge.get("/ini.php")).toBe("64M hello")
  })

  test("four at once and no more: the fifth waits for a free process", async () => {
    const pids = await Promise.all(Array.from({ length: 6 }, () => edge.get("/sleep.php")))
    expect(new Set(pids).size).toBeLessThanOrEqual(4)
    expect(pids.every(pid => /^\d+$/.test(pid))).toBe(true)
  })

  test("work after the answer; past the deadline 504, and the script is ended", async () => {
    const file = join(edge.dir, "late/done")
    mkdirSync(join(edge.dir, "late"))
    chmodSync(join(edge.dir, "late"), 0o777)
    expect(await edge.get(`/late.php?file=${file}`)).toBe("answered")
    await until(() => Bun.file(file).exists())
    expect((await fetch(edge.url("/hang.php"))).status).toBe(504)
    await edge.heard(/terminating|execution timed out/)
    expect(await edge.get("/pid.php")).toMatch(/^\d+$/)
  }, 20_000)
})

describeWith(["php-fpm"], "PHP-FPM of somebody else", () => {
test("a PHP-FPM that runs already, with kept connections; gone, it is 502; back, it is found", async () => {
  const config = (dir: string) => `[global]\nerror_log = ${dir}/fpm.log\ndaemonize = no\n[www]\nlisten = ${dir}/fpm.sock\npm = static\npm.max_children = 4\n`
  let fpm: Bun.Subprocess | undefined
  const start = (dir: string) => {
    writeFileSync(join(dir, "fpm.conf"), config(dir))
    const root = process.getuid!() === 0 ? ["-R"] : []
    const user = root.length > 0 ? "user = root\ngroup = root\n" : ""
    writeFileSync(join(dir, "fpm.conf"), config(dir) + user)
    fpm = Bun.spawn([found("php-fpm")!, "-F", ...root, "-y", join(dir, "fpm.conf")], { stdio: ["ignore", "ignore", "ignore"] })
  }
  const app = `[app.php]\nruntime = "fastcgi"\nto = "unix:fpm.sock"\nroot = "www"\nconcurrency = 4\nkeep = 1\nfallback = false\n`
  try {
    await using edge = await Edge.start({ config: route + app, files: scripts, prepare: start })
    const pids = new Set<string>()
    for (let i = 0; i < 20; i++) pids.add(await edge.get("/pid.php"))
    // A kept connection is answered by the same process each time.
    expect(pids.size).toBeLessThanOrEqual(2)
    expect((await fetch(edge.url("/none"))).status).toBe(404)
    const body = randomBytes(1_000_000)
    for (let i = 0; i < 3; i++) expect(JSON.parse(await edge.get("/hash.php", { method: "POST", body }))).toEqual([body.length, hash(body)])
    expect((await edge.status()).apps[0]!.workers).toMatchObject([{ pid: 0, state: "ready" }])
    // Killed hard, its processes would go on without it.
    fpm!.kill("SIGTERM")
    await fpm!.exited
    await until(async () => (await fetch(edge.url("/pid.php"))).status >= 502)
    start(edge.dir)
    await until(async () => (await fetch(edge.url("/pid.php"))).status === 200)
  } finally {
    fpm?.kill("SIGTERM")
    await fpm?.exited
  }
}, 30_000)
})
