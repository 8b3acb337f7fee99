/**
 * A hit of the response cache, 10 kB: edge through the executable against nginx proxy_cache, which sends it from a file.
 * One core for each server, client and origin on the other, in turns, access logs off for both.
 *   bun bench/cache.ts [--rounds 5] [--seconds 2] [--edge dist/edge]
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { compare, type Subject } from "./kit/load.ts"
import { answers, benchFolder, clientCore, freePort, Processes } from "./kit/processes.ts"

const { values: options } = parseArgs({
  options: { rounds: { type: "string", default: "5" }, seconds: { type: "string", default: "2" }, edge: { type: "string", default: "dist/edge" } },
})
const folder = benchFolder("cache")
const processes = new Processes(folder)
const browser = [
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  "Accept-Language: de,en-US;q=0.7,en;q=0.3",
  "Accept-Encoding: gzip, deflate, br, zstd",
  "Cookie: theme=dark; _ga=GA1.1.1234567890.1234567890",
  "Upgrade-Insecure-Requests: 1",
  "Sec-Fetch-Dest: document",
  "Sec-Fetch-Mode: navigate",
  "Sec-Fetch-Site: none",
]

const nginxBase = (name: string) =>
  `${process.getuid?.() === 0 ? "user root;" : ""} worker_processes 1; daemon off; pid ${folder}/${name}.pid; error_log ${folder}/${name}.log error;
   events { worker_connections 4096; }`
const nginxTemp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(p => `${p}_temp_path ${folder}/${p};`).join(" ")

async function origin(): Promise<number> {
  const port = freePort()
  const conf = join(folder, "origin.conf")
  writeFileSync(conf, `${nginxBase("origin")} http { access_log off; ${nginxTemp}
    server { listen 127.0.0.1:${port}; root ${folder}/www; default_type text/html; add_header Cache-Control "max-age=3600";
      location /vary { add_header Cache-Control "max-age=3600"; add_header Vary "Accept-Encoding"; } } }`)
  mkdirSync(join(folder, "www"))
  for (const name of ["page", "vary"]) writeFileSync(join(folder, "www", name), "0123456789abcdef".repeat(640))
  processes.start(["nginx", "-c", conf], { core: clientCore })
  await answers(`http://127.0.0.1:${port}/`)
  return port
}

function edge(upstream: number): { pid: number; port: number } {
  const port = freePort()
  const config = join(folder, "site.toml")
  writeFileSync(config, `[server]\nfronts = 1\n[log]\nlevel = "error"\naccess = { format = "off" }\n[[site]]\nlisten = ["127.0.0.1:${port}"]\nuse = ["cache"]\n[[site.route]]\nproxy = "http://127.0.0.1:${upstream}"\n`)
  const executable = existsSync(options.edge) ? [join(process.cwd(), options.edge)] : [process.execPath, join(import.meta.dir, "../src/main.ts")]
  return { port, pid: processes.start([...executable, "--config", config]).pid }
}

function nginx(upstream: number): { pid: number; port: number } {
  const port = freePort()
  const conf = join(folder, "nginx.conf")
  writeFileSync(conf, `${nginxBase("nginx")} http { access_log off; sendfile on; tcp_nopush on; open_file_cache max=1000 inactive=1h; open_file_cache_valid 10s;
    keepalive_requests 100000000; ${nginxTemp} proxy_cache_path ${folder}/store levels=1:2 keys_zone=c:10m max_size=100m inactive=1h;
    server { listen 127.0.0.1:${port} backlog=4096;
      location / { proxy_pass http://127.0.0.1:${upstream}; proxy_cache c; proxy_cache_valid 200 1h; proxy_cache_lock on; add_header X-Cache $upstream_cache_status; } } }`)
  return { port, pid: processes.start(["nginx", "-c", conf]).pid }
}

try {
  const upstream = await origin()
  const running = { edge: edge(upstream), nginx: nginx(upstream) }
  const at = (path: string): Subject[] =>
    (["edge", "nginx"] as const).map(name => ({ name, pid: running[name].pid, url: `http://127.0.0.1:${running[name].port}${path}` }))
  await Promise.all(Object.values(running).flatMap(({ port }) => [answers(`http://127.0.0.1:${port}/page`), answers(`http://127.0.0.1:${port}/vary`)]))
  const load = { rounds: Number(options.rounds), seconds: Number(options.seconds), connections: 64 }
  console.log("| work | against | requests/s, ratio | CPU per request, ratio |\n|---|---|---|---|")
  await compare("cache hit, 10 kB", at("/page"), load)
  await compare("cache hit, 10 kB, browser's head", at("/page"), { ...load, head: browser })
  await compare("cache hit, 10 kB, Vary: Accept-Encoding, browser's head", at("/vary"), { ...load, head: browser })
} finally {
  await processes.stop()
}
