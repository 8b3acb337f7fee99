/** An app's own processes: every start method of multiprocessing, in every kind of Python worker, through the executable. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { alive, Edge, until } from "../kit/edge.ts"
import { systemPython } from "../kit/python-worker.ts"

/** What both apps do; `__main__` is looked at in the child, where multiprocessing runs it again. */
const jobs = `
import concurrent.futures, multiprocessing, os, sys, time
def facts(number):
    main = sys.modules["__main__"]
    return [number * 2, [name for name in dir(main) if not name.startswith("__")], [name for name in sys.modules if name.startswith("edge_")]]
def futures(method):
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
        return pool.submit(facts, 21).result(timeout=60)
def pool(method):
    with multiprocessing.get_context(method).Pool(2) as pool:
        return pool.map_async(facts, [1, 2, 3]).get(timeout=60)
def process(method):
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    child = context.Process(target=put, args=(queue,))
    child.start()
    got = queue.get(timeout=60)
    child.join()
    return [got, child.exitcode]
def terminate(method):
    child = multiprocessing.get_context(method).Process(target=time.sleep, args=(600,))
    child.start()
    # A child that is not there yet cannot have a handler of ours.
    time.sleep(0.3)
    child.terminate()
    child.join(60)
    return child.exitcode
def put(queue):
    queue.put("from the child")
def leaves(method):
    if os.fork() == 0:
        raise SystemExit(7)
    return os.WEXITSTATUS(os.wait()[1])
def returns(method):
    return "child" if os.fork() == 0 else os.WEXITSTATUS(os.wait()[1])
def pid(method):
    return os.getpid()
def run(path):
    _, what, method = path.rsplit("/", 2)
    return repr(globals()[what](method)).encode()
`
const files = {
  "jobs.py": jobs,
  "w.py": `
import jobs
def app(environ, start_response):
    text = jobs.run(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text]
`,
  "a.py": `
import asyncio, threading, jobs
def in_thread(path):
    # Not the loop's executor: a child forked from its threads exits with 1, in any Python program.
    loop, future = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
    def work():
        text = jobs.run(path)
        loop.call_soon_threadsafe(future.set_result, text)
    threading.Thread(target=work, daemon=True).start()
    return future
async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError
    inline = scope["path"].endswith("/inline")
    text = jobs.run(scope["path"]) if inline else await in_thread(scope["path"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text})
`,
}
const apps = { inline: `runtime = "wsgi"\nentry = "w:app"`, threads: `runtime = "wsgi"\nentry = "w:app"\nthreads = 3`, forked: `runtime = "wsgi"\nentry = "w:app"\npreload = true`, asgi: `runtime = "asgi"\nentry = "a:app"`, asgi_forked: `runtime = "asgi"\nentry = "a:app"\npreload = true`, safe: `runtime = "wsgi"\nentry = "w:app"\nenv = { PYTHONSAFEPATH = "1" }` }
const config = `[log]\naccess = { format = "off" }\n[[site]]\nlisten = ["127.0.0.1:0"]\n${Object.entries(apps)
  .map(([name, keys]) => `[[site.route]]\npath = "/${name}/*"\napp = "${name}"\n[app.${name}]\n${keys}\nworkers = 1\npython = "${systemPython}"\n`)
  .join("")}`

let edge: Edge
beforeAll(async () => void (edge = await Edge.start({ config, files })), 60_000)
afterAll(() => edge[Symbol.asyncDispose]())

describe.each(Object.keys(apps))("%s", app => {
  describe.each(["fork", "spawn", "forkserver"])("%s", method => {
    test("concurrent.futures, Pool and Process; the child sees nothing of edge", async () => {
      const futures = await edge.get(`/${app}/futures/${method}`)
      expect(futures).toStartWith(`[42, ['main', 'sys']`)
      if (method !== "fork") expect(futures).toEndWith(", []]")
      const pool = await edge.get(`/${app}/pool/${method}`)
      expect([...pool.matchAll(/\[(\d), /g)].map(([, number]) => number)).toEqual(["2", "4", "6"])
      expect(await edge.get(`/${app}/process/${method}`)).toBe("['from the child', 0]")
    }, 120_000)

    test("a child that is terminated ends, and the worker does not", async () => {
      const before = await edge.get(`/${app}/pid/x`)
      expect(await edge.get(`/${app}/terminate/${method}`)).toBe("-15")
      expect(await edge.get(`/${app}/pid/x`)).toBe(before)
    }, 120_000)
  })

  test("a forked child that comes out of the app ends as a program does, and the answer is the worker's", async () => {
    const before = await edge.get(`/${app}/pid/inline`)
    expect(await edge.get(`/${app}/leaves/inline`)).toBe("7")
    expect(await edge.get(`/${app}/returns/inline`)).toBe("0")
    expect(await edge.get(`/${app}/pid/inline`)).toBe(before)
    expect(edge.output).not.toContain("worker died")
  }, 60_000)
})

test.each(["inline", "threads", "asgi"])("%s: a TERM that comes right after the fork is not lost", async app => {
  // Before, one of twenty pools never ended.
  for (let n = 0; n < 60; n++) expect(await edge.get(`/${app}/pool/fork`)).toStartWith("[[2,")
}, 120_000)

test("what an app starts ends with its worker, and its atexit handlers run", async () => {
  const last = `\nimport atexit, multiprocessing, jobs\nmultiprocessing.set_start_method("spawn", force=True)\natexit.register(print, "last words")\nPOOL = []\n`
  const start = `\ndef begin():\n    POOL.append(multiprocessing.Pool(2))\n    return repr([child.pid for child in multiprocessing.active_children()]).encode()\n`
  const own = {
    "jobs.py": jobs,
    "w.py": `${last}${start}
def app(environ, start_response):
    start_response("200 OK", [])
    return [begin()]
`,
    "a.py": `${last}${start}
async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": begin()})
`,
  }
  for (const kind of ["w", "a"]) {
    await using site = await Edge.start({
      config: `[[site]]\nlisten = ["127.0.0.1:0"]\n[[site.route]]\napp = "x"\n[app.x]\nruntime = "${kind}sgi"\nentry = "${kind}:app"\nworkers = 1\npython = "${systemPython}"\n`,
      files: own,
    })
    const pids = JSON.parse(await site.get("/")) as number[]
    expect(pids).toHaveLength(2)
    site.signal("SIGTERM")
    await site.exited
    await site.heard("last words")
    await until(() => !pids.some(alive))
  }
}, 120_000)
