/**
 * Files, compression and the proxy through the executable (sites, routes and all) against nginx, Caddy and HAProxy from
 * Debian: one core for each server, the client and the upstream on the other, in turns, access logs off for all.
 *   bun bench/web.ts [--work file,big,compress,proxy,upload,idle] [--rounds 5] [--seconds 2] [--edge dist/edge]
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { brotliCompressSync, gzipSync } from "node:zlib"
import { holdIdle } from "./kit/idle.ts"
import { compare, type Subject } from "./kit/load.ts"
import { compareUploads } from "./kit/upload.ts"
import { nginxConfig } from "./kit/nginx.ts"
import { answers, benchFolder, clientCore, freePort, Processes } from "./kit/processes.ts"

const { values: options } = parseArgs({
  options: {
    work: { type: "string", default: "file,big,compress,proxy,upload,idle" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "2" },
    edge: { type: "string", default: "dist/edge" },
  },
})
const rounds = Number(options.rounds)
const seconds = Number(options.seconds)
const folder = benchFolder("web")
const www = join(folder, "www")
const processes = new Processes(folder)

function makeFiles(): void {
  mkdirSync(www)
  for (const [name, size] of [["1k", 1024], ["100k", 102_400], ["1m", 1 << 20], ["200m", 200 << 20]] as const) {
    writeFileSync(join(www, `${name}.bin`), Buffer.alloc(size, "0123456789abcdef"))
  }
  // 50 kB that compress like a page does.
  let text = ""
  for (let i = 0; text.length < 50_000; i++) text += `<li class="item-${i % 97}"><a href="/posts/${i * 7919}">Entry ${(i * 2654435761) >>> 0}</a></li>\n`
  writeFileSync(join(www, "page.html"), text)
  writeFileSync(join(www, "ready.html"), text)
  writeFileSync(join(www, "ready.html.gz"), gzipSync(text))
  writeFileSync(join(www, "ready.html.br"), brotliCompressSync(text))
}

/** The upstream of all proxies: nginx on the client's core. */
async function backend(): Promise<number> {
  const port = freePort()
  const conf = nginxConfig(folder, {
    name: "backend",
    http: `open_file_cache max=100; client_max_body_size 1g;
      server { listen 127.0.0.1:${port}; root ${www}; location = /upload { client_max_body_size 0; proxy_pass http://127.0.0.1:${port}/small; proxy_method GET; proxy_set_body off; } location = /small { default_type text/plain; return 200 "${"x".repeat(200)}"; } }`,
  })
  processes.start(["nginx", "-c", conf], { core: clientCore })
  await answers(`http://127.0.0.1:${port}/small`)
  return port
}

type Server = (upstream: number) => { readonly pid: number; readonly port: number }

const edge: Server = upstream => {
  const port = freePort()
  const config = join(folder, "site.toml")
  writeFileSync(config, `[server]\nfronts = 1\n[log]\nlevel = "error"\naccess = { format = "off" }\n[[site]]\nlisten = ["127.0.0.1:${port}"]
[[site.route]]\npath = "/up/*"\nstrip = "/up"\nproxy = "http://127.0.0.1:${upstream}"
[[site.route]]\npath = "/packed/*"\nuse = ["compress"]\nstatic = { root = "www" }
[[site.route]]\nstatic = { root = "www", precompressed = true }\n`)
  const executable = existsSync(options.edge) ? [join(process.cwd(), options.edge)] : [process.execPath, join(import.meta.dir, "../src/main.ts")]
  return { port, pid: processes.start([...executable, "--config", config]).pid }
}

const nginx: Server = upstream => {
  const port = freePort()
  const conf = nginxConfig(folder, {
    name: "nginx",
    http: `open_file_cache max=100 inactive=1h; open_file_cache_valid 1s; tcp_nopush on; gzip_static on; types { text/html html; }
      upstream up { server 127.0.0.1:${upstream}; keepalive 128; keepalive_requests 100000000; }
      server { listen 127.0.0.1:${port} backlog=4096; root ${www}; client_max_body_size 1g;
        location /packed/ { alias ${www}/; gzip on; gzip_static off; }
        location /up/ { proxy_pass http://up/; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
          proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host; } }`,
  })
  return { port, pid: processes.start(["nginx", "-c", conf]).pid }
}

const caddy: Server = upstream => {
  const port = freePort()
  const file = join(folder, "Caddyfile")
  writeFileSync(file, `{\n admin off\n auto_https off\n}\nhttp://127.0.0.1:${port} {\n handle_path /packed/* {\n  root * ${www}\n  encode zstd gzip\n  file_server\n }
 handle_path /up/* {\n  reverse_proxy 127.0.0.1:${upstream}\n }\n handle {\n  root * ${www}\n  file_server {\n   precompressed br gzip\n  }\n }\n}\n`)
  const pid = processes.start(["caddy", "run", "--config", file, "--adapter", "caddyfile"], { env: { HOME: folder, GOMAXPROCS: "1" } }).pid
  return { port, pid }
}

const haproxy: Server = upstream => {
  const port = freePort()
  const file = join(folder, "haproxy.cfg")
  writeFileSync(file, `global\n nbthread 1\n maxconn 4096\ndefaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n option forwardfor
frontend f\n bind 127.0.0.1:${port}\n http-request replace-path /up(/.*) \\1\n default_backend b\nbackend b\n http-reuse always\n server s 127.0.0.1:${upstream}\n`)
  return { port, pid: processes.start(["haproxy", "-db", "-f", file]).pid }
}

try {
  makeFiles()
  const upstream = await backend()
  const running = { edge: edge(upstream), nginx: nginx(upstream), caddy: caddy(upstream), haproxy: haproxy(upstream) }
  await Promise.all(Object.values(running).map(({ port }) => answers(`http://127.0.0.1:${port}/up/small`)))
  const at = (path: string, ...names: (keyof typeof running)[]): Subject[] =>
    (["edge", ...names] as const).map(name => ({ name, pid: running[name].pid, url: `http://127.0.0.1:${running[name].port}${path}` }))
  const accept = (coding: string) => [`Accept-Encoding: ${coding}`]

  console.log("| work | against | requests/s, ratio | CPU per request, ratio |\n|---|---|---|---|")
  const works: Record<string, () => Promise<void>> = {
    async file() {
      await compare("1 kB file", at("/1k.bin", "nginx", "caddy"), { rounds, seconds, connections: 64 })
      await compare("100 kB file", at("/100k.bin", "nginx", "caddy"), { rounds, seconds, connections: 32 })
      await compare("1 MB file", at("/1m.bin", "nginx", "caddy"), { rounds, seconds, connections: 16 })
    },
    async big() {
      await compare("200 MB file", at("/200m.bin", "nginx", "caddy"), { rounds: 3, seconds: Math.max(4, seconds), connections: 4 })
    },
    async compress() {
      await compare("precompressed br, 50 kB page", at("/ready.html", "caddy"), { rounds, seconds, connections: 32, head: accept("br") })
      await compare("precompressed gzip, 50 kB page", at("/ready.html", "nginx", "caddy"), { rounds, seconds, connections: 32, head: accept("gzip") })
      await compare("gzip on the fly, 50 kB page", at("/packed/page.html", "nginx", "caddy"), { rounds, seconds, connections: 32, head: accept("gzip") })
      await compare("zstd on the fly, 50 kB page", at("/packed/page.html", "caddy"), { rounds, seconds, connections: 32, head: accept("zstd") })
    },
    async proxy() {
      await compare("proxy, 200 B", at("/up/small", "nginx", "haproxy", "caddy"), { rounds, seconds, connections: 32 })
      await compare("proxy, 1 MB answer", at("/up/1m.bin", "nginx", "haproxy", "caddy"), { rounds, seconds, connections: 16 })
    },
    async upload() {
      await compareUploads("100 MB upload through the proxy", at("/up/upload", "nginx", "haproxy", "caddy"), { file: join(www, "200m.bin"), bytes: 100 << 20, rounds })
    },
    async idle() {
      for (const name of ["edge", "nginx"] as const) {
        const { pid, port } = running[name]
        const { kb, held } = await holdIdle({ pid, port, connections: 10_000 })
        console.log(`| ${held} idle connections | ${name} | ${(kb / held).toFixed(2)} kB each | ${(kb / 1024).toFixed(1)} MB more |`)
      }
    },
  }
  for (const name of options.work.split(",")) {
    if (works[name] === undefined) throw new Error(`no work ${name}; there are ${Object.keys(works).join(", ")}`)
    await works[name]()
  }
} finally {
  await processes.stop()
}
