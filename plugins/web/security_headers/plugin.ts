import { after, definePlugin, type HeaderList, type Prepared, rehead, type Reply } from "edge"
import { type SecurityHeaders, securityHeadersSchema } from "./schema.ts"

/** The headers that make browsers careful, with defaults that break few sites. */
export default definePlugin({
  name: "security_headers",
  kind: "middleware",
  config: securityHeadersSchema,
  setup: config => {
    const plain = toChange(linesOf(config), config.override)
    const secure = toChange([...linesOf(config), ...hstsOf(config)], config.override)
    return {
      part: next => {
        const http = { change: on(plain) }
        const https = { change: on(secure) }
        return x => after(() => next(x), x.scheme === "https" ? https : http)
      },
    }
  },
})

type Line = readonly [name: string, value: string]

/** An answer from memory is changed once. */
function on(change: (headers: HeaderList) => void): (reply: Reply) => Reply {
  const options = { change, known: new WeakMap<object, Prepared>() }
  return reply => rehead(reply, options)
}

function toChange(lines: readonly Line[], override: boolean): (headers: HeaderList) => void {
  return headers => {
    for (const [name, value] of lines) if (override || !headers.has(name)) headers.set(name, value)
  }
}

function linesOf(config: SecurityHeaders): Line[] {
  const { nosniff, frame, referrer, opener, resource, embedder, csp, csp_report_only: trial, permissions } = config
  const lines: readonly (readonly [string, string | false | undefined])[] = [
    ["X-Content-Type-Options", nosniff && "nosniff"],
    ["X-Frame-Options", frame === false ? false : frame.toUpperCase()],
    ["Referrer-Policy", referrer],
    ["Cross-Origin-Opener-Policy", opener],
    ["Cross-Origin-Resource-Policy", resource],
    ["Cross-Origin-Embedder-Policy", embedder],
    ["Content-Security-Policy", csp],
    ["Content-Security-Policy-Report-Only", trial],
    ["Permissions-Policy", permissions],
  ]
  return lines.filter((line): line is Line => typeof line[1] === "string")
}

/** RFC 6797, 7.2: not over plain HTTP. */
function hstsOf({ hsts }: SecurityHeaders): Line[] {
  if (hsts === false) return []
  const { max_age: ms, subdomains, preload } = hsts
  return [["Strict-Transport-Security", `max-age=${Math.floor(ms / 1000)}${subdomains ? "; includeSubDomains" : ""}${preload ? "; preload" : ""}`]]
}
