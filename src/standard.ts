/**
 * The first-party plugins, each loaded when a config first names it (start time and memory of what is not used: none).
 * The only file of src/ that imports plugins/.
 */
import type { Kind, Plugin } from "./contract/plugin.ts"

type Load = () => Promise<{ default: Plugin<never, never> | Plugin }>

export const standard: { readonly [K in Kind]: Readonly<Record<string, Load>> } = {
  web: {
    web: () => import("../plugins/web/web/plugin.ts"),
  },
  handler: {
    app: () => import("../plugins/web/app/plugin.ts"),
    proxy: () => import("../plugins/web/proxy/plugin.ts"),
    redirect: () => import("../plugins/web/redirect/plugin.ts"),
    respond: () => import("../plugins/web/respond/plugin.ts"),
    split: () => import("../plugins/web/split/plugin.ts"),
    static: () => import("../plugins/web/static/plugin.ts"),
  },
  middleware: {
    basic_auth: () => import("../plugins/web/basic_auth/plugin.ts"),
    body_limit: () => import("../plugins/web/body_limit/plugin.ts"),
    cache: () => import("../plugins/web/cache/plugin.ts"),
    cache_control: () => import("../plugins/web/cache_control/plugin.ts"),
    compress: () => import("../plugins/web/compress/plugin.ts"),
    cors: () => import("../plugins/web/cors/plugin.ts"),
    csrf: () => import("../plugins/web/csrf/plugin.ts"),
    forward_auth: () => import("../plugins/web/forward_auth/plugin.ts"),
    headers: () => import("../plugins/web/headers/plugin.ts"),
    ip: () => import("../plugins/web/ip/plugin.ts"),
    jwt: () => import("../plugins/web/jwt/plugin.ts"),
    limit_conn: () => import("../plugins/web/limit_conn/plugin.ts"),
    maintenance: () => import("../plugins/web/maintenance/plugin.ts"),
    mirror: () => import("../plugins/web/mirror/plugin.ts"),
    rate_limit: () => import("../plugins/web/rate_limit/plugin.ts"),
    request_id: () => import("../plugins/web/request_id/plugin.ts"),
    rewrite: () => import("../plugins/web/rewrite/plugin.ts"),
    security_headers: () => import("../plugins/web/security_headers/plugin.ts"),
    send_file: () => import("../plugins/web/send_file/plugin.ts"),
  },
  balancer: {},
  gateway: {
    inline: () => import("../plugins/gateway/inline/plugin.ts"),
    pool: () => import("../plugins/gateway/pool/plugin.ts"),
  },
  runtime: {
    asgi: () => import("../plugins/gateway/asgi/plugin.ts"),
    fastcgi: () => import("../plugins/gateway/fastcgi/plugin.ts"),
    fetch: () => import("../plugins/gateway/fetch/plugin.ts"),
    http: () => import("../plugins/gateway/http/plugin.ts"),
    uwsgi: () => import("../plugins/gateway/uwsgi/plugin.ts"),
    wsgi: () => import("../plugins/gateway/wsgi/plugin.ts"),
  },
  framework: {
    hono: () => import("../plugins/framework/hono/plugin.ts"),
  },
  store: {
    postgres: () => import("../plugins/store/postgres/plugin.ts"),
    redis: () => import("../plugins/store/redis/plugin.ts"),
    sqlite: () => import("../plugins/store/sqlite/plugin.ts"),
  },
  dns: {
    exec: () => import("../plugins/dns/exec/plugin.ts"),
  },
}

/** Whether a part that ships with edge has that name. */
export function isStandard(kind: Kind, name: string): boolean {
  return Object.hasOwn(standard[kind], name)
}
