/** What `[[site]]`, `[[site.route]]` and `[tls]` may hold. */
import { accessLog, cidr } from "edge"
import * as v from "valibot"
import { acmeSchema } from "./listeners/certificates.ts"

/** A name, or a one-key table `{ name = options }`; checked by the part itself. */
const part = v.pipe(v.any(), v.metadata({ part: "middleware" }))

const strings = v.union([v.string(), v.pipe(v.array(v.string()), v.minLength(1, "must not be empty"))], "must be a string or a list of strings")

const use = v.pipe(
  v.optional(v.array(part), []),
  v.description("Middleware from outside in: a name, or a one-key table { name = options }."),
)

const valueMatch = v.record(
  v.string(),
  v.union([v.string(), v.boolean()], "must be a string (may begin or end with *), true for present or false for absent"),
)

const ip = v.union([cidr(), v.literal("unix")])

/** A route's other keys name handlers; which there are is known only when the config is set up. */
export const routeSchema = v.pipe(
  v.looseObject({
    path: v.pipe(
      v.optional(strings),
      v.description('Paths that match: "/exact", "/prefix/*", "/user/:id", "/img*", "*.php". Absent: every path.'),
    ),
    method: v.pipe(v.optional(strings), v.description('Methods that match, as "GET" or ["GET", "HEAD"]. Absent: every method.')),
    host: v.pipe(v.optional(strings), v.description('Hosts of the site that match, as "a.example" or "*.example". Absent: every host.')),
    header: v.pipe(
      v.optional(valueMatch),
      v.description("Request headers that must match: a value (may begin or end with *), true: present, false: absent."),
    ),
    query: v.pipe(
      v.optional(valueMatch),
      v.description("Query parameters that must match: a value (may begin or end with *), true: present, false: absent."),
    ),
    path_regexp: v.pipe(
      v.optional(v.string()),
      v.description('Expression that the decoded path must match too: "^/(?<lang>de|en)/". Named groups are parameters.'),
    ),
    ip: v.pipe(v.optional(v.union([ip, v.array(ip)])), v.description('Addresses of clients that match: "10.0.0.0/8". Absent: every one.')),
    strip: v.pipe(
      v.optional(v.pipe(v.string(), v.regex(/^\/[^?#*]*[^/?#*]$/, 'must be a path such as "/api", without a slash at the end'))),
      v.description("Prefix that is taken off the path before the handler sees it."),
    ),
    use,
    log: v.pipe(v.optional(v.boolean(), true), v.description("false: no line in the access log.")),
  }),
  v.metadata({ keys: "handler" }),
)

const tls = v.union(
  [
    v.picklist(["off", "auto", "internal"]),
    v.strictObject({
      cert: v.pipe(v.string(), v.description("File of the certificate chain, PEM.")),
      key: v.pipe(v.string(), v.description("File of its private key, PEM.")),
    }),
  ],
  'must be "off", "auto", "internal" or { cert = "c.pem", key = "k.pem" }',
)

export const siteSchema = v.strictObject({
  hosts: v.pipe(
    v.optional(v.array(v.string()), []),
    v.description('Names of the site: "example.com", "*.example.com". Absent: any host that no other site has.'),
  ),
  listen: v.pipe(
    v.optional(strings, ["127.0.0.1:8080"]),
    v.description('Addresses: "0.0.0.0:80", "[::]:443", "unix:run/edge.http"; with tls, "http://ADDR" is a plain one.'),
  ),
  tls: v.pipe(
    v.optional(tls, "off"),
    v.description("Of the addresses other than port 80 and http://ADDR: \"auto\" (by ACME), \"internal\" (by edge's own authority), { cert, key } or \"off\"."),
  ),
  https_redirect: v.pipe(
    v.optional(v.boolean(), true),
    v.description("With tls, answer plain addresses with 308 to https; false: serve the site there too."),
  ),
  proxy_protocol: v.pipe(
    v.optional(v.boolean(), false),
    v.description("Peers in server.trusted_proxies begin each connection with a PROXY header (v1 or v2), which says who the client is. For all sites of an address alike."),
  ),
  canonical: v.pipe(
    v.optional(v.pipe(v.string(), v.regex(/^(?:www|bare|[a-z0-9-]+(?:\.[a-z0-9-]+)*)$/, 'must be "www", "bare" or a host'))),
    v.description('The one name of the site; others answer 308 to it. "bare" or "www": each host with and without www., whichever is listed; or a host.'),
  ),
  trailing_slash: v.pipe(
    v.optional(v.picklist(["add", "remove", "keep"], 'must be "add", "remove" or "keep"'), "keep"),
    v.description("Paths without (or with) a slash at the end answer 308 to those with (or without) one; files with an extension get none."),
  ),
  log: v.pipe(
    v.optional(v.union([v.boolean(), v.string(), accessLog], "must be false, a file, or a table such as { path, format }")),
    v.description("An access log of the site's own, instead of the server's: a file, or { path, format, ... }; false: none."),
  ),
  use,
  errors: v.pipe(
    v.optional(
      v.record(
        v.pipe(v.string(), v.regex(/^[45](\d\d|xx)$/, 'must be a status from 400 to 599, or "4xx" or "5xx"')),
        v.string(),
      ),
      {},
    ),
    v.description('Pages for errors of edge itself, by status: { 404 = "404.html", 5xx = "50x.html" }.'),
  ),
  intercept_errors: v.pipe(
    v.optional(v.boolean(), false),
    v.description("Put the pages of `errors` in place of error answers of apps and upstreams too."),
  ),
  route: v.pipe(
    v.optional(v.array(routeSchema), []),
    v.description("Routes, tried in the order written; the first that answers wins."),
  ),
})

export const webSchema = v.strictObject({
  site: v.pipe(v.optional(v.array(siteSchema), []), v.description("Sites, by host and address.")),
  tls: v.pipe(
    v.optional(
      v.strictObject({
        acme: v.pipe(
          v.optional(acmeSchema),
          v.description('The authority for tls = "auto".'),
        ),
      }),
    ),
    v.description("What all sites with TLS share."),
  ),
})

export type SiteConfig = v.InferOutput<typeof siteSchema>
export type RouteConfig = v.InferOutput<typeof routeSchema>
export type WebConfig = v.InferOutput<typeof webSchema>
