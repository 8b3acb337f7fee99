import { count, duration, path, size } from "edge"
import * as v from "valibot"

const server = v.strictObject({
  url: v.pipe(v.string(), v.description('"http://HOST:PORT", "https://HOST:PORT" or "unix:PATH", each with a path to put in front if you like')),
  weight: v.optional(v.pipe(count({ max: 1000 }), v.description("How much more of the requests it gets than one with weight 1")), 1),
  backup: v.optional(v.pipe(v.boolean(), v.description("Gets requests only when all others are down")), false),
  max_conns: v.optional(v.pipe(count({ min: 0 }), v.description("Requests at once that it gets from each front; 0: any number")), 0),
  resolve: v.optional(
    v.pipe(duration({ min: "1s" }), v.description("Ask DNS for the addresses of the host so often (sooner where their TTL says so): each is an upstream of its own")),
  ),
  srv: v.optional(v.pipe(v.boolean(), v.description('The host is the name of SRV records, as "_http._tcp.app.internal": ports, weights and backups come from there')), false),
})

const health = v.strictObject({
  path: v.optional(v.pipe(v.string(), v.startsWith("/"), v.description("Asked on every upstream by GET; without it nobody asks and only real requests tell"))),
  every: v.optional(v.pipe(duration({ min: "100ms" }), v.description("Time between two questions")), "5s"),
  timeout: v.optional(v.pipe(duration({ min: "10ms" }), v.description("How long the answer may take")), "2s"),
  status: v.optional(v.pipe(v.array(v.pipe(v.number(), v.integer(), v.minValue(100), v.maxValue(599))), v.description("Answers that mean healthy; without it 200 to 399"))),
  host: v.optional(v.pipe(v.string(), v.description("Host field of the question; without it the upstream's own"))),
  fall: v.optional(v.pipe(count(), v.description("Wrong answers in a row until it is down")), 2),
  rise: v.optional(v.pipe(count(), v.description("Right answers in a row until it is up again")), 1),
  max_fails: v.optional(v.pipe(count({ min: 0 }), v.description("Failed requests within fail_timeout until it gets none for that time; 0: never")), 3),
  fail_status: v.optional(
    v.pipe(
      v.array(v.pipe(v.number(), v.integer(), v.minValue(400), v.maxValue(599))),
      v.description("Answers of requests that count as failures; where that is safe another upstream is asked"),
    ),
    [],
  ),
  fail_timeout: v.optional(v.pipe(duration(), v.description("See max_fails")), "10s"),
})

const headers = v.strictObject({
  set: v.optional(v.pipe(v.record(v.string(), v.string()), v.description("Fields of every request to the upstream; values may have {ip} {port} {host} {scheme} {method} {uri} {path} {query} {id} {server_port} {sni} {tls}")), {}),
  remove: v.optional(v.pipe(v.array(v.string()), v.description("Fields of the client that are not sent on")), []),
})

const tls = v.strictObject({
  ca: v.optional(v.pipe(path(), v.description("Roots that upstreams' certificates must come from (PEM) instead of the system's"))),
  cert: v.optional(v.pipe(path(), v.description("Our certificate (PEM), for upstreams that ask for one"))),
  key: v.optional(v.pipe(path(), v.description("Its key (PEM)"))),
  server_name: v.optional(v.pipe(v.string(), v.description("Name that upstreams' certificates must carry; without it the host of the URL"))),
  verify: v.optional(v.pipe(v.boolean(), v.description("false takes any certificate: for trials only")), true),
})

const options = v.strictObject({
  to: v.pipe(
    v.union([v.string(), v.array(v.union([v.string(), server]))]),
    v.description('Upstreams: "http://HOST:PORT", "https://HOST:PORT", "unix:PATH", or { url, weight, backup }'),
  ),
  balance: v.optional(
    v.pipe(
      v.union([v.string(), v.record(v.string(), v.unknown())]),
      v.description(
        'Who gets a request: "round_robin", "least_conn", "random" (the less busy of two), "ip_hash", "uri_hash", ' +
          '{ header_hash = "NAME" }, { cookie_hash = "NAME" }, { query_hash = "NAME" }, ' +
          "{ sticky = { cookie, secret, max_age, fallback } }, or a balancer plugin",
      ),
    ),
    "round_robin",
  ),
  name: v.optional(v.pipe(v.string(), v.regex(/^[a-z][\w-]*$/i, "must be a name"), v.description("What `edge upstream` calls it; without it its place in the config"))),
  slow_start: v.optional(v.pipe(duration(), v.description("How long an upstream that comes up gets less than its share, more and more")), "0s"),
  resolver: v.optional(v.pipe(v.string(), v.regex(/^(?:\d+(?:\.\d+){3}|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i, 'must be an address such as "10.0.0.2" or "127.0.0.1:5353"'), v.description("Name server for `resolve`; without it the system's"))),
  retries: v.optional(
    v.pipe(count({ min: 0, max: 100 }), v.description("Other upstreams that are tried when one fails, where that cannot do a thing twice: safe methods, or nothing sent yet")),
    1,
  ),
  timeout: v.optional(v.pipe(duration(), v.description('From the last byte of the request to the head of the answer; "0s": none')), "30s"),
  connect_timeout: v.optional(v.pipe(duration({ min: "1ms" }), v.description("Until the connection is made, with TLS its handshake too")), "5s"),
  read_timeout: v.optional(v.pipe(duration(), v.description('Between two reads of an answer, and between two writes of a request; "0s": none')), "5m"),
  tunnel_timeout: v.optional(v.pipe(duration(), v.description('How long a WebSocket or other tunnel may be silent both ways; "0s": for ever')), "0s"),
  buffer: v.optional(
    v.pipe(size(), v.description("Of an answer, what is taken from the upstream in advance while the client is slow, so that it can turn to the next request")),
    "64kb",
  ),
  buffer_request: v.optional(
    v.pipe(size(), v.description("A body up to this size is received whole before the upstream is asked, and sent with its length, not chunked: for servers that serve one request at a time")),
    "0b",
  ),
  keepalive: v.optional(v.pipe(count({ min: 0 }), v.description("Idle connections kept to each upstream, in each front")), 64),
  keepalive_timeout: v.optional(v.pipe(duration(), v.description("How long they are kept; an upstream's Keep-Alive field may shorten it")), "30s"),
  http2: v.optional(v.pipe(v.boolean(), v.description("Speak HTTP/2 to upstreams, which must be https; upgrades still go over HTTP/1.1")), false),
  proxy_protocol: v.optional(
    v.pipe(v.picklist(["v1", "v2"]), v.description("Tell upstreams who the client is by a PROXY header; each request then has a connection of its own. Not for https upstreams")),
  ),
  host: v.optional(v.pipe(v.string(), v.description('Host field: "client" as it came, "upstream" the host of the URL, or a fixed name')), "client"),
  forwarded: v.optional(
    v.pipe(v.picklist(["x-forwarded", "rfc7239", "both", "none"]), v.description("How upstreams are told who the client is: X-Forwarded-For, -Proto and -Host, Forwarded (RFC 7239), both, or not")),
    "x-forwarded",
  ),
  via: v.optional(
    v.pipe(
      v.union([v.literal(false), v.pipe(v.string(), v.regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+(?::\d+)?$/, "must be a name, or HOST:PORT"))], 'a name such as "edge", or false'),
      v.description("Our name in the Via field of requests and answers that are passed on (RFC 9110 7.6.3); false: no field"),
    ),
    "edge",
  ),
  redirects: v.optional(v.pipe(v.boolean(), v.description("Redirects to the upstream's own URL become redirects to ours")), true),
  headers: v.optional(v.pipe(headers, v.description("Changes of the request's fields")), {}),
  health: v.optional(v.pipe(health, v.description("How an upstream is found to be down")), {}),
  tls: v.optional(v.pipe(tls, v.description("For https upstreams")), {}),
})

/** `proxy = "http://..."` is short for `proxy = { to = "http://..." }`. */
export const proxySchema = v.pipe(
  v.union([v.pipe(v.string(), v.description("The one upstream")), options]),
  v.description("One upstream, or a table with as many as you like."),
)

export type ServerOptions = v.InferOutput<typeof server>
export type ProxyOptions = v.InferOutput<typeof options>
export const defaults = (to: string): ProxyOptions => v.parse(options, { to })
export const plainServer = (url: string): ServerOptions => v.parse(server, { url })
