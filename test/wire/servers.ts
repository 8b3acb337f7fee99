import { defaultLimits } from "../../src/http/server/limits.ts"
import type { Limits } from "../../src/http/server/limits.ts"

/** Short times and small sizes, so that every limit can be met. */
export const servers: Record<string, Limits> = {
  plain: defaultLimits,
  quick: {
    ...defaultLimits,
    bodyBytes: 1000,
    headTimeoutMs: 100,
    bodyRate: { bytesPerSecond: 1000, overMs: 200 },
    idleTimeoutMs: 100,
    sendTimeoutMs: 300,
    lingerMs: 300,
    halfCloseMs: 100,
  },
  half: { ...defaultLimits, halfCloseMs: 10_000 },
  underscores: { ...defaultLimits, underscores: true, server: "wire" },
}

/** The same as `[server]` of a site.toml, which allows no times as short as that. */
export const serverTables: Record<keyof typeof servers, string> = {
  plain: "",
  quick: `[server.limits]
body = "1000b"
head_timeout = "100ms"
body_rate = { bytes = 1000, over = "1s" }
idle_timeout = "1s"
send_timeout = "1s"
linger = "300ms"
half_close = "100ms"
`,
  half: `[server.limits]
half_close = "10s"
`,
  underscores: `[server]
header = "wire"
[server.limits]
underscores = true
`,
}
