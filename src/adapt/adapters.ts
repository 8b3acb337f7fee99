/** Which foreign config a file is, and who reads it. */
import { basename } from "node:path"
import type { AdaptedSite } from "./site.ts"

export interface ForeignFile {
  /** Absolute. */
  readonly path: string
  readonly text: string
}

export interface Adapter {
  /** For `--from` and messages: "gunicorn". */
  readonly name: string
  /** Usual names of such files, for the message that none fits. */
  readonly files: string
  matches(file: ForeignFile): boolean
  /** Throws an EdgeError when the file is not what it should be. */
  adapt(file: ForeignFile): Promise<AdaptedSite>
}

export const adapters: readonly Adapter[] = [
  {
    name: "gunicorn",
    files: "gunicorn.conf.py",
    matches: ({ path }) => path.endsWith(".py"),
    adapt: async file => (await import("./gunicorn.ts")).adaptGunicorn(file),
  },
  {
    name: "uwsgi",
    files: "uwsgi.ini",
    matches: ({ path, text }) => path.endsWith(".ini") || (basename(path).startsWith("uwsgi") && /^\[uwsgi\]\s*$/m.test(text)),
    adapt: async file => (await import("./uwsgi.ts")).adaptUwsgi(file),
  },
]
