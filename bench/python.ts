/**
 * WSGI and ASGI apps through the executable against the servers that people use: the same app, the same Python, one
 * worker each, all processes of a server on one core, the client on the other, in turns.
 *   bun bench/python.ts [--work bare,flask,django,large,upload,starlette] [--rounds 5] [--seconds 2] [--venv DIR] [--edge dist/edge]
 * DIR holds bin/python with newer gunicorn, uvicorn, starlette, granian, flask and django than Debian's:
 *   python3 -m venv DIR && DIR/bin/pip install gunicorn uvicorn uvloop httptools starlette granian flask django
 */
import { join } from "node:path"
import { parseArgs } from "node:util"
import { compare } from "./kit/load.ts"
import { compareUploads } from "./kit/upload.ts"
import { benchFolder, Processes } from "./kit/processes.ts"
import { edgeWith, type PeerName, peers } from "./kit/python-peers.ts"

const { values: options } = parseArgs({
  options: {
    work: { type: "string", default: "bare,flask,django,large,upload,starlette" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "2" },
    venv: { type: "string", default: "" },
    edge: { type: "string", default: "dist/edge" },
  },
})

interface Work {
  readonly title: string
  readonly app: string
  readonly against: readonly PeerName[]
  readonly runtime: "wsgi" | "asgi"
}
const wsgi = ["nginx + gunicorn sync", "nginx + gunicorn gthread", "nginx + uWSGI", "Granian"] as const
const works: Record<string, Work> = {
  bare: { title: "bare WSGI, 10 kB", app: "apps:bare", against: wsgi, runtime: "wsgi" },
  flask: { title: "Flask hello", app: "apps:flask()", against: wsgi, runtime: "wsgi" },
  django: { title: "Django, ORM and template", app: "apps:django()", against: wsgi, runtime: "wsgi" },
  large: { title: "WSGI, 1 MB in 16 pieces", app: "apps:large", against: wsgi.slice(0, 3), runtime: "wsgi" },
  upload: { title: "100 MB upload to WSGI", app: "apps:upload", against: wsgi.slice(0, 3), runtime: "wsgi" },
  starlette: { title: "Starlette hello (ASGI)", app: "asgi_app:app", against: ["nginx + uvicorn", "Granian (ASGI)"], runtime: "asgi" },
}
const dir = join(import.meta.dir, "python")
const python = options.venv === "" ? "/usr/bin/python3" : join(options.venv, "bin/python")

console.log("| work | against | requests/s, ratio | CPU per request, ratio |\n|---|---|---|---|")
for (const name of options.work.split(",")) {
  const work = works[name]
  if (work === undefined) throw new Error(`no work ${name}; there are ${Object.keys(works).join(", ")}`)
  const processes = new Processes(benchFolder("python"))
  try {
    const ours = await edgeWith(work.app, { processes, dir, python, runtime: work.runtime, edge: [join(process.cwd(), options.edge)] })
    const theirs = []
    for (const peer of work.against) {
      // Debian's uWSGI has Debian's Python in it, and its packages.
      const started = await peers[peer](work.app, { processes, dir, venv: options.venv }).catch((error: Error) => error)
      if (started instanceof Error) console.log(`| ${work.title} | ${peer} | not here: ${started.message} | |`)
      else theirs.push({ ...started, name: peer })
    }
    if (name === "upload") await compareUploads(work.title, [ours, ...theirs], { file: "/dev/zero", bytes: 100 << 20, rounds: Number(options.rounds) })
    else await compare(work.title, [ours, ...theirs], { rounds: Number(options.rounds), seconds: Number(options.seconds), connections: 16 })
  } finally {
    await processes.stop()
  }
}
