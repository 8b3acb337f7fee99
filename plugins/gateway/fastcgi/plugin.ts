import { definePlugin, placeholders, serverAddress } from "edge"
import * as v from "valibot"
import { findPhpFpm, phpFpmConfig } from "./php-fpm.ts"

const setting = v.pipe(v.string(), v.regex(/^[^\r\n]*$/, "a setting is one line"))

/**
 * Runs scripts through FastCGI: a PHP-FPM of its own (the default), any program that speaks it (`command`), or one that
 * runs already (`to`).
 */
export default definePlugin({
  name: "fastcgi",
  kind: "runtime",
  config: v.strictObject({
    root: v.pipe(v.optional(v.string(), "."), v.description("Folder of the scripts, relative to the app's dir")),
    index: v.pipe(v.optional(v.pipe(v.string(), v.regex(/^[^/]+$/, "a name without /")), "index.php"), v.description("Script of a folder")),
    extensions: v.pipe(
      v.optional(v.pipe(v.array(v.pipe(v.string(), v.regex(/^\.[\w-]+$/, "a name such as .php"))), v.minLength(1)), [".php"]),
      v.description("What is a script; nothing else is run"),
    ),
    fallback: v.pipe(
      v.optional(v.union([v.literal(false), v.pipe(v.string(), v.startsWith("/"))]), "/index.php"),
      v.description("Script for every path that is none; false: 404"),
    ),
    check: v.pipe(v.optional(v.boolean(), true), v.description("Look whether the script is there; false when it lies on another machine")),
    to: v.pipe(v.optional(serverAddress()), v.description("unix:PATH or HOST:PORT of a FastCGI server that runs already")),
    command: v.pipe(
      v.optional(v.tupleWithRest([v.pipe(v.string(), v.nonEmpty())], v.string())),
      v.description("A FastCGI server that listens on $SOCKET or $PORT, instead of PHP-FPM"),
    ),
    php_fpm: v.pipe(v.optional(v.string()), v.description("PHP-FPM's program; default the newest that is found")),
    ini: v.pipe(v.optional(v.record(v.pipe(v.string(), v.regex(/^[\w.]+$/)), setting), {}), v.description("Settings of PHP that scripts cannot change")),
    keep: v.pipe(
      v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 0),
      v.description("Connections that each front keeps while idle; each holds a process of PHP-FPM, which has so many more for it"),
    ),
  }),
  setup: (config, ctx) => ({
    part: {
      concurrency: 8,
      launch: app => {
        const base = { cwd: app.dir, transport: "fastcgi", socket: "bind" } as const
        if (config.to !== undefined) return { ...base, argv: [], env: {}, address: config.to.startsWith("unix:") ? ctx.resolve(config.to.slice(5)) : config.to }
        if (config.command !== undefined) {
          const env = { PORT: "{port}", SOCKET: "{socket}", ...placeholders(app.env) }
          return { ...base, argv: config.command.map(argument => placeholders({ argument }).argument!), env }
        }
        const program = config.php_fpm === undefined ? findPhpFpm() : config.php_fpm.includes("/") ? ctx.resolve(config.php_fpm) : config.php_fpm
        if (program === undefined) throw ctx.fail("PHP-FPM is not installed (no php-fpm in PATH); name it in `php_fpm`, or use `to` or `command`")
        // The fronts' user stands in for one of the app's own; here we are that user already.
        if (process.getuid?.() === 0 && app.user === undefined) throw ctx.fail("PHP-FPM does not run as root: give the app a `user`, or [server] one")
        const asRoot = app.user === "root"
        const { concurrency, timeoutMs } = app
        const settings = { processes: concurrency + config.keep, timeoutMs, ini: config.ini, extensions: config.extensions, asRoot }
        return {
          ...base,
          argv: [program, "-F", "-O", ...(asRoot ? ["-R"] : []), "-y", "{run}/php-fpm.conf"],
          env: { ...app.env, EDGE_SOCKET: "{socket}" },
          files: { "php-fpm.conf": phpFpmConfig(settings) },
        }
      },
    },
  }),
})
