/** Large uploads, one after the other, with curl. */
import { median, type Subject } from "./load.ts"
import { clientCore, cpuMicros, family, pssKb } from "./processes.ts"

interface Upload {
  readonly seconds: number
  readonly cpuUs: number
  /** The most that the server grew while it ran. */
  readonly grewKb: number
}

/** The first subject is ours. One line for each peer: bytes per second and CPU as ratios, and how much memory both took. */
export async function compareUploads(work: string, subjects: readonly Subject[], o: { file: string; bytes: number; rounds: number }): Promise<void> {
  const seen = new Map(subjects.map(subject => [subject, [] as Upload[]]))
  for (const subject of subjects) await upload(subject, o)
  for (let i = 0; i < o.rounds; i++) for (const subject of subjects) seen.get(subject)!.push(await upload(subject, o))
  const [ours, ...peers] = subjects
  const mine = seen.get(ours!)!
  const mb = (list: readonly Upload[]): string => (Math.max(...list.map(one => one.grewKb)) / 1024).toFixed(0)
  for (const peer of peers) {
    const theirs = seen.get(peer)!
    const rate = median(mine.map((one, i) => theirs[i]!.seconds / one.seconds))
    const cpu = median(mine.map((one, i) => one.cpuUs / theirs[i]!.cpuUs))
    console.log(`| ${work} | ${peer.name} | ${rate.toFixed(2)} | ${cpu.toFixed(2)}; memory grew by ${mb(mine)} MB, theirs by ${mb(theirs)} MB |`)
  }
}

async function upload({ name, pid, url }: Subject, { file, bytes }: { file: string; bytes: number }): Promise<Upload> {
  const pids = family(pid)
  const before = { cpu: cpuMicros(pids), kb: pssKb(pids) }
  const start = performance.now()
  const command = `head -c ${bytes} ${file} | curl -sS -X PUT -T - -H 'Content-Length: ${bytes}' -H 'Transfer-Encoding:' -H 'Expect:' -o /dev/null -w '%{http_code}' ${url}`
  const curl = Bun.spawn(["taskset", "-c", String(clientCore), "sh", "-c", command], { stdout: "pipe" })
  let most = before.kb
  const watch = setInterval(() => (most = Math.max(most, pssKb(pids))), 50)
  const status = await new Response(curl.stdout).text()
  clearInterval(watch)
  if (status !== "200") throw new Error(`${name}: the upload was answered ${status}`)
  return { seconds: (performance.now() - start) / 1000, cpuUs: cpuMicros(pids) - before.cpu, grewKb: most - before.kb }
}
