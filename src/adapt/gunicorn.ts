/** gunicorn.conf.py -> site.toml. The table is docs/from-gunicorn.md. */
import { basename } from "node:path"
import type { ForeignFile } from "./adapters.ts"
import { readPythonSettings } from "./python-settings.ts"
import { type AdaptedApp, type AdaptedSite, newApp, newSite, type Value } from "./site.ts"
import { listenAddress, nameOf, seconds } from "./words.ts"

type Read = ReadonlyMap<string, Value>

/** Settings that have no counterpart because there is nothing to set. */
const needless: Readonly<Record<string, string>> = {
  initgroups: "workers always have all groups of their user",
  sendfile: "files are sent as fits them",
  daemon: "run edge under systemd (docs/systemd.md)",
  check_config: "use `edge check`",
  print_config: "use `edge check --dump`",
  worker_tmp_dir: "workers write no heartbeat file: they are asked over their socket",
  tmp_upload_dir: "it is not used by Gunicorn either",
  capture_output: "what workers print always goes to the log, or to the app's `log`",
  enable_stdio_inheritance: "what workers print always goes to the log",
  backlog: "the accept queue is as long as the kernel allows",
  reuse_port: "fronts share one accept queue, which no reload loses",
  suppress_ragged_eofs: "there is nothing to set",
  do_handshake_on_connect: "there is nothing to set",
  strip_header_spaces: "refused always: it lets requests be smuggled",
  tolerate_dangerous_framing: "refused always: it lets requests be smuggled",
  default_proc_name: "there is nothing to set",
  disable_redirect_access_to_syslog: "there is no syslog",
}
/** Settings that would have to be done another way. */
const otherwise: Readonly<Record<string, string>> = {
  umask: "set it in the service file (UMask=)",
  reload_engine: "`edge dev` watches the app's folder",
  reload_extra_files: "`edge dev` watches the app's folder",
  spew: "use `edge workers --stack`",
  access_log_format: "`[log] access.format` is \"json\" or \"combined\"",
  errorlog: "the event log goes to stderr; the app's own output to `log`",
  logger_class: "logging is the app's own; edge logs to stderr",
  logconfig: "logging is the app's own; edge logs to stderr",
  logconfig_dict: "logging is the app's own; edge logs to stderr",
  logconfig_json: "logging is the app's own; edge logs to stderr",
  syslog: "let systemd take stderr to the journal",
  syslog_addr: "let systemd take stderr to the journal",
  syslog_prefix: "let systemd take stderr to the journal",
  syslog_facility: "let systemd take stderr to the journal",
  statsd_host: "`[server] status` serves metrics",
  dogstatsd_tags: "`[server] status` serves metrics",
  statsd_prefix: "`[server] status` serves metrics",
  proc_name: "the app has a name in the log and in `edge workers`",
  paste: "write a module that makes the application, and name it in `entry`",
  raw_paste_global_conf: "write a module that makes the application, and name it in `entry`",
  secure_scheme_headers: "X-Forwarded-Proto and Forwarded of trusted proxies say the scheme",
  ssl_version: "TLS 1.2 and 1.3 are spoken",
  ciphers: "the ciphers are those of the executable",
  cert_reqs: "client certificates are a matter of the site's tls",
  ca_certs: "client certificates are a matter of the site's tls",
  ssl_context: "write the certificate into the site's tls",
  limit_request_line: "the whole head has one limit: [server.limits] head",
  header_map: "names with underscores are dropped unless [server.limits] underscores says otherwise",
  forwarder_headers: "forged trust headers are always dropped",
  permit_obsolete_folding: "refused always: it lets requests be smuggled",
  casefold_http_method: "methods are passed as they are",
  permit_unconventional_http_method: "methods are passed as they are",
  permit_unconventional_http_version: "HTTP/1.0, 1.1 and 2 are spoken",
}
const hooks: Readonly<Record<string, string>> = {
  on_starting: "a plugin's hook on_start runs when the server serves for the first time",
  when_ready: "a plugin's hook on_start",
  on_reload: "a plugin's hook pre_reload, or on_reload when it succeeded",
  pre_fork: "workers are processes of their own; code for them belongs into the app's module",
  post_fork: "put it into the app's module: it is imported in each worker (with `preload` once)",
  post_worker_init: "put it into the app's module; from outside a plugin's hook worker_ready",
  worker_int: "a plugin's hook worker_exit",
  worker_abort: "the stack of a worker past its deadline is in the log; a plugin's hook worker_exit",
  pre_exec: "a plugin's hook on_stop of the old process",
  pre_request: "a middleware plugin",
  post_request: "a middleware plugin, or the access log",
  child_exit: "a plugin's hook worker_exit",
  worker_exit: "a plugin's hook worker_exit",
  nworkers_changed: "a plugin's hooks worker_ready and worker_exit",
  on_exit: "a plugin's hook on_stop",
  ssl_context: "write the certificate into the site's tls",
}

export async function adaptGunicorn(file: ForeignFile): Promise<AdaptedSite> {
  const read = await readPythonSettings(file)
  const site = newSite(basename(file.path))
  const values = new Map<string, Value>()
  for (const [name, { line, value, source }] of Object.entries(read.settings)) {
    if (source !== undefined && isSetting(name)) site.notes.push({ setting: name, line, why: `its value cannot be worked out without running it: ${source}` })
    if (value !== undefined && value !== null) values.set(name, value)
  }
  const app = newApp(nameOf(values.get("proc_name") ?? values.get("wsgi_app") ?? "app"))
  site.apps.push(app)
  site.routes.push(new Map<string, Value>([["app", app.name]]))
  setServer(site, values)
  tellDefaults(site, values)
  setApp(app, { values, site })
  for (const [name] of values) tellUnmapped(site, name, read.settings[name]!.line)
  for (const { name, line } of read.functions) {
    if (Object.hasOwn(hooks, name)) site.notes.push({ setting: `${name}()`, line, why: hooks[name]! })
  }
  for (const { line, source } of read.skipped) site.notes.push({ setting: source, line, why: "code of the config file is not run" })
  return site
}

function isSetting(name: string): boolean {
  return mapped.has(name) || Object.hasOwn(otherwise, name) || Object.hasOwn(needless, name)
}

function tellUnmapped(site: AdaptedSite, setting: string, line: number): void {
  const why = Object.hasOwn(needless, setting) ? `not needed: ${needless[setting]}` : otherwise[setting]
  if (why !== undefined) site.notes.push({ setting, line, why })
}

const mapped = new Set([
  "wsgi_app", "bind", "workers", "worker_class", "threads", "worker_connections", "max_requests", "max_requests_jitter", "timeout",
  "graceful_timeout", "keepalive", "limit_request_fields", "limit_request_field_size", "reload", "preload_app", "chdir", "raw_env",
  "pidfile", "user", "group", "forwarded_allow_ips", "proxy_protocol", "proxy_allow_ips", "accesslog", "loglevel", "pythonpath", "keyfile", "certfile",
])

function setServer(site: AdaptedSite, values: Read): void {
  const { server, log, notes } = site
  const binds = [values.get("bind") ?? "127.0.0.1:8000"].flat() as string[]
  const listen = binds.flatMap(bind => {
    if (!bind.startsWith("fd://")) return [listenAddress(bind)]
    notes.push({ setting: "bind", why: `${bind}: write the address that systemd listens on into \`listen\`; its socket is taken over` })
    return []
  })
  site.site.set("listen", listen.length > 0 ? listen : ["127.0.0.1:8000"])
  const [key, cert] = [values.get("keyfile"), values.get("certfile")]
  if (cert !== undefined) site.site.set("tls", { cert, key: key ?? cert })
  copy(values, "pidfile", { to: server, as: "pid_file" })
  copy(values, "user", { to: server })
  copy(values, "group", { to: server })
  setTrust(site, values, listen)
  const grace = values.get("graceful_timeout")
  if (grace !== undefined) server.set("grace", seconds(grace))
  const limits: Record<string, Value> = {}
  const keepalive = values.get("keepalive")
  // Gunicorn's default of 2 s suits a proxy before it; edge is that proxy.
  if (typeof keepalive === "number" && keepalive > 0) limits["idle_timeout"] = seconds(keepalive)
  const fields = values.get("limit_request_fields")
  if (typeof fields === "number") limits["head_fields"] = fields
  const size = values.get("limit_request_field_size")
  if (typeof size === "number" && size > 16_384) limits["head"] = `${Math.ceil(size / 1024)}kb`
  if (Object.keys(limits).length > 0) server.set("limits", limits)
  const level = values.get("loglevel")
  if (level !== undefined) log.set("level", { warning: "warn", critical: "error" }[String(level)] ?? level)
  const access = values.get("accesslog")
  log.set("access", access === undefined ? { format: "off" } : { path: access, format: "combined" })
}

/** Gunicorn's default of both lists: without it a site behind a proxy on this machine would redirect to https for ever. */
const loopback = ["127.0.0.1/32", "::1/128"]

/** Who may say where a request came from, by fields or by the PROXY protocol: here one list for both. */
function setTrust(site: AdaptedSite, values: Read, listen: readonly string[]): void {
  const { server, notes } = site
  const said = trustedPeers(site, values, "forwarded_allow_ips")
  const proxied = speaksProxy(values.get("proxy_protocol"))
  const senders = proxied ? trustedPeers(site, values, "proxy_allow_ips") : []
  const trusted = [...new Set([...said, ...senders])]
  // Over a unix socket Gunicorn believes everybody.
  if (listen.some(address => address.startsWith("unix:"))) trusted.push("unix")
  server.set("trusted_proxies", trusted)
  if (!proxied) {
    if (values.has("proxy_allow_ips")) notes.push({ setting: "proxy_allow_ips", why: "not needed: it counts with proxy_protocol only" })
    return
  }
  site.site.set("proxy_protocol", true)
  notes.push({ setting: "proxy_protocol", why: "peers in trusted_proxies must send the PROXY header here, to Gunicorn they may; and the client that it names is the peer, so X-Forwarded-* beside it count only if the client is in trusted_proxies" })
  if (trusted.length > said.length || trusted.length > senders.length) {
    notes.push({ setting: "proxy_allow_ips", why: "it is not forwarded_allow_ips: trusted_proxies has both, for the PROXY header and for X-Forwarded-*" })
  }
}

/** True, or since Gunicorn 24 a version. */
function speaksProxy(value: Value | undefined): boolean {
  return value !== undefined && value !== false && value !== "off" && value !== ""
}

/** "127.0.0.1,10.0.0.0/8", or "*" for everybody. */
function trustedPeers(site: AdaptedSite, values: Read, name: string): string[] {
  const value = values.get(name)
  if (value === undefined) return loopback
  let list = Array.isArray(value) ? value.join(",") : String(value)
  const variable = /^\$\{(\w+)(?::-(.*))?\}$/.exec(list)
  if (variable !== null) {
    list = variable[2] ?? loopback.join(",")
    site.notes.push({ setting: name, why: `a variable cannot hold a list: what ${variable[1]} says must be written into trusted_proxies` })
  }
  const entries = list.split(",").map(entry => entry.trim()).filter(Boolean)
  return entries.flatMap(entry => (entry === "*" ? ["0.0.0.0/0", "::/0"] : [entry]))
}

/** What is other than Gunicorn where neither the file nor the config made of it says anything. */
function tellDefaults(site: AdaptedSite, values: Read): void {
  const { differs } = site
  if (!values.has("bind")) differs.push("Gunicorn listens on 0.0.0.0:$PORT where PORT is set")
  if (!values.has("forwarded_allow_ips")) differs.push("Gunicorn reads FORWARDED_ALLOW_IPS where it is set: write it into trusted_proxies")
  if (!values.has("keepalive")) differs.push("a kept connection waits 75 s for its next request; Gunicorn 2 s ([server.limits] idle_timeout)")
  if (!values.has("secure_scheme_headers")) differs.push("X-Forwarded-Protocol and X-Forwarded-Ssl say nothing; X-Forwarded-Proto and Forwarded do")
  differs.push("a body above 100 MB is answered 413; Gunicorn has no limit ([server.limits] body)")
  differs.push("REMOTE_ADDR is the client that trusted proxies name; Gunicorn's is the proxy")
}

function setApp(app: AdaptedApp, { values, site }: { values: Read; site: AdaptedSite }): void {
  const { keys, env } = app
  const { notes } = site
  const worker = String(values.get("worker_class") ?? "sync")
  const asgi = /uvicorn|asgi|hypercorn/i.test(worker)
  keys.set("runtime", asgi ? "asgi" : "wsgi")
  const entry = values.get("wsgi_app")
  keys.set("entry", entry ?? "app:application")
  if (entry === undefined) notes.push({ setting: "wsgi_app", why: "the application stands on Gunicorn's command line: write it into `entry`" })
  copy(values, "chdir", { to: keys, as: "dir" })
  if (values.has("workers")) copy(values, "workers", { to: keys })
  // Gunicorn's own default.
  else keys.set("workers", "${WEB_CONCURRENCY:-1}")
  if (asgi) copy(values, "worker_connections", { to: keys, as: "concurrency" })
  else setThreads(app, { values, worker, site })
  copy(values, "max_requests", { to: keys })
  copy(values, "max_requests_jitter", { to: keys })
  const timeout = values.get("timeout")
  if (timeout !== undefined) keys.set("timeout", seconds(timeout))
  if (values.get("preload_app") === true) keys.set("preload", true)
  if (values.get("reload") === true) notes.push({ setting: "reload", why: "`edge dev` reloads on save" })
  for (const pair of [values.get("raw_env") ?? []].flat() as string[]) {
    const at = pair.indexOf("=")
    if (at > 0) env.set(pair.slice(0, at), pair.slice(at + 1))
  }
  const path = values.get("pythonpath")
  if (path !== undefined) env.set("PYTHONPATH", String(path).replaceAll(",", ":"))
}

function setThreads(app: AdaptedApp, { values, worker, site }: { values: Read; worker: string; site: AdaptedSite }): void {
  const threads = values.get("threads")
  if (threads !== undefined) app.keys.set("threads", threads)
  const green = /gevent|eventlet/.test(worker)
  // A guess: what these workers do with thousands of green threads.
  if (green && threads === undefined) app.keys.set("threads", 50)
  if (green) site.notes.push({ setting: "worker_class", why: `${worker}: there are no green threads; \`threads\` says how many requests a worker has at once. ASGI has no such limit` })
  if (worker.includes("tornado")) site.notes.push({ setting: "worker_class", why: `${worker}: a Tornado app runs with runtime = "http", listening on $PORT or $SOCKET` })
}

function copy(values: Read, name: string, { to, as = name }: { to: Map<string, Value>; as?: string }): void {
  const value = values.get(name)
  if (value !== undefined && value !== 0 && value !== "") to.set(as, value)
}
