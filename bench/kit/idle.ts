/** Memory of a server that holds idle connections. */
import { family, pssKb } from "./processes.ts"

/** Opens the connections, one GET on each, and looks 12 s later how much more memory the server has. */
export async function holdIdle({ pid, port, connections }: { pid: number; port: number; connections: number }): Promise<{ kb: number; held: number }> {
  const pids = family(pid)
  const before = pssKb(pids)
  const open: { end(): void }[] = []
  let answered = 0
  const socket = { data: () => void answered++, close() {} }
  while (open.length < connections) {
    const batch = Array.from({ length: 100 }, () => Bun.connect({ hostname: "127.0.0.1", port, socket }))
    for (const one of await Promise.all(batch)) {
      one.write("GET /1k.bin HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
      open.push(one)
    }
  }
  const deadline = Date.now() + 10_000
  while (answered < connections && Date.now() < deadline) await Bun.sleep(50)
  await Bun.sleep(12_000)
  const kb = pssKb(pids) - before
  for (const one of open) one.end()
  return { kb, held: open.length }
}
