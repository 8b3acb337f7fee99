/** A real nginx behind the proxy, over TCP and over a unix socket. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { serveProxy, type Served } from "./serve.ts"

const dir = mkdtempSync(join(tmpdir(), "edge-proxy-nginx-"))
const big = Buffer.alloc(5_000_000, "0123456789abcdef")
let port = 0
let nginx: Bun.Subprocess
const served: Served[] = []

beforeAll(async () => {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  port = probe.port
  probe.stop(true)
  mkdirSync(join(dir, "www/sub"), { recursive: true })
  writeFileSync(join(dir, "www/big.bin"), big)
  writeFileSync(join(dir, "www/a.txt"), "hello from a file\n".repeat(200))
  const temps = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(name => `${name}_temp_path ${dir}/${name};`).join(" ")
  writeFileSync(
    join(dir, "nginx.conf"),
    `${process.getuid?.() === 0 ? "user root;" : ""} worker_processes 1; daemon off; pid ${dir}/pid; error_log ${dir}/error.log;
     events { worker_connections 256; }
     http { access_log off; ${temps} types { text/plain txt; application/octet-stream bin; } gzip on; gzip_types text/plain; gzip_proxied any; client_max_body_size 0;
       server { listen 127.0.0.1:${port}; listen unix:${dir}/n.sock; root ${dir}/www;
         location /echo { proxy_pass http://unix:${dir}/n.sock:/show; }
         location /show { return 200 "$request_method $content_length [$http_x_forwarded_for] $http_host"; }
         location /no { return 444; } } }`,
  )
  nginx = Bun.spawn(["nginx", "-c", join(dir, "nginx.conf")], { stdout: "ignore", stderr: "inherit" })
  for (;;) {
    const up = await fetch(`http://127.0.0.1:${port}/a.txt`).catch(() => null)
    if (up?.ok === true) break
    await Bun.sleep(20)
  }
  served.push(await serveProxy(`http://127.0.0.1:${port}`), await serveProxy({ to: "unix:n.sock" }, { dir }))
})
afterAll(async () => {
  for (const one of served) await one.stop()
  nginx.kill()
  await nginx.exited
  rmSync(dir, { recursive: true })
})

describe.each([0, 1])("over TCP (0) and a unix socket (1): %d", n => {
  const url = (path: string) => served[n]!.url + path
  test("file, range, validators, HEAD, compression, missing, redirect", async () => {
    const whole = await fetch(url("/big.bin"))
    expect(whole.headers.get("content-length")).toBe(String(big.length))
    expect(Buffer.compare(Buffer.from(await whole.arrayBuffer()), big)).toBe(0)
    const part = await fetch(url("/big.bin"), { headers: { Range: "bytes=10-19" } })
    expect([part.status, part.headers.get("content-range"), await part.text()]).toEqual([206, `bytes 10-19/${big.length}`, "abcdef0123"])
    const again = await fetch(url("/big.bin"), { headers: { "If-None-Match": whole.headers.get("etag")! } })
    expect([again.status, await again.text()]).toEqual([304, ""])
    const head = await fetch(url("/big.bin"), { method: "HEAD" })
    expect([head.status, head.headers.get("content-length")]).toEqual([200, String(big.length)])
    const text = await fetch(url("/a.txt"), { headers: { "Accept-Encoding": "gzip" } })
    expect([text.headers.get("content-encoding"), (await text.text()).length]).toEqual(["gzip", 3600])
    expect((await fetch(url("/absent"))).status).toBe(404)
    const moved = await fetch(url("/sub"), { redirect: "manual" })
    expect(moved.status).toBe(301)
  })
  test("a body on its way, and what nginx sees", async () => {
    const answer = await fetch(url("/echo"), { method: "POST", body: big })
    const text = await answer.text()
    expect(text).toStartWith(`POST ${big.length} [127.0.0.1`)
  })
  test("one that hangs up without an answer", async () => {
    expect((await fetch(url("/no"))).status).toBe(502)
  })
  test("a hundred at once, again and again", async () => {
    for (let round = 0; round < 5; round++) {
      const sizes = await Promise.all(Array.from({ length: 100 }, async () => (await (await fetch(url("/a.txt"))).text()).length))
      expect(new Set(sizes)).toEqual(new Set([3600]))
    }
  })
})
